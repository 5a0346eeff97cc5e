# SPDX-License-Identifier: Apache-2.0
"""Beyond loopback: open mode is refused unless it was chosen, and then told aloud; so are passwords without TLS."""

from dataclasses import replace

import pytest

from wharfinger.settings import Exposure, Settings, SignIn, open_beyond_loopback, where_to_sign_in

WIDE = [":5000", "0.0.0.0:5000", "[::]:5000", "10.0.0.5:5000", "registry.local:5000"]
SIGN_IN = [
    "auth: {htpasswd: {path: /users}}",
    "auth: {token: {realm: 'https://t.example/token', service: s, issuer: i, jwks: /keys}}",
]
NARROW = ["127.0.0.1:5000", "[::1]:5000", "localhost:5000"]


def listening(addr, net="tcp"):
    settings = Settings()
    return replace(settings, http=replace(settings.http, addr=addr, net=net))


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("settings", [*map(listening, NARROW), listening("/run/w.sock", "unix"), Settings()])
def test_on_this_machine_nothing_needs_to_be_said(settings, said):
    assert open_beyond_loopback(settings, said=said) is Exposure.LOCAL


@pytest.mark.parametrize("addr", WIDE)
def test_elsewhere_it_must_be_chosen(addr):
    assert open_beyond_loopback(listening(addr), said=False) is Exposure.ACCIDENTAL
    assert open_beyond_loopback(listening(addr), said=True) is Exposure.CHOSEN


@pytest.mark.parametrize("addr", WIDE)
def test_a_variable_alone_does_not_open_the_registry(desk, addr):
    (refusal,) = desk.refusals(None, {"REGISTRY_HTTP_ADDR": addr})
    assert refusal.startswith(f"REGISTRY_HTTP_ADDR: http.addr: {addr} is reachable from other machines")
    assert "REGISTRY_AUTH=none" in refusal


@pytest.mark.parametrize(
    ("text", "environ"),
    [(None, {"REGISTRY_AUTH": "none", "REGISTRY_HTTP_ADDR": ":5000"}),
     ("version: 0.1\nhttp: {addr: ':5000'}\n", {}),
     ("version: 0.1\nhttp: {addr: ':5000'}\nauth: none\n", {}),
     ("version: 0.1\nhttp: {addr: ':5000'}\nauth: {none: }\n", {}),
     ("version: 0.1\n", {"REGISTRY_HTTP_ADDR": ":5000"}),
     ("version: 0.1\nauth: htpasswd\n", {"REGISTRY_HTTP_ADDR": ":5000", "REGISTRY_AUTH": "none"})],
)  # fmt: skip
def test_a_word_or_a_file_without_auth_opens_it_with_a_warning(desk, text, environ):
    loaded = desk.load(text, environ)
    (warning,) = loaded.warnings
    assert "whoever reaches :5000 may push" in warning
    assert warning in loaded.notes


def test_without_a_word_the_warning_holds_until_there_are_accounts(desk):
    """The settings cannot know whether there are; `auth: none` leaves no doubt."""
    text = "version: 0.1\nhttp: {addr: ':5000'}\n"
    loaded = desk.load(text)
    (warning,) = loaded.warnings
    assert loaded.while_open == [warning]
    assert "until `wharfinger init` makes the first account, whoever reaches :5000 may push" in warning
    assert "from then on it does not start without http.tls" in warning
    loaded = desk.load(text + "auth: none\n")
    (warning,) = loaded.warnings
    assert loaded.while_open == []
    assert "wharfinger init" not in warning


def test_taking_auth_out_of_a_file_by_an_empty_variable_is_no_word(desk):
    text = "version: 0.1\nhttp: {addr: ':5000'}\nauth: {htpasswd: {realm: r, path: p}}\n"
    (refusal,) = desk.refusals(text, {"REGISTRY_AUTH": ""})
    assert "nobody would be asked to sign in" in refusal


@pytest.mark.parametrize("addr", WIDE)
@pytest.mark.parametrize("auth", SIGN_IN)
def test_passwords_on_a_plain_port_that_others_reach_are_a_warning_and_not_an_open_port(desk, auth, addr):
    loaded = desk.load(f"version: 0.1\nhttp: {{addr: '{addr}'}}\n{auth}\n")
    (warning,) = loaded.warnings
    assert warning.startswith(f"{desk.path}:2: http.addr: passwords and tokens travel to {addr} unencrypted")
    assert "http.tls" in warning


@pytest.mark.parametrize("addr", NARROW)
@pytest.mark.parametrize("auth", SIGN_IN)
def test_passwords_on_this_machine_are_no_warning(desk, auth, addr):
    assert desk.notes(f"version: 0.1\nhttp: {{addr: '{addr}'}}\n{auth}\n") == []


@pytest.mark.parametrize("auth", SIGN_IN)
def test_passwords_over_tls_or_a_unix_socket_are_no_warning(desk, auth):
    tls = "http: {addr: ':5000', tls: {certificate: /c, key: /k}}"
    assert desk.notes(f"version: 0.1\n{tls}\n{auth}\n") == []
    assert desk.notes(f"version: 0.1\nhttp: {{net: unix, addr: /run/w.sock}}\n{auth}\n") == []


@pytest.mark.parametrize(
    ("more", "where"),
    [("", SignIn.UNSAFE),
     ("trustedproxies: [127.0.0.1, '::1', unix]", SignIn.UNSAFE),
     ("trustedproxies: []", SignIn.UNSAFE),
     ("host: 'http://registry.example.com'", SignIn.UNSAFE),
     ("trustedproxies: [10.0.0.7]", SignIn.BEHIND_PROXY),
     ("trustedproxies: [127.0.0.1, 'fd00::/8']", SignIn.BEHIND_PROXY),
     ("host: 'https://registry.example.com'", SignIn.ANYWHERE),
     ("host: 'HTTPS://registry.example.com'", SignIn.ANYWHERE),
     ("tls: {certificate: /c, key: /k}", SignIn.ANYWHERE)],
)  # fmt: skip
@pytest.mark.parametrize("addr", WIDE)
def test_accounts_sign_in_beyond_this_machine_by_tls_a_proxys_or_ours(desk, addr, more, where):
    lines = ["version: 0.1", f"http: {{addr: '{addr}'{', ' if more else ''}{more}}}"]
    assert where_to_sign_in(desk.settings("\n".join(lines))) is where
    lines.append("accounts: {allowplain: true}")
    assert where_to_sign_in(desk.settings("\n".join(lines))) is SignIn.ANYWHERE


@pytest.mark.parametrize("settings", [*map(listening, NARROW), listening("/run/w.sock", "unix"), Settings()])
def test_on_this_machine_accounts_sign_in_as_they_like(settings):
    assert where_to_sign_in(settings) is SignIn.ANYWHERE


def test_the_warning_says_what_becomes_of_passwords(desk):
    text = "version: 0.1\nhttp: {addr: ':5000'}\n"
    (warning,) = desk.load(text + "accounts: {allowplain: true}\n").warnings
    assert "passwords and tokens travel unencrypted, as accounts.allowplain says" in warning
    (warning,) = desk.load("version: 0.1\nhttp: {addr: ':5000', host: 'https://registry.example.com'}\n").warnings
    assert warning.endswith("delete")
