# SPDX-License-Identifier: Apache-2.0
"""`REGISTRY_*`: every key has its variable, it wins, and what is no key is told or passed over."""

import ipaddress
import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.settings import Secret, Settings, environment, load, path_from
from wharfinger.settings.environment import is_injected
from wharfinger.settings.kinds import Many, Named, One, leaves, variable_of

ALL = list(leaves(Settings()))
SAMPLES = {
    "auth.none": "true",
    "auth.htpasswd.path": "/users",
    "auth.token.realm": "https://tokens.example.com/token",
    "auth.token.service": "registry.example.com",
    "auth.token.issuer": "tokens.example.com",
    "auth.token.rootcertbundle": "/tokens.pem",
    "auth.token.jwks": "/tokens.json",
    "auth.token.autoredirect": "true",
    "database.url": "postgresql://host/db",
    "http.addr": "localhost:1",
    "http.host": "https://example.com",
    "http.workers": "3",
    "http.debug.addr": "localhost:2",
    "storage.delete.enabled": "true",
    "validation.blobs.maxsize": "1GiB",
}
NEEDED = {
    "auth.htpasswd.": {"REGISTRY_AUTH_HTPASSWD_PATH": "/users"},
    "auth.token.": {
        "REGISTRY_AUTH_TOKEN_REALM": "https://tokens.example.com/token",
        "REGISTRY_AUTH_TOKEN_SERVICE": "registry.example.com",
        "REGISTRY_AUTH_TOKEN_ISSUER": "tokens.example.com",
        "REGISTRY_AUTH_TOKEN_JWKS": "/tokens.json",
    },
    "registries.privatedomain": {"REGISTRY_REGISTRIES_PRIVATENETWORKS": "[10.0.0.0/8]"},
    "http.tls.": {"REGISTRY_HTTP_TLS_CERTIFICATE": "/c", "REGISTRY_HTTP_TLS_KEY": "/c"},
}
"""What a section needs as a whole, whichever of its keys is given."""
ITEMS = {
    "outbound.ports": ("8443", "8444"),
    "http.trustedproxies": ("unix", "10.0.0.1"),
    "registries.privatenetworks": ("10.0.0.5", "10.0.0.0/8"),
    "auth.token.signingalgorithms": ("ES256", "EdDSA"),
}


def needed_for(leaf):
    return next((more for section, more in NEEDED.items() if leaf.key.startswith(section)), {})


def value_of(settings, key):
    for part in key.split("."):
        settings = getattr(settings, part)
    return settings


def test_the_environment_is_that_of_the_process():
    assert environment() is os.environ


@pytest.mark.parametrize("leaf", [leaf for leaf in ALL if isinstance(leaf.kind, One)], ids=lambda leaf: leaf.key)
def test_every_single_value_can_be_given_as_a_variable(leaf):
    text = SAMPLES.get(leaf.key) or leaf.shown(leaf.value)
    if leaf.key.startswith("http.tls.") and leaf.value is None:
        text = "/c"
    loaded = load(None, needed_for(leaf) | {leaf.variable: text})
    assert value_of(loaded.settings, leaf.key) == leaf.kind.parse(text)
    assert loaded.origins[leaf.key] == leaf.variable
    assert loaded.warnings == []


@pytest.mark.parametrize("leaf", [leaf for leaf in ALL if isinstance(leaf.kind, Many)], ids=lambda leaf: leaf.key)
def test_every_list_can_be_given_whole_or_item_by_item(leaf):
    first, second = ITEMS.get(leaf.key, ("a", "b"))
    whole = load(None, needed_for(leaf) | {leaf.variable: f"[{first}, {second}]"})
    single = load(None, needed_for(leaf) | {f"{leaf.variable}_1": second, f"{leaf.variable}_0": first})
    assert value_of(whole.settings, leaf.key) == value_of(single.settings, leaf.key)
    assert len(value_of(whole.settings, leaf.key)) == 2


@pytest.mark.parametrize("leaf", [leaf for leaf in ALL if isinstance(leaf.kind, Named)], ids=lambda leaf: leaf.key)
def test_under_a_key_that_takes_names_the_rest_is_the_name(leaf):
    loaded = load(None, {f"{leaf.variable}_SOME_NAME": "[v]" if leaf.key == "http.headers" else "v"})
    assert list(value_of(loaded.settings, leaf.key)) == ["some_name"]


def test_the_variable_wins_over_the_file_and_the_file_over_the_default(desk):
    text = "version: 0.1\nhttp: {draintimeout: 1s, prefix: /file/}\n"
    loaded = desk.load(text, {"REGISTRY_HTTP_DRAINTIMEOUT": "2s"})
    assert loaded.settings.http.draintimeout == timedelta(seconds=2)
    assert loaded.settings.http.prefix == "/file/"
    assert loaded.settings.http.net == "tcp"


def test_an_empty_variable_sets_a_key_of_the_file_back_to_its_default(desk):
    loaded = desk.load("version: 0.1\nhttp: {prefix: /file/}\n", {"REGISTRY_HTTP_PREFIX": ""})
    assert loaded.settings.http.prefix == "/"
    assert loaded.origins["http.prefix"] == "REGISTRY_HTTP_PREFIX"


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:p #x@h/d", "postgresql://u:p: x@h/d", "postgresql://u:{p@h/d", "postgresql://u:p'\"@h/d?a=[b]",
     "postgresql://u:%40&*!@h/d", "postgresql://u:\\n@h/d"],
)  # fmt: skip
def test_a_single_value_is_taken_as_it_is_whatever_yaml_would_make_of_it(url):
    assert load(None, {"REGISTRY_DATABASE_URL": url}).settings.database.url == Secret(url)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).filter(lambda text: text[0] not in "'\"~")
)
def test_any_password_survives(password):
    url = f"postgresql://u:{password}@h/d"
    assert load(None, {"REGISTRY_DATABASE_URL": url}).settings.database.url == Secret(url)


def test_quotes_around_a_value_are_removed():
    settings = load(None, {"REGISTRY_HTTP_ADDR": '"[::1]:5000"', "REGISTRY_LOG_LEVEL": "'debug'"}).settings
    assert (settings.http.addr, settings.log.level) == ("[::1]:5000", "debug")
    assert load(None, {"REGISTRY_HTTP_ADDR": "[::1]:5000"}).settings.http.addr == "[::1]:5000"


def test_a_header_of_the_file_is_replaced_whatever_the_case(desk):
    text = "version: 0.1\nhttp: {headers: {X-One: [a], X-Two: [b]}}\n"
    settings = desk.settings(text, {"REGISTRY_HTTP_HEADERS_X-ONE": "[c]", "REGISTRY_HTTP_HEADERS_X-New": '["*"]'})
    assert settings.http.headers == {"X-One": ("c",), "X-Two": ("b",), "x-new": ("*",)}


def test_items_are_laid_over_the_list_of_the_file_in_the_order_of_their_numbers(desk):
    text = "version: 0.1\nhttp:\n  trustedproxies: [10.0.0.0/8, 10.0.0.1]\n"
    environ = {f"REGISTRY_HTTP_TRUSTEDPROXIES_{index}": f"10.1.1.{index}" for index in range(1, 12)}
    networks = desk.settings(text, environ).http.trustedproxies
    assert networks[0] == ipaddress.ip_network("10.0.0.0/8")
    assert [str(network) for network in networks[1:]] == [f"10.1.1.{index}/32" for index in range(1, 12)]


def test_a_gap_in_a_list_is_an_error(desk):
    assert desk.refusals(None, {"REGISTRY_HTTP_TRUSTEDPROXIES_3": "unix"}) == [
        "REGISTRY_HTTP_TRUSTEDPROXIES_3: http.trustedproxies: there is no item 3 to set: the list has 0; the next is 0",
    ]


def test_a_record_is_made_field_by_field_and_its_headers_are_secret():
    environ = {
        "REGISTRY_HEALTH_HTTP_0_URI": "http://a/",
        "REGISTRY_HEALTH_HTTP_0_HEADERS_AUTHORIZATION": "[Basic hunter2]",
        "REGISTRY_HEALTH_FILECHECKERS_0_FILE": "/run/stop",
    }
    loaded = load(None, environ)
    (check,) = loaded.settings.health.http
    assert check.uri == "http://a/"
    assert check.headers == {"authorization": (Secret("Basic hunter2"),)}
    assert loaded.settings.health.file[0].file == Path("/run/stop")
    assert "hunter2" not in repr(loaded)


def test_a_kind_variable_chooses_the_kind_and_replaces_the_section_as_in_distribution(desk):
    text = "version: 0.1\nstorage:\n  inmemory:\n  delete: {enabled: true}\nauth: {htpasswd: {realm: r, path: p}}\n"
    environ = {
        "REGISTRY_STORAGE": "filesystem",
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/data",
        "REGISTRY_AUTH": "none",
    }
    loaded = desk.load(text, environ)
    assert loaded.settings.storage.filesystem.rootdirectory == Path("/data")
    assert loaded.settings.storage.delete.enabled is None
    assert loaded.settings.auth.kind == "none"
    assert f"REGISTRY_STORAGE: replaces the whole section storage of {desk.path}" in loaded.notes


@pytest.mark.parametrize("kind", [("silly", "auth.silly"), ("s3", "storage.s3")])
def test_a_kind_variable_of_a_kind_that_is_not_built_stops_start_up(desk, kind):
    word, key = kind
    variable = f"REGISTRY_{key.partition('.')[0].upper()}"
    (refusal,) = desk.refusals(None, {variable: word})
    assert refusal.startswith(f"{variable}: {key}: is known, but not built yet")


def test_a_section_can_be_given_as_yaml():
    settings = load(None, {"REGISTRY_LOG": "{level: debug, formatter: json}", "REGISTRY_LOG_LEVEL": "warn"}).settings
    assert (settings.log.formatter, settings.log.level) == ("json", "warn")


def test_the_old_variable_for_the_level_still_works():
    assert load(None, {"REGISTRY_LOGLEVEL": "error"}).settings.log.level == "error"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("REGISTRY_HTTP_ADR", "REGISTRY_HTTP_ADDR"), ("REGISTRY_STORAGE_DELETE_ENABLE", "REGISTRY_STORAGE_DELETE_ENABLED"),
     ("REGISTRY_STORAGE_DELETE_ENABLED_X", "REGISTRY_STORAGE_DELETE_ENABLED"), ("REGISTRY_http_addr", None),
     ("REGISTRY_DUCKS", None), ("REGISTRY_PORT", None), ("REGISTRY_HTTP_PORT", None)],
)  # fmt: skip
def test_an_unknown_variable_is_a_warning_with_the_nearest_name(name, nearest):
    loaded = load(None, {name: "5000"})
    (warning,) = loaded.warnings
    assert warning in loaded.notes
    assert warning.startswith(f"{name}: no setting has this name, so it is ignored")
    assert nearest is None or nearest in warning


def test_an_unknown_variable_for_signing_in_stops_start_up_instead_of_opening_the_registry(desk):
    (refusal,) = desk.refusals("version: 0.1\n", {"REGISTRY_AUTH_HTPASWD_PATH": "/p"})
    assert refusal.startswith(
        "REGISTRY_AUTH_HTPASWD_PATH: no setting has this name; did you mean REGISTRY_AUTH_HTPASSWD"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("REGISTRY_PORT", "tcp://10.0.0.1:5000"), ("REGISTRY_SERVICE_HOST", "10.0.0.1"), ("REGISTRY_SERVICE_PORT", "5000"),
     ("REGISTRY_SERVICE_PORT_HTTP", "5000"), ("REGISTRY_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
     ("REGISTRY_PORT_5000_TCP_PROTO", "tcp"), ("REGISTRY_PORT_5000_TCP_PORT", "5000"),
     ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"), ("REGISTRY_UI_SERVICE_HOST", "10.0.0.2"),
     ("REGISTRY_AUTH_PORT", "tcp://10.0.0.3:80"), ("REGISTRY_AUTH_SERVICE_HOST", "10.0.0.3"),
     ("REGISTRY_REDIS_PORT_6379_TCP_ADDR", "10.0.0.4"), ("REGISTRY_CONFIGURATION_PATH", "/etc/config.yml")],
)  # fmt: skip
def test_what_kubernetes_injects_is_passed_over_in_silence(name, value):
    loaded = load(None, {name: value})
    assert loaded.notes == []
    assert loaded.settings == Settings()


@pytest.mark.parametrize("leaf", ALL, ids=lambda leaf: leaf.key)
def test_no_setting_is_mistaken_for_something_injected(leaf):
    assert not is_injected(leaf.variable, "tcp://10.0.0.1:5000")


def test_other_variables_are_not_looked_at():
    loaded = load(None, {"PATH": "/bin", "registry_HTTP_ADDR": ":1", "REGISTRYX": "1", "HTTP_ADDR": ":2"})
    assert (loaded.settings, loaded.notes) == (Settings(), [])


def test_a_value_of_the_wrong_kind_is_told_with_the_variable(desk):
    assert desk.refusals(None, {"REGISTRY_LOG_LEVEL": "loud", "REGISTRY_HTTP": "5000"}) == [
        "REGISTRY_HTTP: http: is a section and takes no value of its own",
        'REGISTRY_LOG_LEVEL: log.level: "loud" is not possible; give one of error, warn, info, debug',
    ]


def test_variables_of_lists_of_records_name_the_first():
    assert variable_of("health.tcp[].addr") == "REGISTRY_HEALTH_TCP_0_ADDR"


def test_the_environment_may_name_the_file():
    assert path_from({"REGISTRY_CONFIGURATION_PATH": "/etc/config.yml"}) == Path("/etc/config.yml")
    assert path_from({"REGISTRY_CONFIGURATION_PATH": ""}) is None
    assert path_from({}) is None
