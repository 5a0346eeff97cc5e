# SPDX-License-Identifier: Apache-2.0
"""Durations, sizes, addresses and the rest: what is taken, what is shown, what is refused with which words."""

import contextlib
import ipaddress
import pickle
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.outbound.targets import parse_policy
from wharfinger.settings import Address, Secret, addresses, parse_address, values
from wharfinger.settings.values import Unfit


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=100_000)))
def test_a_duration_that_is_shown_reads_back_as_itself(duration):
    assert values.parse_duration(values.format_duration(duration)) == duration


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_a_size_that_is_shown_reads_back_as_itself(size):
    assert values.parse_size(values.show_size(size)) == size


@pytest.mark.parametrize(
    "parse",
    [
        values.parse_duration,
        values.parse_size,
        values.parse_address,
        values.parse_proxy,
        values.parse_destination,
        values.parse_lifetime,
        addresses.parse_web_address,
        values.parse_database,
        values.parse_pattern,
        addresses.parse_prefix,
        addresses.parse_url_path,
        values.integer(1),
    ],
)
@given(st.text())
def test_no_text_breaks_a_reader_otherwise_than_by_a_line_that_says_why(parse, text):
    said = ""
    with contextlib.suppress(Unfit):
        try:
            parse(text)
        except Unfit as unfit:
            said = str(unfit)
            raise
    assert said.isprintable()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("30s", 30), ("1h30m", 5400), ("168h", 604_800), ("1.5s", 1.5), (".5m", 30), ("10ms", 0.01),
     ("1h0m0s", 3600), ("+5s", 5), ("3\u00b5s", 0.000003), ("2\u03bcs", 0.000002), ("1ns", 0)],
)  # fmt: skip
def test_durations_are_written_as_in_go(text, seconds):
    assert values.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "1", "-5s", "1 h", "1d", "1h30", "ten", "1..5s", "3e2s", "99999999999h", "1s\n"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(Unfit):
        values.parse_duration(text)


def test_a_number_without_unit_is_refused_because_distribution_reads_nanoseconds():
    with pytest.raises(Unfit, match=r"10 has no unit; give 10s .*10 nanoseconds"):
        values.parse_duration("10")


def test_a_span_of_nothing_is_refused():
    with pytest.raises(Unfit, match="no time at all"):
        values.parse_span("0s")


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1024", 1024), ("256MiB", 256 * 2**20), ("4 MiB", 4 * 2**20), ("5GB", 5 * 10**9), ("1.5KiB", 1536),
     ("10kB", 10_000), ("7b", 7)],
)  # fmt: skip
def test_sizes_have_units_of_1000_or_1024(text, size):
    assert values.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "5G", "5M", "1.5", "9999999TiB", "five", "1MiB\n"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(Unfit):
        values.parse_size(text)


def test_a_limit_may_be_none():
    assert values.parse_limit("None") is None
    assert values.parse_limit("1KiB") == 1024


@pytest.mark.parametrize(
    ("text", "meaning"), [("yes", True), ("On", True), ("TRUE", True), ("off", False), ("no", False)]
)
def test_booleans_are_those_of_yaml(text, meaning):
    assert values.parse_boolean(text) is meaning


@pytest.mark.parametrize("text", ["", "1", "enabled", "t"])
def test_what_is_no_boolean_is_refused(text):
    with pytest.raises(Unfit, match="neither true nor false"):
        values.parse_boolean(text)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [("127.0.0.1:5000", "127.0.0.1", 5000, True), ("127.8.8.8:1", "127.8.8.8", 1, True),
     ("[::1]:5000", "::1", 5000, True),
     ("localhost:80", "localhost", 80, True), (":5000", "", 5000, False), ("0.0.0.0:5000", "0.0.0.0", 5000, False),
     ("[::]:5000", "::", 5000, False), ("registry.local:5000", "registry.local", 5000, False)],
)  # fmt: skip
def test_an_address_knows_whether_only_this_machine_reaches_it(text, host, port, loopback):
    address = parse_address(text)
    assert (address, address.is_loopback, str(address)) == (Address(host=host, port=port), loopback, text)


@pytest.mark.parametrize(
    "text", ["", "5000", "localhost", "::1:5000", "host:http", "host:70000", "[::1]", "a b:1", "h:1\n"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(Unfit):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3"),
        ("FD00::1", "fd00::1"),
        ("GitLab.Example.com", "gitlab.example.com"),
        ("issuer", "issuer"),
    ],
)
def test_a_destination_is_an_address_a_network_or_a_host(text, found):
    assert values.parse_destination(text) == found
    policy = parse_policy([found])
    assert policy.networks or policy.hosts


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.1/8", "https://gitlab.example.com", "host:443", "fe80::1%eth0", "127.1", "0x7f.1", "a b", "*.a"],
)
def test_what_is_no_destination_is_refused(text):
    with pytest.raises(Unfit):
        values.parse_destination(text)


@pytest.mark.parametrize(
    ("text", "fits"), [("1m", True), ("1h", True), ("59s", False), ("61m", False), ("90.5s", False)]
)
def test_a_credential_of_a_workload_lives_from_a_minute_to_an_hour(text, fits):
    if fits:
        values.parse_lifetime(text)
        return
    with pytest.raises(Unfit, match="from 1m to 1h"):
        values.parse_lifetime(text)


def test_trusted_proxies_are_networks_addresses_or_unix():
    assert values.parse_proxy("10.0.0.0/8") == ipaddress.ip_network("10.0.0.0/8")
    assert values.parse_proxy("::1") == ipaddress.ip_network("::1/128")
    assert values.parse_proxy("Unix") == "unix"
    with pytest.raises(Unfit, match=r"give 10\.0\.0\.0/8"):
        values.parse_proxy("10.0.0.1/8")
    with pytest.raises(Unfit, match="neither an address nor a network"):
        values.parse_proxy("proxy.example.com")


@pytest.mark.parametrize(
    "text", ["registry.example.com", "ftp://x", "https://", "https://me:hunter2@example.com", "https://[", "http://x y"]
)
def test_a_host_must_be_a_url_without_credentials(text):
    with pytest.raises(Unfit) as caught:
        addresses.parse_web_address(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["/", "/registry/", "/my/nested/registry/"])
def test_a_prefix_begins_and_ends_with_a_slash(text):
    assert addresses.parse_prefix(text) == text
    with pytest.raises(Unfit):
        addresses.parse_prefix(text + "x")


def test_a_secret_shows_itself_only_when_asked():
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {values.show((secret,))}"
    assert secret == Secret("hunter2") != Secret("other")
    assert hash(secret) == hash(Secret("hunter2"))
    assert secret != "hunter2"
    assert pickle.loads(pickle.dumps(secret)) == secret


def test_a_wrong_database_url_is_not_repeated():
    with pytest.raises(Unfit) as caught:
        values.parse_database("mysql://me:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["postgresql://me:pw@host/db", "postgres://host/db"])
def test_postgresql_is_a_database(text):
    assert values.parse_database(text) == Secret(text)


@pytest.mark.parametrize("text", ["/auth/token", "/", "/hub/v1/token", "/a%20b"])
def test_a_path_of_a_url_begins_with_a_slash(text):
    assert addresses.parse_url_path(text) == text


@pytest.mark.parametrize("text", ["", "auth/token", "/a b", '/"', "/a?b", "/a#b", "/\n", "https://x/y", "/가"])
def test_what_would_break_the_header_is_no_path_of_a_url(text):
    with pytest.raises(Unfit, match="/auth/token"):
        addresses.parse_url_path(text)
