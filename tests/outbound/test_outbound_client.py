# SPDX-License-Identifier: Apache-2.0
"""The guarded client against real servers, good and bad, and against names that change where they lead."""

import asyncio
import contextlib
import gzip
import ipaddress
import socket
import ssl

import pytest

from tests.outbound.networks import Drip, Swallowing
from tests.outbound.peers import NAME, Peer, answer, client
from tests.workers import virtual_time
from wharfinger.domain.errors import OutboundFailed, OutboundRefused
from wharfinger.outbound.addresses import AddressPolicy
from wharfinger.outbound.client import MAX_HEAD, Client, Limits, trust
from wharfinger.outbound.connections import Resolver

HERE = AddressPolicy(networks=(ipaddress.ip_network("127.0.0.1/32"),), ports=frozenset(range(1, 65536)))
"""All servers of these tests are at this address; every other private one stays closed."""
SECRETS = {"Authorization": "Bearer secret", "X-Api-Key": "secret", "Cookie": "secret", "Accept": "text/plain"}
SMALL = Limits(body=10_000)


def fields(head):
    lines = head.split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}


async def ask(peer, path="/", policy=HERE, **options):
    with client(policy) as one:
        return await one.request(peer.url(path), plain="always", **options)


async def test_an_answer_comes_whole():
    async with Peer({"/a": answer(b"hello", 201, X_One="1", x_one="2", content_type="text/plain")}) as peer:
        found = await ask(peer, "/a?b=c")
        assert (found.url, found.status, found.body) == (peer.url("/a?b=c"), 201, b"hello")
        assert found.headers["content-type"] == "text/plain"
        assert found.headers["x-one"] == "1, 2"


async def test_a_request_says_what_it_must_and_nothing_of_this_machine():
    async with Peer({"/": answer()}) as peer:
        await ask(peer, headers={"Host": "evil.example", "Accept-Encoding": "gzip", "X-Mine": "1"})
        assert peer.heads[0].startswith("GET / HTTP/1.1\r\n")
        assert fields(peer.heads[0]) == {
            "host": f"{NAME}:{peer.port}",
            "user-agent": "wharfinger",
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "close",
            "x-mine": "1",
        }


async def test_content_is_sent_with_its_length():
    async with Peer({"/": answer(status=204)}) as peer:
        assert (await ask(peer, method="POST", content=b"12345")).status == 204
        await ask(peer, method="POST")
        assert [fields(head)["content-length"] for head in peer.heads] == ["5", "0"]


async def test_a_header_cannot_smuggle_another():
    async with Peer({"/": answer()}) as peer:
        with pytest.raises(OutboundFailed):
            await ask(peer, headers={"X-Mine": "1\r\nX-Other: 2"})
        assert peer.heads == []


async def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Peer({"/": answer(b"direct")}) as peer:
        assert (await ask(peer)).body == b"direct"


# --- names and addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["127.0.0.1", "10.0.0.1"],
        ["8.8.8.8", "169.254.169.254"],
        ["::ffff:10.0.0.1"],
        ["127.0.0.1", "64:ff9b::a00:1"],
        ["::1"],
        ["0.0.0.0"],
        ["127.0.0.1"] * 8 + ["fd00::1"],
    ],
)
async def test_a_name_with_one_address_that_is_not_allowed_is_not_connected_to(addresses):
    async with Peer({"/": answer()}) as peer:
        with client(HERE, other_example=[addresses]) as one:
            with pytest.raises(OutboundRefused, match=r"other\.example has an address") as caught:
                await one.request(peer.url(), plain="always")
            assert not any(address in str(caught.value) for address in addresses)
        assert peer.heads == []


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]"])
async def test_an_address_in_the_url_is_judged_like_that_of_a_name(host):
    with client(HERE) as one:
        with pytest.raises(OutboundRefused, match="has an address"):
            await one.request(f"http://{host}/", plain="always")
        assert one.asked == []


async def test_a_name_that_changes_after_it_was_judged_changes_nothing():
    async with Peer({"/": answer(b"the judged one")}) as peer:
        with client(HERE, other_example=[["127.0.0.1"], ["10.0.0.1"]]) as one:
            assert (await one.request(peer.url(), plain="always")).body == b"the judged one"
            assert one.asked == [NAME]
            with pytest.raises(OutboundRefused):
                await one.request(peer.url(), plain="always")
        assert len(peer.heads) == 1


async def test_a_listed_host_is_connected_to_wherever_it_is():
    async with Peer({"/": answer(b"inside")}) as peer:
        listed = AddressPolicy(hosts=frozenset({NAME}))
        assert (await ask(peer, policy=listed)).body == b"inside"
        with client(listed) as one, pytest.raises(OutboundRefused, match="Port"):
            await one.request(peer.url(host="another.example"), plain="always")


async def test_the_next_address_is_tried_if_one_refuses():
    async with Peer({"/": answer(b"second")}) as peer:
        policy = AddressPolicy(networks=(ipaddress.ip_network("127.0.0.0/8"),), ports=HERE.ports)
        with client(policy, other_example=[["127.0.0.2", "127.0.0.1"]]) as one:
            assert (await one.request(peer.url(), plain="always")).body == b"second"


async def test_nobody_at_the_address_is_a_failure():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://{NAME}:{taken.getsockname()[1]}/"
        with client(HERE) as one, pytest.raises(OutboundFailed, match=f"{NAME} cannot be reached"):
            await one.request(url, plain="always")


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), None])
async def test_a_name_that_leads_nowhere_is_a_failure(error):
    async def nowhere(_):
        if error:
            raise error
        return ()

    with (
        contextlib.closing(Client(HERE, tls=trust(), resolve=nowhere)) as one,
        pytest.raises(OutboundFailed, match="leads to no address"),
    ):
        await one.request(f"https://{NAME}/")


async def test_the_resolver_of_the_system_finds_every_address_of_a_name():
    with contextlib.closing(Resolver()) as resolver:
        found = await resolver.addresses("localhost")
        assert found
        assert all(address.is_loopback for address in found)


async def test_a_client_asks_the_resolver_of_the_system_unless_told_otherwise():
    with (
        contextlib.closing(Client(AddressPolicy(), tls=trust())) as one,
        pytest.raises(OutboundRefused, match="localhost has an address"),
    ):
        await one.request("https://localhost/")


# --- TLS --------------------------------------------------------------------------------------------------------------


async def test_tls_keeps_the_name_while_tcp_gets_the_address(authority):
    async with Peer({"/": answer(b"secure")}, authority.context(NAME)) as peer:
        with client(HERE, tls=trust(authority.file)) as one:
            assert (await one.request(peer.url())).body == b"secure"
        assert peer.names == [NAME]
        assert fields(peer.heads[0])["host"] == f"{NAME}:{peer.port}"


async def test_an_address_in_the_url_is_held_against_the_certificate(authority):
    async with Peer({"/": answer(b"secure")}, authority.context("127.0.0.1")) as peer:
        with client(HERE, tls=trust(authority.file)) as one:
            assert (await one.request(peer.url(host="127.0.0.1"))).body == b"secure"


async def test_a_certificate_for_another_name_does_not_hold(authority):
    async with Peer({"/": answer()}, authority.context("another.example", "127.0.0.1")) as peer:
        with (
            client(HERE, tls=trust(authority.file)) as one,
            pytest.raises(OutboundFailed, match=f"certificate of {NAME} does not hold: Hostname mismatch"),
        ):
            await one.request(peer.url())
        assert peer.heads == []


async def test_a_certificate_of_an_unknown_authority_does_not_hold(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with Peer({"/": answer()}, authority.context(NAME)) as peer:
        with (
            client(HERE, tls=trust()) as one,
            pytest.raises(OutboundFailed, match="does not hold: unable to get local issuer certificate"),
        ):
            await one.request(peer.url())
        assert peer.heads == []


async def test_a_server_that_speaks_no_tls_is_a_failure():
    async def refuse(reader, writer):
        await reader.read(1)
        writer.write(answer(status=400))
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with client(HERE) as one, pytest.raises(OutboundFailed, match="cannot be reached"):
            await one.request(f"https://{NAME}:{port}/")


async def test_a_server_that_wants_a_certificate_of_ours_is_a_failure(authority):
    tls = authority.context(NAME)
    tls.verify_mode = ssl.CERT_REQUIRED
    async with Peer({"/": answer()}, tls) as peer:
        with client(HERE, tls=trust(authority.file)) as one, pytest.raises(OutboundFailed, match="broke off"):
            await one.request(peer.url())
        assert peer.heads == []


async def test_what_does_not_decrypt_is_a_failure(authority):
    async def garble(writer):
        writer.transport._ssl_protocol._transport.write(b"\x17\x03\x03\x00\x05hello")

    async with Peer({"/": garble}, authority.context(NAME)) as peer:
        with client(HERE, tls=trust(authority.file)) as one, pytest.raises(OutboundFailed, match="broke off"):
            await one.request(peer.url())


async def test_a_handshake_that_never_ends_is_given_up_and_closed():
    closed = asyncio.Event()

    async def swallow(reader, writer):
        await reader.read()
        closed.set()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for limits in (Limits(connect=0.1), Limits(total=0.1)):
            closed.clear()
            with client(HERE) as one, pytest.raises(OutboundFailed, match="in time"):
                await one.request(f"https://{NAME}:{port}/", limits=limits)
            await asyncio.wait_for(closed.wait(), 10)


# --- redirects --------------------------------------------------------------------------------------------------------


async def test_a_redirect_is_an_answer_unless_the_caller_allows_it():
    async with Peer({"/": answer(b"go", 302, location="/next"), "/next": answer(b"there")}) as peer:
        assert (await ask(peer)).status == 302
        found = await ask(peer, redirects=1)
        assert (found.status, found.body, found.url) == (200, b"there", peer.url("/next"))


async def test_a_redirect_without_a_place_is_an_answer():
    async with Peer({"/": answer(b"go", 302)}) as peer:
        assert (await ask(peer, redirects=5)).status == 302


async def test_a_redirect_to_a_private_address_is_not_followed():
    async with Peer({"/": answer(status=302, location="http://metadata.example/latest/")}) as peer:
        with (
            client(HERE, metadata_example=[["169.254.169.254"]]) as one,
            pytest.raises(OutboundRefused, match=r"metadata\.example has an address"),
        ):
            await one.request(peer.url(), plain="always", redirects=5)


async def test_the_name_of_a_redirect_is_looked_up_and_judged_again():
    async with Peer({"/": answer(status=302, location="/next"), "/next": answer()}) as peer:
        with client(HERE, other_example=[["127.0.0.1"], ["10.0.0.1"]]) as one, pytest.raises(OutboundRefused):
            await one.request(peer.url(), plain="always", redirects=5)
        assert peer.paths == ["/"]


async def test_a_redirect_to_a_port_that_is_not_allowed_is_not_followed():
    async with Peer({"/": answer(status=302, location=f"http://{NAME}:6379/")}) as peer:
        policy = AddressPolicy(networks=HERE.networks, ports=frozenset({peer.port}))
        with pytest.raises(OutboundRefused, match="Port 6379"):
            await ask(peer, policy=policy, redirects=5)


@pytest.mark.parametrize(("allowed", "asked"), [(1, 2), (5, 6), (100, 6)])
async def test_a_circle_of_redirects_ends(allowed, asked):
    async with Peer({"/": answer(status=307, location="/")}) as peer:
        with pytest.raises(OutboundFailed, match="redirects too often"):
            await ask(peer, redirects=allowed)
        assert len(peer.heads) == asked


async def test_https_never_becomes_http(authority):
    async with Peer({"/": answer(b"plain")}) as open_peer:
        tls = authority.context(NAME)
        async with Peer({"/": answer(status=301, location=open_peer.url())}, tls) as peer:
            with (
                client(HERE, tls=trust(authority.file)) as one,
                pytest.raises(OutboundRefused, match="from https to http"),
            ):
                await one.request(peer.url(), plain="always", redirects=5)
        assert open_peer.heads == []


async def test_headers_stay_with_their_origin_and_do_not_come_back():
    async with Peer({"/kept": answer(b"end")}) as first, Peer({}) as second:
        first.answers |= {
            "/": answer(status=302, location="/same"),
            "/same": answer(status=302, location=second.url("/away")),
        }
        second.answers |= {"/away": answer(status=302, location=first.url("/kept"))}
        await ask(first, redirects=5, headers=SECRETS)
        assert [("secret" in head, path) for head, path in zip(first.heads, first.paths, strict=True)] == [
            (True, "/"),
            (True, "/same"),
            (False, "/kept"),
        ]
        assert "secret" not in second.heads[0]
        assert fields(second.heads[0])["accept"] == "text/plain"
        assert fields(second.heads[0])["host"] == f"{NAME}:{second.port}"


async def test_another_name_for_the_same_server_is_another_origin():
    async with Peer({}) as peer:
        peer.answers |= {"/": answer(status=302, location=peer.url("/next", host="b.example")), "/next": answer()}
        await ask(peer, redirects=1, headers=SECRETS)
        assert "secret" not in peer.heads[1]


async def test_what_was_sent_is_not_sent_again_somewhere_else():
    async with Peer({"/": answer(status=307, location="/next")}) as peer:
        assert (await ask(peer, method="POST", content=b"secret", redirects=5)).status == 307
        assert peer.paths == ["/"]


# --- time -------------------------------------------------------------------------------------------------------------

LIMITS = Limits(connect=4, read=5, total=30)
DOCUMENT = answer(b"slowly")


def ask_slowly(network, **names):
    async def main():
        with client(HERE, network=network, **names) as one:
            return await one.request(f"http://{NAME}/", plain="always", limits=LIMITS)

    return virtual_time.run(main())


def test_a_slow_answer_that_moves_is_waited_for():
    network = Drip(DOCUMENT, pause=0.25)
    found, took = ask_slowly(network)
    assert found.body == b"slowly"
    assert took == pytest.approx(len(DOCUMENT) * 0.25)
    assert network.open == 0


@pytest.mark.parametrize(("pause", "gives_up_after"), [(3600, LIMITS.read), (4.9, LIMITS.total)])
def test_an_answer_that_stops_or_drips_is_given_up(pause, gives_up_after):
    network = Drip(DOCUMENT, pause)

    async def main():
        with (
            client(HERE, network=network) as one,
            pytest.raises(OutboundFailed, match=f"{NAME} did not answer in time"),
        ):
            await one.request(f"http://{NAME}/", plain="always", limits=LIMITS)

    _, took = virtual_time.run(main())
    assert took == pytest.approx(gives_up_after)
    assert network.open == 0


def test_an_address_that_swallows_leaves_time_for_the_next():
    network = Swallowing(DOCUMENT, 0.125, {"8.8.8.8"})
    found, took = ask_slowly(network, other_example=[["8.8.8.8", "127.0.0.1"]])
    assert found.body == b"slowly"
    assert network.tried == ["8.8.8.8", "127.0.0.1"]
    assert took == pytest.approx(LIMITS.connect / 2 + len(DOCUMENT) * 0.125)


def test_a_name_with_very_many_addresses_does_not_take_longer():
    many = [f"8.8.8.{number}" for number in range(1, 100)]
    network = Swallowing(DOCUMENT, 0.125, set(many))

    async def main():
        with (
            client(HERE, network=network, other_example=[many]) as one,
            pytest.raises(OutboundFailed, match="in time"),
        ):
            await one.request(f"http://{NAME}/", plain="always", limits=LIMITS)

    _, took = virtual_time.run(main())
    assert took == pytest.approx(LIMITS.connect)
    assert network.tried == many[:4]


def test_a_name_server_that_hangs_is_given_up():
    async def hang(_):
        await asyncio.sleep(3600)

    async def main():
        with (
            contextlib.closing(Client(HERE, tls=trust(), resolve=hang)) as one,
            pytest.raises(OutboundFailed, match="leads to no address"),
        ):
            await one.request(f"http://{NAME}/", plain="always", limits=LIMITS)

    _, took = virtual_time.run(main())
    assert took == pytest.approx(LIMITS.connect)


async def test_a_real_server_that_stops_is_given_up_and_its_connection_closed():
    async def stop(writer):
        writer.write(answer(b"0123456789")[:-1])

    async with Peer({"/": stop}) as peer:
        with pytest.raises(OutboundFailed, match="in time"):
            await ask(peer, limits=Limits(read=0.1))
        await asyncio.wait_for(peer.ended.wait(), 10)


async def test_a_caller_that_goes_away_closes_the_connection():
    begun = asyncio.Event()

    async def wait(_):
        begun.set()

    async with Peer({"/": wait}) as peer:
        asking = asyncio.create_task(ask(peer))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(peer.ended.wait(), 10)


# --- size -------------------------------------------------------------------------------------------------------------


def endless(start, piece):
    async def write(writer):
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()

    return write


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 100, id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 1000, id="one header"),
        pytest.param(b"HTTP/1.1 200 ", b"y" * 1000, id="the first line"),
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, id="answers that are none yet"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 1000, id="a body without a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", b"y" * 1000, id="a long body"),
        pytest.param(CHUNKED, b"3e8\r\n" + b"y" * 1000 + b"\r\n", id="chunks"),
        pytest.param(CHUNKED, b"1;" + b"x" * 1000 + b"\r\ny\r\n", id="what frames chunks"),
        pytest.param(CHUNKED + b"0\r\n", b"x: y\r\n" * 100, id="what follows chunks"),
    ],
)
async def test_an_answer_without_end_is_cut_off(start, piece):
    async with Peer({"/": endless(start, piece)}) as peer:
        with pytest.raises(OutboundFailed, match="sends more than this registry reads"):
            await ask(peer, limits=SMALL)
        await asyncio.wait_for(peer.ended.wait(), 10)


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_a_body_may_have_exactly_its_limit(status):
    answers = {"/fits": answer(b"y" * SMALL.body, status), "/over": answer(b"y" * (SMALL.body + 1), status)}
    async with Peer(answers) as peer:
        assert len((await ask(peer, "/fits", limits=SMALL)).body) == SMALL.body
        with pytest.raises(OutboundFailed, match="sends more"):
            await ask(peer, "/over", limits=SMALL)


async def test_a_body_in_small_chunks_may_have_its_limit():
    chunked = CHUNKED + b"64\r\n" + b"y" * 100 + b"\r\n"
    body = chunked + (b"64\r\n" + b"y" * 100 + b"\r\n") * 99 + b"0\r\n\r\n"
    async with Peer({"/": body}) as peer:
        assert (await ask(peer, limits=SMALL)).body == b"y" * SMALL.body


async def test_headers_may_be_large_but_not_larger():
    for size, fits in ((MAX_HEAD - 1000, True), (MAX_HEAD, False)):
        async with Peer({"/": answer(b"body", x="y" * size)}) as peer:
            with contextlib.nullcontext() if fits else pytest.raises(OutboundFailed, match="sends more"):
                assert (await ask(peer)).body == b"body"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "gzip, gzip"])
async def test_a_compressed_body_is_never_taken_apart(encoding):
    bomb = gzip.compress(b"\0" * 5_000_000, mtime=0)
    assert len(bomb) < SMALL.body
    async with Peer({"/": answer(bomb, content_encoding=encoding)}) as peer:
        with pytest.raises(OutboundFailed, match="compressed body"):
            await ask(peer, limits=SMALL)


async def test_a_body_that_is_said_to_be_as_it_is_is_taken():
    async with Peer({"/": answer(b"body", content_encoding="Identity")}) as peer:
        assert (await ask(peer)).body == b"body"


async def test_an_answer_without_a_body_may_say_how_the_body_would_be():
    async with Peer({"/": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99\r\n\r\n"}) as peer:
        found = await ask(peer, method="HEAD")
        assert (found.headers["content-length"], found.body) == ("99", b"")


# --- nonsense ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n", id="a length beyond numbers"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", id="a length below nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n", id="an unknown framing"),
        pytest.param(CHUNKED + b"zz\r\n", id="a chunk without a length"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", id="a switch of protocols"),
        pytest.param(b"HTTP/1.1 200 OK\r\nna me: x\r\n\r\n", id="a name with a space"),
    ],
)
async def test_nonsense_is_a_failure_and_never_an_answer(said):
    async def speak(writer):
        writer.write(said)
        writer.write_eof()

    async with Peer({"/": speak}) as peer:
        with pytest.raises(OutboundFailed):
            await ask(peer, limits=Limits(read=5))


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", answer(b"0123456789")[:-1], CHUNKED + b"5\r\nab"])
async def test_an_answer_that_breaks_off_is_a_failure(said):
    async def speak(writer):
        writer.write(said)
        writer.write_eof()

    async with Peer({"/": speak}) as peer:
        with pytest.raises(OutboundFailed, match="broke off"):
            await ask(peer)


async def test_an_error_never_repeats_a_body_or_a_secret():
    async with Peer({"/": answer(b"inner secret", content_encoding="gzip")}) as peer:
        with pytest.raises(OutboundFailed) as caught:
            await ask(peer, "/?token=secret", headers=SECRETS)
        assert "secret" not in str(caught.value)
