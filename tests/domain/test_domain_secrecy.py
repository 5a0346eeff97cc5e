# SPDX-License-Identifier: Apache-2.0
"""What clients say of themselves is kept without the secrets that they put into it."""

import pytest

from wharfinger.domain.secrecy import HIDDEN, without_secrets
from wharfinger.security import tokens
from wharfinger.security.tokens import TokenKind


@pytest.mark.parametrize("kind", TokenKind)
def test_a_token_of_ours_is_hidden_wherever_it_stands(kind):
    token = tokens.make(kind).text
    assert without_secrets(f"curl/8 {token} (x)") == f"curl/8 {HIDDEN} (x)"
    assert without_secrets(f"/v2/{token[:-1]}/tags") == f"/v2/{HIDDEN}/tags"
    assert without_secrets(f"{token},{token}") == f"{HIDDEN},{HIDDEN}"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("job eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_x end", f"job {HIDDEN} end"),
        ("Authorization: Basic YW5uOnNlY3JldA==", f"Authorization: {HIDDEN}"),
        ("bearer abc.def (x)", f"{HIDDEN} (x)"),
        ("/x?a=Basic%20YW5uOg==", f"/x?a={HIDDEN}"),
    ],
)
def test_signed_tokens_and_whole_headers_are_hidden(said, kept):
    assert without_secrets(said) == kept


@pytest.mark.parametrize(
    "said",
    [
        "docker/24.0.7 go/go1.20.10 git-commit/311b9ff kernel/6.1 os/linux arch/amd64 UpstreamClient(Docker-Client)",
        "wharfinger whp_ whoami",
        "/v2/acme/basic/manifests/bearer",
        "eyJ",
        "",
    ],
)
def test_other_words_stay_as_they_are(said):
    assert without_secrets(said) == said
