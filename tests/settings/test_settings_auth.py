# SPDX-License-Identifier: Apache-2.0
"""Who may come in: one kind, with everything that it needs; nothing that is half said opens the registry."""

from pathlib import Path

import pytest

TOKEN = {
    "realm": "https://tokens.example.com/token",
    "service": "registry.example.com",
    "issuer": "tokens.example.com",
    "jwks": "/tokens.json",
}


def token_without(*names):
    given = ", ".join(f"{name}: '{value}'" for name, value in TOKEN.items() if name not in names)
    return f"version: 0.1\nauth: {{token: {{{given}}}}}\n"


def test_nothing_said_is_no_kind(desk):
    assert desk.settings().auth.kind is None
    assert desk.settings("version: 0.1\n").auth.kind is None


def test_an_htpasswd_file_by_its_path(desk):
    auth = desk.settings("version: 0.1\nauth:\n  htpasswd:\n    realm: Team registry\n    path: /srv/users\n").auth
    assert (auth.kind, auth.htpasswd.realm, auth.htpasswd.path) == ("htpasswd", "Team registry", Path("/srv/users"))


def test_the_realm_may_be_left_out(desk):
    assert desk.settings("version: 0.1\nauth: {htpasswd: {path: /srv/users}}\n").auth.htpasswd.realm == "Wharfinger"


@pytest.mark.parametrize(
    "environ",
    [{"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH": "/srv/users"},
     {"REGISTRY_AUTH_HTPASSWD_PATH": "/srv/users"},
     {"REGISTRY_AUTH": "{htpasswd: {path: /srv/users}}"},
     {"REGISTRY_AUTH_HTPASSWD": "{path: /srv/users}"}],
)  # fmt: skip
@pytest.mark.parametrize("text", [None, "version: 0.1\n", "version: 0.1\nauth:\n"])
def test_an_htpasswd_file_by_variables(desk, text, environ):
    auth = desk.settings(text, environ).auth
    assert (auth.kind, auth.htpasswd.path) == ("htpasswd", Path("/srv/users"))


def test_the_kind_variable_replaces_the_kind_of_the_file(desk):
    environ = {"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH": "/srv/users"}
    assert desk.settings(token_without(), environ).auth.kind == "htpasswd"
    assert desk.settings("version: 0.1\nauth: none\n", environ).auth.kind == "htpasswd"


@pytest.mark.parametrize(
    ("text", "environ", "where"),
    [("version: 0.1\nauth: {htpasswd: }\n", {}, "config.yml:2"),
     ("version: 0.1\nauth: htpasswd\n", {}, "config.yml:2"),
     ("version: 0.1\nauth:\n  htpasswd: {}\n", {}, "config.yml:3"),
     ("version: 0.1\nauth:\n  htpasswd: {realm: r}\n", {}, "config.yml:3"),
     ("version: 0.1\nauth:\n  htpasswd: {path: }\n", {}, "config.yml:3"),
     ("version: 0.1\nauth:\n  htpasswd: {path: ''}\n", {}, "config.yml:3"),
     ("version: 0.1\nauth:\n  htpasswd: {path: /srv/users}\n", {"REGISTRY_AUTH_HTPASSWD_PATH": ""}, "config.yml:3"),
     (None, {"REGISTRY_AUTH": "htpasswd"}, "REGISTRY_AUTH"),
     (None, {"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH": ""}, "REGISTRY_AUTH"),
     (None, {"REGISTRY_AUTH_HTPASSWD": ""}, "REGISTRY_AUTH_HTPASSWD"),
     (None, {"REGISTRY_AUTH_HTPASSWD_REALM": "r"}, "REGISTRY_AUTH_HTPASSWD_REALM")],
)  # fmt: skip
def test_htpasswd_without_a_path_never_comes_up_open(desk, text, environ, where):
    assert desk.refusals(text, environ) == [
        f"{where}: auth.htpasswd.path: is missing: htpasswd cannot work without it",
    ]


def test_a_section_that_is_one_word_is_told_what_it_lacks(desk):
    refusals = desk.refusals("version: 0.1\nauth: {htpasswd: /srv/users}\n")
    assert refusals == [
        "config.yml:2: auth.htpasswd.path: is missing: htpasswd cannot work without it",
        "config.yml:2: auth.htpasswd: is a section and takes no value of its own",
    ]


def test_a_token_server_by_its_names_and_keys(desk):
    auth = desk.settings(token_without()).auth
    assert auth.kind == "token"
    assert (auth.token.realm, auth.token.service, auth.token.issuer, auth.token.jwks) == (
        "https://tokens.example.com/token",
        "registry.example.com",
        "tokens.example.com",
        Path("/tokens.json"),
    )


@pytest.mark.parametrize("name", ["realm", "service", "issuer"])
def test_a_token_server_without_one_of_its_names_stops_the_start(desk, name):
    assert desk.refusals(token_without(name)) == [
        f"config.yml:2: auth.token.{name}: is missing: token cannot work without it",
    ]


def test_a_token_server_without_keys_stops_the_start(desk):
    (refusal,) = desk.refusals(token_without("jwks"))
    assert refusal.startswith("config.yml:2: auth.token: has no keys")


def test_everything_that_a_token_server_lacks_is_told_at_once(desk):
    lacking = [refusal.split(": ")[1] for refusal in desk.refusals("version: 0.1\nauth: {token: {jwks: }}\n")]
    assert lacking == ["auth.token.realm", "auth.token.service", "auth.token.issuer", "auth.token"]


@pytest.mark.parametrize("given", ["ES256", "es256"])
def test_an_algorithm_has_its_own_spelling(desk, given):
    text = token_without().replace("jwks:", f"signingalgorithms: [{given}], jwks:")
    assert desk.settings(text).auth.token.signingalgorithms == ("ES256",)


@pytest.mark.parametrize("given", ["HS256", "none"])
def test_an_algorithm_without_a_private_key_is_refused(desk, given):
    (refusal,) = desk.refusals(token_without().replace("jwks:", f"signingalgorithms: [{given}], jwks:"))
    assert f'auth.token.signingalgorithms.0: "{given}" is not possible' in refusal


@pytest.mark.parametrize(
    ("text", "environ"),
    [("version: 0.1\nauth:\n  htpasswd: {path: /srv/users}\n  none:\n", {}),
     ("version: 0.1\nauth:\n  htpasswd: {path: /srv/users}\n", {"REGISTRY_AUTH_NONE": "true"}),
     ("version: 0.1\nauth: none\n", {"REGISTRY_AUTH_HTPASSWD_PATH": "/srv/users"}),
     (token_without(), {"REGISTRY_AUTH_HTPASSWD_PATH": "/srv/users"})],
)  # fmt: skip
def test_two_kinds_are_refused_and_both_are_named(desk, text, environ):
    (refusal,) = desk.refusals(text, environ)
    assert ": auth: only one may be given, not " in refusal
    assert sum(f"{kind} (" in refusal for kind in ("none", "htpasswd", "token")) == 2


@pytest.mark.parametrize(
    ("text", "environ"),
    [("version: 0.1\nauth: none\n", {}),
     ("version: 0.1\nauth: {none: }\n", {}),
     ("version: 0.1\nauth: {none: {}}\n", {}),
     ("version: 0.1\nauth: {none: true}\n", {}),
     (None, {"REGISTRY_AUTH": "none"}),
     (None, {"REGISTRY_AUTH_NONE": "true"})],
)  # fmt: skip
def test_open_mode_is_a_choice(desk, text, environ):
    assert desk.settings(text, environ).auth.kind == "none"


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [("version: 0.1\nauth: {none: false}\n", {}, "config.yml:2: auth.none: takes no parameters"),
     ("version: 0.1\nauth: {none: {realm: x}}\n", {}, "config.yml:2: auth.none: takes no parameters"),
     (None, {"REGISTRY_AUTH_NONE": "false"}, "REGISTRY_AUTH_NONE: auth.none: takes no parameters"),
     (None, {"REGISTRY_AUTH_NONE": ""},
      "REGISTRY_AUTH_NONE: auth.none: is empty, which chooses nothing; say REGISTRY_AUTH=none")],
)  # fmt: skip
def test_a_choice_that_is_taken_back_or_empty_opens_nothing(desk, text, environ, message):
    assert desk.refusals(text, environ) == [message]
