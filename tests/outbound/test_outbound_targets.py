# SPDX-License-Identifier: Apache-2.0
"""How URLs are read."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wharfinger.domain.errors import OutboundRefused
from wharfinger.outbound.addresses import AddressPolicy
from wharfinger.outbound.targets import (
    MAX_URL,
    Target,
    canonical_host,
    follow,
    literal_address,
    parse_policy,
    parse_target,
)

ANYWHERE = AddressPolicy(ports=frozenset(range(1, 65536)))
POLICY = AddressPolicy(hosts=frozenset({"gitlab.internal"}), ports=frozenset({8443}))


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", Target("https", "example.com", 443, "/")),
        ("HTTPS://EXAMPLE.com:8443/a/b?c=/d?#e", Target("https", "example.com", 8443, "/a/b?c=/d?")),
        ("https://example.com?a", Target("https", "example.com", 443, "/?a")),
        ("https://example.com#a", Target("https", "example.com", 443, "/")),
        ("https://example.com/@a", Target("https", "example.com", 443, "/@a")),
        ("https://[2606:4700::1111]:80/", Target("https", "2606:4700::1111", 80, "/")),
        ("https://[2606:4700:0:0:0:0:0:1111]/", Target("https", "2606:4700::1111", 443, "/")),
        ("https://1.1.1.1/", Target("https", "1.1.1.1", 443, "/")),
        ("https://bücher.example/", Target("https", "xn--bcher-kva.example", 443, "/")),
        ("https://127。0。0。1/", Target("https", "127.0.0.1", 443, "/")),
        ("https://a_b-c.example/", Target("https", "a_b-c.example", 443, "/")),
    ],
)
def test_a_url_is_read_in_its_parts(url, target):
    assert parse_target(url, POLICY, "never") == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "https:/example.com",
        "https:example.com",
        "https:///a",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "http\u017f://example.com/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://@example.com/",
        "https://evil\\@example.com/",
        "https://example.com\\@evil.example/",
        "https://example.com/\r\nHost: evil.example",
        "https://exa\tmple.com/",
        " https://example.com/",
        "https://example.com/ ",
        "https://example.com/\x00",
        "https://example.com/ä",
        "https://example.com./",
        "https://.example.com/",
        "https://a..b/",
        "https://-a.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 127}aa/",
        f"https://example.com/{'a' * MAX_URL}",
        "https://%31%32%37.0.0.1/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:\uff14\uff14\uff13/",
        "https://example.com:-1/",
        "https://example.com:+443/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1.1/",
        "https://1.2.3.0x4/",
        "https://[::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[::1/",
        "https://::1/",
        "https://[127.0.0.1]/",
        "https://[v1.a]/",
        "https://xn--/\ud800",
        "https://\ud800.example/",
    ],
)
def test_what_is_no_url_or_could_be_read_in_two_ways_is_refused(url):
    with pytest.raises(OutboundRefused):
        parse_target(url, ANYWHERE, "always")


@pytest.mark.parametrize("port", [1, 22, 25, 6379, 8080, 65535])
def test_a_port_that_nobody_added_is_refused_except_for_a_listed_host(port):
    with pytest.raises(OutboundRefused, match=f"Port {port} of example.com"):
        parse_target(f"https://example.com:{port}/", POLICY, "never")
    assert parse_target(f"https://gitlab.internal:{port}/", POLICY, "never").port == port


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_listed_host_has_no_more_ports_than_there_are(port):
    with pytest.raises(OutboundRefused, match=f"Port {port} of"):
        parse_target(f"https://gitlab.internal:{port}/", POLICY, "never")


def test_plain_http_depends_on_the_caller_and_the_list():
    listed, other = "http://gitlab.internal/", "http://example.com/"
    for plain, allowed in (("never", set()), ("listed", {listed}), ("always", {listed, other})):
        for url in (listed, other):
            if url in allowed:
                assert parse_target(url, POLICY, plain).port == 80
            else:
                with pytest.raises(OutboundRefused, match="must use https"):
                    parse_target(url, POLICY, plain)


def test_a_refusal_repeats_nothing_of_a_url_that_may_hold_a_password():
    with pytest.raises(OutboundRefused) as caught:
        parse_target("https://user:hunter2@example.com/?key=hunter2", POLICY, "never")
    assert "hunter2" not in str(caught.value)


@given(st.text(st.sampled_from("htps:/@\\[]?#%.0x17fe a\t\n\u3002\uff11\xfc\ud800"), max_size=40))
@example("https://a.example:8443/")
def test_reading_refuses_or_returns_what_reads_the_same_again(text):
    try:
        target = parse_target("https://" + text, ANYWHERE, "always")
    except OutboundRefused:
        return
    assert parse_target(target.url, ANYWHERE, "always") == target
    assert target.url.isascii()


@given(st.text(max_size=60))
def test_reading_anything_raises_nothing_but_its_refusal(text):
    for url in (text, f"https://{text}", f"https://example.com/{text}"):
        try:
            parse_target(url, ANYWHERE, "always")
        except OutboundRefused:
            continue


@given(st.ip_addresses())
def test_an_address_as_a_host_is_taken_for_the_same_address(address):
    host = canonical_host(f"[{address}]" if address.version == 6 else str(address))
    assert literal_address(host) == address


def test_a_name_is_no_address():
    assert literal_address("example.com") is None
    assert literal_address("1.example") is None


def test_the_host_header_names_a_port_only_if_it_is_not_the_usual_one():
    authorities = {
        "https://example.com:443/": "example.com",
        "https://example.com:80/": "example.com:80",
        "http://example.com:80/": "example.com",
        "https://[2606:4700::1]/": "[2606:4700::1]",
        "https://[2606:4700::1]:8443/": "[2606:4700::1]:8443",
    }
    assert {url: parse_target(url, POLICY, "always").authority for url in authorities} == authorities


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "https://example.com/b"),
        ("b?c", "https://example.com/a/b?c"),
        ("//other.example/b", "https://other.example/b"),
        ("https://other.example", "https://other.example/"),
        ("#b", "https://example.com/a/x"),
    ],
)
def test_a_redirect_is_read_against_where_it_comes_from(location, url):
    start = parse_target("https://example.com/a/x", POLICY, "never")
    assert follow(start, location, POLICY, "never").url == url


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://example.com/",
        "https://user:password@example.com/",
        "https://example.com:22/",
        "/a b",
        "https://exa\tmple.com/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://[::1",
        "/\xe4",
    ],
)
def test_a_redirect_that_leads_nowhere_good_is_refused(location):
    start = parse_target("https://example.com/a/x", POLICY, "never")
    with pytest.raises(OutboundRefused):
        follow(start, location, POLICY, "always")


def test_a_redirect_may_lead_from_http_to_https():
    start = parse_target("http://example.com/", POLICY, "always")
    assert follow(start, "https://example.com/", POLICY, "never").scheme == "https"


def test_the_list_of_an_operator_holds_networks_addresses_and_names():
    policy = parse_policy(["10.0.0.0/8", "192.168.1.2", "fd00::1", "GitLab.Internal", "bücher.example"], [8443])
    assert policy.networks == tuple(map(ip_network, ("10.0.0.0/8", "192.168.1.2/32", "fd00::1/128")))
    assert policy.hosts == {"192.168.1.2", "fd00::1", "gitlab.internal", "xn--bcher-kva.example"}
    assert policy.ports == {8443}
    assert policy.allows_address("any.example", ip_address("10.1.2.3"))
    assert parse_target("https://[fd00::1]:6443/", policy, "never").port == 6443


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.1/8", "10.0.0.0/33", "*.example.com", "a b", "https://example.com", "0x7f.1"]
)
def test_an_entry_that_is_nothing_of_these_is_refused(entry):
    with pytest.raises(OutboundRefused):
        parse_policy([entry])
