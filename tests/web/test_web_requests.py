# SPDX-License-Identifier: Apache-2.0
import ipaddress

import pytest

from tests.web.scopes import scope
from wharfinger.domain.errors import HeaderInvalid
from wharfinger.web.requests import Proxies, Visit, read_headers

LISTED = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32", "::1/128")]


@pytest.fixture
def proxies():
    return Proxies(LISTED, unix=True)


def who(proxies, peer, forwarded=None, proto=None, *, scheme="http"):
    headers = [("x-forwarded-for", forwarded)] if forwarded is not None else []
    headers += [("x-forwarded-proto", proto)] if proto is not None else []
    client = None if peer is None else (peer, 1234)
    request = scope(headers=headers, client=client, scheme=scheme)
    return proxies.client_and_scheme(request, read_headers(request))


def test_without_forwarding_headers_the_peer_is_the_client(proxies):
    assert who(proxies, "203.0.113.9") == ("203.0.113.9", "http")
    assert who(proxies, "10.0.0.1", scheme="https") == ("10.0.0.1", "https")


def test_what_a_stranger_says_of_itself_is_ignored(proxies):
    assert who(proxies, "203.0.113.9", "198.51.100.1", "https") == ("203.0.113.9", "http")


def test_a_listed_proxy_is_believed(proxies):
    assert who(proxies, "10.0.0.1", "203.0.113.9", "https") == ("203.0.113.9", "https")


def test_of_a_chain_the_last_hop_that_no_listed_proxy_vouches_for_is_the_client(proxies):
    assert who(proxies, "10.0.0.1", "198.51.100.1, 203.0.113.9, 10.2.3.4")[0] == "203.0.113.9"
    assert who(proxies, "10.0.0.1", "10.9.9.9,10.8.8.8")[0] == "10.9.9.9"


def test_a_chain_that_comes_in_two_headers_is_one_chain(proxies):
    request = scope(
        headers=[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9")], client=("10.0.0.1", 1)
    )
    assert proxies.client_and_scheme(request, read_headers(request))[0] == "203.0.113.9"


@pytest.mark.parametrize("hop", ["unknown", "203.0.113.9:4711", "<script>", "_hidden", "256.0.0.1", "::1%x y\x85"])
def test_a_hop_that_is_no_address_ends_the_chain(proxies, hop):
    """What lies behind it cannot be checked, and what it says goes into no log."""
    assert who(proxies, "10.0.0.1", f"198.51.100.1, {hop}, 10.0.0.2")[0] == "10.0.0.2"
    assert who(proxies, "10.0.0.1", hop)[0] == "10.0.0.1"


@pytest.mark.parametrize("empty", ["", ",", " , ,"])
def test_an_empty_chain_names_nobody(proxies, empty):
    assert who(proxies, "10.0.0.1", empty)[0] == "10.0.0.1"


def test_addresses_are_told_apart_whatever_their_spelling(proxies):
    assert who(proxies, "2001:db8::1", "2001:DB9:0:0::1")[0] == "2001:db9::1"
    assert who(proxies, "::1", "203.0.113.9")[0] == "203.0.113.9"
    assert who(proxies, "2001:db9::1", "203.0.113.9")[0] == "2001:db9::1"


def test_a_mapped_address_counts_as_the_one_inside(proxies):
    assert who(proxies, "::ffff:10.0.0.1", "203.0.113.9")[0] == "203.0.113.9"
    assert who(proxies, "::ffff:203.0.113.1", "203.0.113.9")[0] == "::ffff:203.0.113.1"


@pytest.mark.parametrize("peer", [None, ""])
def test_a_unix_socket_is_believed_where_it_is_listed(peer):
    assert who(Proxies([], unix=True), peer, "203.0.113.9", "https") == ("203.0.113.9", "https")
    assert who(Proxies([], unix=False), peer, "203.0.113.9", "https")[0] != "203.0.113.9"
    assert who(Proxies([], unix=True), peer) == ("-", "http")


def test_a_peer_that_is_no_address_is_not_believed(proxies):
    assert who(proxies, "somewhere", "203.0.113.9")[0] == "somewhere"


@pytest.mark.parametrize(
    ("proto", "expected"),
    [("https", "https"), ("HTTPS", "https"), ("http, https", "https"), ("https, http", "http"), ("gopher", "http"),
     ("", "http")],
)  # fmt: skip
def test_the_scheme_is_what_the_nearest_proxy_says(proxies, proto, expected):
    assert who(proxies, "10.0.0.1", proto=proto)[1] == expected


def test_only_so_many_peers_are_remembered():
    proxies = Proxies(LISTED, unix=False)
    for number in range(12_000):
        assert not proxies.trusts(f"2001:db9::{number:x}")
    assert proxies.trusts("10.0.0.1")
    assert len(proxies._known) < 11_000


@pytest.mark.parametrize(
    "name", ["host", "authorization", "content-length", "content-range", "content-type", "if-match"]
)
def test_a_header_that_decides_something_comes_once(name):
    with pytest.raises(HeaderInvalid, match=f"{name} comes twice"):
        read_headers(scope(headers=[(name, "a"), (name, "a"), ("host", "x")]))


def test_a_header_that_may_come_twice_is_one_list():
    headers = read_headers(scope(headers=[("accept", "a/a"), ("host", "x"), ("accept", "b/b")]))
    assert headers == {b"accept": b"a/a, b/b", b"host": b"x"}


def test_a_request_of_http_1_1_names_its_host():
    for pairs in ([], [(b"host", b"")]):
        with pytest.raises(HeaderInvalid, match="must have a Host"):
            read_headers({"headers": pairs, "http_version": "1.1"})
        assert read_headers({"headers": pairs, "http_version": "1.0"}) == dict(pairs)
        assert read_headers({"headers": pairs, "http_version": "2"}) == dict(pairs)


def test_a_visit_becomes_an_actor():
    visit = Visit("r-1", "/", "192.0.2.1", "http", {b"user-agent": b"client/1 \xe9\x07"})
    actor = visit.actor()
    assert (actor.client_address, actor.request_id, actor.principal.name) == ("192.0.2.1", "r-1", "anonymous")
    assert actor.user_agent.isascii()
    assert Visit("r", "/", "c", "http", {}).actor().user_agent is None
    assert visit.header(b"accept") is None
