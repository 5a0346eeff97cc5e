# SPDX-License-Identifier: Apache-2.0
"""Registry tokens: what is issued verifies, and a token that differs in anything is refused for the reason given."""

import itertools

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tests.security.forging import MISSING, NOW, SECONDS, changed, forge, forge_with_secret, part
from wharfinger.clock import SECOND, after
from wharfinger.security.claims import AccessEntry
from wharfinger.security.jws import MAX_LENGTH, Reason, TokenRefused, take_apart
from wharfinger.security.keys import KEEP, LEAD, KeySet, NoSigningKey, SigningKey
from wharfinger.security.signing import Credential, RegistryTokens

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
KEYS = KeySet([]).rotated(KEY, NOW)
TOKENS = RegistryTokens(KEYS, issuer="wharfinger", service="registry.example")
ENTRY = AccessEntry(type="repository", name="acme/app", actions=frozenset({"pull", "push"}), repository_id=7)
HEADER = {"alg": "EdDSA", "kid": KEY.kid, "typ": "at+registry"}
CLAIMS = {
    "iss": "wharfinger",
    "aud": "registry.example",
    "sub": "42",
    "jti": "abc",
    "iat": SECONDS,
    "nbf": SECONDS,
    "exp": SECONDS + 300,
    "access": [{"type": "repository", "name": "acme/app", "actions": ["pull", "push"], "repository_id": 7}],
    "credential": {"kind": "personal", "id": 3},
}


def signed(header=HEADER, claims=CLAIMS, key=KEY):
    return forge(header, claims, key.private, algorithm="EdDSA")


def reason_of(text, now=NOW, tokens=TOKENS):
    with pytest.raises(TokenRefused) as caught:
        tokens.verify(text, now)
    return caught.value.reason


def test_token_that_the_tables_below_change_is_right():
    token = TOKENS.verify(signed(), NOW)
    assert (token.id, token.account_id, token.credential) == ("abc", 42, Credential("personal", 3))
    assert token.access == (ENTRY,)
    assert (token.issued_at, token.expires_at) == (NOW, after(NOW, 300 * SECOND))


names = st.text(max_size=20)
ids = st.none() | st.integers(0, 2**53)
actions = st.frozensets(st.sampled_from(["pull", "push", "delete"]))
entries = st.builds(
    AccessEntry, type=st.just("repository"), name=names, actions=actions, repository_id=ids, namespace_id=ids
)


@given(ids, st.none() | st.builds(Credential, names, ids), st.lists(entries, max_size=5))
def test_what_is_issued_is_what_is_verified(account_id, credential, access):
    text = TOKENS.issue(NOW, account_id=account_id, credential=credential, access=access)
    token = TOKENS.verify(text, NOW)
    assert (token.account_id, token.credential, token.access) == (account_id, credential, tuple(access))
    assert token.expires_at - token.issued_at == TOKENS.lifetime * SECOND


def test_issued_token_has_the_documented_header_and_an_id_of_its_own():
    one, other = TOKENS.issue(NOW), TOKENS.issue(NOW)
    assert take_apart(one).header == HEADER
    assert TOKENS.verify(one, NOW).id != TOKENS.verify(other, NOW).id


def test_catalog_is_the_only_thing_that_a_star_opens():
    catalog = AccessEntry(type="registry", name="catalog", actions=frozenset({"*"}))
    assert TOKENS.verify(TOKENS.issue(NOW, access=[catalog]), NOW).access == (catalog,)


def test_fifty_names_fit_and_too_many_are_refused_when_issued():
    fifty = [
        AccessEntry(type="repository", name=f"acme/app-{n:02}", actions=ENTRY.actions, repository_id=n)
        for n in range(50)
    ]
    assert len(TOKENS.issue(NOW, access=fifty)) <= MAX_LENGTH
    with pytest.raises(TokenRefused, match="too long"):
        TOKENS.issue(NOW, access=fifty * 3)


@pytest.mark.parametrize("lifetime", [0, 59, 301])
def test_lifetime_outside_its_range_is_refused(lifetime):
    with pytest.raises(ValueError, match="60 to 300"):
        RegistryTokens(KEYS, issuer="i", service="s", lifetime=lifetime)


def test_every_changed_sign_is_noticed():
    text = signed()
    for position, sign in enumerate(text):
        for other in {"A", "w", ".", "="} - {sign}:
            with pytest.raises(TokenRefused):
                TOKENS.verify(text[:position] + other + text[position + 1 :], NOW)


HEADERS = [
    *(
        ("alg", value, Reason.WRONG_ALGORITHM)
        for value in ["none", "HS256", "RS256", "ES256", "eddsa", "", None, 1, []]
    ),
    *(("alg", value, Reason.UNWANTED_HEADER) for value in [MISSING]),
    *(("kid", value, Reason.UNKNOWN_KEY) for value in ["", "x", OTHER.kid, KEY.kid.lower(), KEY.kid + " "]),
    *(("kid", value, Reason.UNWANTED_HEADER) for value in [MISSING, None, 1, [KEY.kid], {}]),
    *(("typ", value, Reason.WRONG_TYPE) for value in ["JWT", "at+jwt", "AT+REGISTRY", "", None, 1]),
    *(("typ", value, Reason.UNWANTED_HEADER) for value in [MISSING]),
    ("jwk", OTHER.jwk(), Reason.UNWANTED_HEADER),
    ("jwk", KEY.jwk(), Reason.UNWANTED_HEADER),
    ("jku", "https://evil.example/keys", Reason.UNWANTED_HEADER),
    ("x5u", "https://evil.example/certificate", Reason.UNWANTED_HEADER),
    ("x5c", ["MIIB"], Reason.UNWANTED_HEADER),
    ("x5t", "AAAA", Reason.UNWANTED_HEADER),
    ("crit", ["exp"], Reason.UNWANTED_HEADER),
    ("crit", [], Reason.UNWANTED_HEADER),
    ("b64", False, Reason.UNWANTED_HEADER),
    ("enc", "A256GCM", Reason.UNWANTED_HEADER),
    ("zip", "DEF", Reason.UNWANTED_HEADER),
    ("cty", "JWT", Reason.UNWANTED_HEADER),
]


@pytest.mark.parametrize(
    ("name", "value", "reason"), HEADERS, ids=[f"{name}{n}" for n, (name, _, _) in enumerate(HEADERS)]
)
def test_header_that_differs_is_refused_even_if_rightly_signed(name, value, reason):
    assert reason_of(signed(header=changed(HEADER, name, value))) is reason


TYPES = [None, True, 0, -1, 1.5, "", "x", [], {}, ["registry.example"], MISSING]
TIMES = [None, True, -1, 1.5, float(SECONDS), str(SECONDS), "", [], {}, 2**59, MISSING]
CLAIM_REASONS = [
    *(("iss", value, Reason.MALFORMED_CLAIMS) for value in TYPES if not isinstance(value, str)),
    *(("iss", value, Reason.WRONG_ISSUER) for value in ["", "x", "Wharfinger", "wharfinger/"]),
    *(("aud", value, Reason.WRONG_AUDIENCE) for value in [*TYPES, "REGISTRY.example", "registry.example."]),
    *(
        ("sub", value, Reason.MALFORMED_CLAIMS)
        for value in [*(t for t in TYPES if t != ""), "-1", "4 2", "\u0664", "9" * 20]
    ),
    *(("jti", value, Reason.MALFORMED_CLAIMS) for value in TYPES if not isinstance(value, str)),
    *((name, value, Reason.WRONG_TIMES) for name, value in itertools.product(["iat", "nbf", "exp"], TIMES)),
    *((name, SECONDS + 61, Reason.NOT_YET_VALID) for name in ["iat", "nbf"]),
    ("exp", SECONDS - 61, Reason.EXPIRED),
    ("exp", 0, Reason.EXPIRED),
    *(("access", value, Reason.MALFORMED_CLAIMS) for value in TYPES if value not in (None, [], MISSING)),
    *(("credential", value, Reason.MALFORMED_CLAIMS) for value in TYPES if value not in (None, MISSING)),
    *(("credential", {"kind": value, "id": 3}, Reason.MALFORMED_CLAIMS) for value in [None, 1, []]),
    *(("credential", {"kind": "x", "id": value}, Reason.MALFORMED_CLAIMS) for value in ["3", True, -1, 1.5, []]),
]


@pytest.mark.parametrize(("name", "value", "reason"), CLAIM_REASONS)
def test_claim_that_differs_is_refused_even_if_rightly_signed(name, value, reason):
    assert reason_of(signed(claims=changed(CLAIMS, name, value))) is reason


def test_tables_change_every_field():
    assert {name for name, *_ in CLAIM_REASONS} == CLAIMS.keys()
    assert HEADER.keys() <= {name for name, *_ in HEADERS}


ENTRIES = [
    *(("actions", [value], Reason.WILDCARD) for value in ["*", "pull*", "*:pull", "**"]),
    *(
        ("actions", ["pull", value], Reason.MALFORMED_CLAIMS)
        for value in ["", "PULL", "pull ", "pull,push", None, 1, []]
    ),
    *(("actions", value, Reason.MALFORMED_CLAIMS) for value in [MISSING, None, "pull", {}, 1]),
    *(("type", value, Reason.MALFORMED_CLAIMS) for value in [MISSING, None, 1, []]),
    *(("name", value, Reason.MALFORMED_CLAIMS) for value in [MISSING, None, 1, []]),
    *(
        (name, value, Reason.MALFORMED_CLAIMS)
        for name in ["repository_id", "namespace_id"]
        for value in ["7", 7.0, True, -7, []]
    ),
]


@pytest.mark.parametrize(("name", "value", "reason"), ENTRIES)
def test_access_entry_that_is_malformed_refuses_the_whole_token(name, value, reason):
    [entry] = CLAIMS["access"]
    good = {**entry, "name": "acme/other"}
    assert reason_of(signed(claims={**CLAIMS, "access": [good, changed(entry, name, value)]})) is reason


@pytest.mark.parametrize("entry", [None, "repository:acme/app:pull", 1, []])
def test_access_entry_that_is_no_object_is_refused(entry):
    assert reason_of(signed(claims={**CLAIMS, "access": [entry]})) is Reason.MALFORMED_CLAIMS


@pytest.mark.parametrize(
    ("name", "seconds", "reason"),
    [
        ("exp", -60, None),
        ("exp", -61, Reason.EXPIRED),
        ("nbf", 60, None),
        ("nbf", 61, Reason.NOT_YET_VALID),
        ("iat", 60, None),
        ("iat", 61, Reason.NOT_YET_VALID),
    ],
)
def test_clocks_may_differ_by_a_minute_and_no_more(name, seconds, reason):
    text = signed(claims={**CLAIMS, name: SECONDS + seconds})
    if reason is None:
        TOKENS.verify(text, NOW)
    else:
        assert reason_of(text) is reason


def test_token_ends_with_its_lifetime():
    text = TOKENS.issue(NOW)
    assert TOKENS.verify(text, after(NOW, 360 * SECOND))
    assert reason_of(text, after(NOW, 361 * SECOND)) is Reason.EXPIRED


def test_public_key_taken_for_a_shared_secret_signs_nothing():
    public = KEY.private.public_key()
    secrets = [public.public_bytes_raw(), public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)]
    for secret in secrets:
        assert reason_of(forge_with_secret(HEADER, CLAIMS, secret)) is Reason.WRONG_ALGORITHM


def test_unsigned_and_encrypted_tokens_are_refused():
    unsigned = f"{part({**HEADER, 'alg': 'none'})}.{part(CLAIMS)}."
    encrypted = f"{part({**HEADER, 'enc': 'A256GCM'})}.AAAA.AAAA.AAAA.AAAA"
    assert reason_of(unsigned) is Reason.MALFORMED
    assert reason_of(unsigned + "AAAA") is Reason.WRONG_ALGORITHM
    assert reason_of(encrypted) is Reason.MALFORMED


def test_token_of_another_registry_is_refused():
    assert reason_of(signed(key=OTHER)) is Reason.WRONG_SIGNATURE
    other = RegistryTokens(KeySet([]).rotated(OTHER, NOW), issuer="wharfinger", service="registry.example")
    assert reason_of(other.issue(NOW)) is Reason.UNKNOWN_KEY
    same_keys = RegistryTokens(KEYS, issuer="wharfinger", service="other.example")
    assert reason_of(same_keys.issue(NOW)) is Reason.WRONG_AUDIENCE


def test_claims_with_a_key_twice_are_refused():
    twice = b'{"sub":"1",' + part_of_claims()[1:]
    assert reason_of(signed(claims=twice)) is Reason.MALFORMED_CLAIMS


def part_of_claims():
    return take_apart(signed()).payload


def test_number_beyond_any_time_is_refused():
    payload = part_of_claims().replace(str(SECONDS + 300).encode(), b"1e400")
    assert reason_of(signed(claims=payload)) is Reason.WRONG_TIMES


def test_old_key_verifies_for_a_while_after_the_new_one_signs():
    tokens = RegistryTokens(KEYS.rotated(OTHER, NOW), issuer="wharfinger", service="registry.example")
    begins = after(NOW, LEAD)
    last = tokens.issue(after(begins, -SECOND))
    assert take_apart(last).header["kid"] == KEY.kid
    assert take_apart(tokens.issue(begins)).header["kid"] == OTHER.kid
    assert tokens.verify(last, after(begins, 300 * SECOND))
    assert reason_of(last, after(begins, KEEP), tokens) is Reason.UNKNOWN_KEY


def test_without_keys_nothing_is_issued_and_nothing_verified():
    tokens = RegistryTokens(KeySet([]), issuer="wharfinger", service="registry.example")
    with pytest.raises(NoSigningKey):
        tokens.issue(NOW)
    assert reason_of(signed(), tokens=tokens) is Reason.UNKNOWN_KEY


def test_error_carries_nothing_of_the_token():
    text = signed(claims={**CLAIMS, "iss": "canary-3a9f"})
    with pytest.raises(TokenRefused) as caught:
        TOKENS.verify(text, NOW)
    shown = repr(caught.value) + str(caught.value.__cause__) + str(caught.value.__context__)
    assert "canary" not in shown
    assert text not in shown
