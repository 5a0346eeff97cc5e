# SPDX-License-Identifier: Apache-2.0
"""How a registry may be called, and what a `Host` header says."""

import ipaddress

import pytest

from wharfinger.domain.errors import RegistryInvalid
from wharfinger.domain.registries import (
    RESERVED,
    Domains,
    Endpoints,
    host_of,
    new_private_id,
    parse_host,
    parse_registry_name,
)

DOMAINS = Domains(public="registry.test", private="in.registry.test", own=frozenset({"hub.test"}))


@pytest.mark.parametrize("name", ["abc", "a1b", "a-b", "a--b", "t" * 30, "x" + "-" * 28 + "9"])
def test_a_name_of_3_to_30_is_taken(name):
    assert parse_registry_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *[(name, f"it has {len(name)} characters, not 3 to 30") for name in ("", "a", "ab", "t" * 31, "t" * 10_000)],
        *[(name, "begins with a letter") for name in ("1ab", "-ab", "ab-", "Abc", "a_b", "a.b", "a b", "abc\n", "añb")],
        *[(name, "uses itself") for name in ("docker", "private", "default", "api", "www", "localhost")],
    ],
)
def test_any_other_is_refused_and_told_what_is_wrong(name, why):
    with pytest.raises(RegistryInvalid, match=why) as refused:
        parse_registry_name(name)
    assert len(refused.value.message) < 250


def test_every_reserved_word_could_have_been_a_name():
    for word in RESERVED:
        with pytest.raises(RegistryInvalid):
            parse_registry_name(word)


def test_no_name_of_a_registry_is_one_of_a_private_endpoint():
    """A private id is below another domain, and it is short of nothing that a label may have."""
    found = {new_private_id() for _ in range(50)}
    assert len(found) == 50
    for one in found:
        assert Endpoints(name="abc", private_id=one).private_host(DOMAINS) == f"{one}.in.registry.test"
        assert DOMAINS.holds(f"{one}.in.registry.test")


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("team.registry.test", "team.registry.test"),
        ("TEAM.Registry.Test:5000", "team.registry.test"),
        ("team.registry.test.", "team.registry.test"),
        ("team.registry.test.:443", "team.registry.test"),
        ("team.registry.test:", "team.registry.test"),
        ("192.0.2.1:5000", "192.0.2.1"),
        ("[2001:DB8::1]:5000", "[2001:db8::1]"),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ("my_registry:5000", "my_registry"),
        ("", ""),
    ],
)
def test_a_host_is_read_as_every_client_writes_it(header, host):
    assert host_of(header) == host


NO_HOSTS = (
    *("user@team.registry.test", "user:word@nobody.registry.test", "team.registry.test/", "team.registry.test/v2/"),
    *("http://team.registry.test", "team.registry.test\\", "team.registry.test:port", "team.registry.test:80:80"),
    *("team.registry.test, registry.test", "team registry.test", '"team.registry.test"', "team.registry.test%00"),
    *("team.registry.test#", "team.registry.test?", "[::1", "[::1]x", "[team]", ".", "-", "team.registry.test:999999"),
    *("t\u00e9am.registry.test", "team.registry.test\x00", "x" * 300),
)


@pytest.mark.parametrize("header", NO_HOSTS)
def test_what_is_no_host_is_nobodys(header):
    assert host_of(header) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "images",
            "images.test:5000",
            "http://images.test",
            "192.0.2.1",
            "[::1]",
            "images..test",
            "-a.test",
            "a_b.test",
        ),
        *(
            "*.test",
            "x" * 64 + ".test",
            ".".join(["x" * 60] * 5),
            "registry.test",
            "IN.registry.test.",
            "a.registry.test",
        ),
        *("a.b.registry.test", "hub.test", "HUB.test", "team.localhost", "", " images.test"),
    ],
)
def test_a_host_that_cannot_be_given_is_refused(text):
    with pytest.raises(RegistryInvalid):
        parse_host(text, DOMAINS)


def test_a_host_is_given_in_lower_case():
    assert parse_host("Images.Example.", DOMAINS) == "images.example"
    assert parse_host("registry.test.example", DOMAINS) == "registry.test.example"
    assert not DOMAINS.holds("notregistry.test")


@pytest.mark.parametrize(
    ("client", "admitted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.1.2.3", False),
        ("2001:db8::7", True),
        ("", False),
        ("x", False),
    ],
)
def test_private_endpoints_admit_the_listed_networks_however_an_address_is_written(client, admitted):
    networks = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32")]
    assert Domains(networks=networks).admits(client) is admitted
