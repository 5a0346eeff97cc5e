# SPDX-License-Identifier: Apache-2.0
"""The keys of issuers: issuers that rotate, lie, break and go down, as real servers; time is the test's own."""

import asyncio
import ipaddress
import json

import pytest

from tests.outbound.peers import NAME, Authority, Peer, answer, client
from wharfinger.clock import HOUR, SECOND, Clock
from wharfinger.domain.errors import OutboundFailed, OutboundRefused
from wharfinger.outbound.addresses import AddressPolicy
from wharfinger.outbound.client import trust
from wharfinger.outbound.issuers import FAILURE_PAUSE, Issuers

DISCOVERY = "/.well-known/openid-configuration"
MINUTE = 60 * SECOND
HERE_NETWORKS = (ipaddress.ip_network("127.0.0.1/32"),)
LISTED = AddressPolicy(hosts=frozenset({NAME}))


class StandingClock(Clock):
    """Stands still until a test moves it."""

    def __init__(self):
        self._now = 0

    def monotonic(self):
        return self._now / SECOND

    def move(self, microseconds):
        self._now += microseconds


def key(kid):
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "unused"}


def document(**values):
    return answer(json.dumps(values).encode(), content_type="application/json")


class Issuer(Peer):
    """An OpenID provider; its URL is its name, and it counts how often its keys were fetched."""

    def __init__(self, *kids, path="", tls=None, cache_control=None):
        super().__init__({}, tls)
        self.path = path
        self.kids = kids
        self.cache_control = cache_control

    async def __aenter__(self):
        await super().__aenter__()
        self.name = self.url(self.path)
        self.come_up()
        return self

    @property
    def fetches(self):
        return self.paths.count("/keys")

    @property
    def asked(self):
        return len(self.heads)

    def come_up(self):
        self.discover(issuer=self.name, jwks_uri=self.url("/keys"))
        self.rotate(*self.kids)

    def discover(self, **values):
        self.answers[self.path.rstrip("/") + DISCOVERY] = document(**values)

    def rotate(self, *kids):
        headers = {"cache-control": self.cache_control} if self.cache_control else {}
        self.answers["/keys"] = answer(json.dumps({"keys": [key(kid) for kid in kids]}).encode(), **headers)

    def go_down(self, said=None):
        self.answers = dict.fromkeys(self.answers, said or answer(b"<h1>Bad gateway</h1>", 502))


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture
def issuers(clock):
    with client(LISTED) as one:
        yield Issuers(one, clock)


async def kids(issuers, issuer, kid=None):
    return [one["kid"] for one in await issuers.keys(issuer.name, kid)]


async def test_the_keys_are_handed_out_as_they_were_read(issuers):
    async with Issuer("a", "b") as issuer:
        assert list(await issuers.keys(issuer.name)) == [key("a"), key("b")]
        assert issuer.paths == [DISCOVERY, "/keys"]
        assert all("accept: application/json\r\n" in head for head in issuer.heads)


@pytest.mark.parametrize("path", ["", "/", "/realms/team", "/realms/team/"])
async def test_the_name_of_an_issuer_may_have_a_path_and_end_with_a_slash(issuers, path):
    async with Issuer("a", path=path) as issuer:
        assert await kids(issuers, issuer) == ["a"]
        assert issuer.paths[0] == path.rstrip("/") + DISCOVERY


async def test_an_issuer_with_tls_needs_no_list(authority: Authority, clock):
    async with Issuer("a", tls=authority.context(NAME)) as issuer:
        policy = AddressPolicy(networks=HERE_NETWORKS, ports=frozenset({issuer.port}))
        with client(policy, tls=trust(authority.file)) as one:
            assert await kids(Issuers(one, clock), issuer) == ["a"]


async def test_an_issuer_without_tls_must_be_listed(clock):
    async with Issuer("a") as issuer:
        policy = AddressPolicy(networks=HERE_NETWORKS, ports=frozenset({issuer.port}))
        with client(policy) as one, pytest.raises(OutboundRefused, match="must use https"):
            await Issuers(one, clock).keys(issuer.name)
        assert issuer.asked == 0


async def test_an_issuer_with_tls_may_not_keep_its_keys_without(authority, clock):
    async with Issuer("a", tls=authority.context(NAME)) as issuer:
        issuer.discover(issuer=issuer.name, jwks_uri=f"http://{NAME}:{issuer.port}/keys")
        with (
            client(LISTED, tls=trust(authority.file)) as one,
            pytest.raises(OutboundRefused, match="must use https"),
        ):
            await Issuers(one, clock).keys(issuer.name)
        assert issuer.fetches == 0


@pytest.mark.parametrize(
    "place", ["http://10.0.0.1/keys", "http://metadata.example/keys", "file:///etc/passwd", "/keys"]
)
async def test_an_issuer_cannot_send_the_registry_somewhere_else(issuers, place):
    async with Issuer("a") as issuer:
        issuer.discover(issuer=issuer.name, jwks_uri=place)
        with pytest.raises(OutboundRefused):
            await issuers.keys(issuer.name)
        assert issuer.paths == [DISCOVERY]


@pytest.mark.parametrize(
    "name", ["https://issuer.example/?a=b", "https://issuer.example/#a", "https://issuer.example?"]
)
async def test_the_name_of_an_issuer_is_a_place_and_nothing_more(issuers, name):
    with pytest.raises(OutboundRefused, match="neither"):
        await issuers.keys(name)


async def test_a_refusal_is_the_same_when_it_is_remembered(issuers):
    for _ in range(2):
        with pytest.raises(OutboundRefused, match="must use https"):
            await issuers.keys("http://issuer.example")


# --- issuers that answer with something else --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [str.upper, lambda name: f"{name}/", lambda name: name.replace(NAME, "evil.example")]
)
async def test_an_issuer_that_lies_about_its_name_is_not_believed(issuers, change):
    async with Issuer("a") as issuer:
        issuer.discover(issuer=change(issuer.name), jwks_uri=issuer.url("/keys"))
        with pytest.raises(OutboundFailed, match="calls itself something else"):
            await issuers.keys(issuer.name)
        assert issuer.fetches == 0


@pytest.mark.parametrize("values", [{}, {"jwks_uri": None}, {"jwks_uri": ["a"]}])
async def test_an_issuer_must_say_where_its_keys_are(issuers, values):
    async with Issuer("a") as issuer:
        issuer.discover(issuer=issuer.name, **values)
        with pytest.raises(OutboundFailed, match="does not say where"):
            await issuers.keys(issuer.name)


@pytest.mark.parametrize("path", [DISCOVERY, "/keys"])
@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(b"{}", 500), "answers 500"),
        (answer(b"{}", 404), "answers 404"),
        (answer(b"", 302, location="/elsewhere"), "answers 302"),
        (answer(b"<!doctype html><title>Sign in</title>"), "JSON object"),
        (answer(b""), "JSON object"),
        (answer(b"[]"), "JSON object"),
        (answer(b"[" * 100_000), "JSON object"),
        (answer(b'"\xff"'), "JSON object"),
        (answer(b"{}" + b" " * 300_000), "sends more"),
    ],
)
async def test_what_is_no_document_is_a_failure(issuers, path, said, why):
    async with Issuer("a") as issuer:
        issuer.answers[path] = said
        with pytest.raises(OutboundFailed, match=why):
            await issuers.keys(issuer.name)


@pytest.mark.parametrize("text", ["{}", '{"keys": {}}', '{"keys": []}', '{"keys": ["a"]}', '{"keys": [{}, null]}'])
async def test_what_is_no_set_of_keys_is_a_failure_and_does_not_displace_one(issuers, clock, text):
    async with Issuer("a") as issuer:
        assert await kids(issuers, issuer) == ["a"]
        issuer.answers["/keys"] = answer(text.encode())
        clock.move(2 * HOUR)
        assert await kids(issuers, issuer) == ["a"]
        assert issuer.fetches == 2
    async with Issuer("a") as issuer:
        issuer.answers["/keys"] = answer(text.encode())
        with pytest.raises(OutboundFailed, match="not a set of keys"):
            await issuers.keys(issuer.name)


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        (None, 3600),
        ("public", 3600),
        ("max-age=600", 600),
        ("public, max-age=600, must-revalidate", 600),
        ("public,MAX-AGE=600", 600),
        ('max-age="600"', 600),
        ("s-maxage=7200", 3600),
        ("max-age=1", 60),
        ("max-age=0", 60),
        ("max-age=999999999", 86400),
        ("max-age=99999999999999999999", 3600),
        ("max-age=-5", 3600),
        ("max-age=abc", 3600),
        ("no-cache", 60),
        ("max-age=7200, no-store", 60),
    ],
)
async def test_a_set_is_fresh_for_as_long_as_the_issuer_says_within_bounds(issuers, clock, cache_control, seconds):
    async with Issuer("a", cache_control=cache_control) as issuer:
        await kids(issuers, issuer)
        clock.move(seconds * SECOND - 1)
        await kids(issuers, issuer, "a")
        assert issuer.fetches == 1
        clock.move(1)
        await kids(issuers, issuer)
        assert issuer.fetches == 2


async def test_many_who_ask_at_once_are_one_flight(issuers):
    async with Issuer("a") as issuer:
        assert await asyncio.gather(*(kids(issuers, issuer, "a") for _ in range(20))) == [["a"]] * 20
        assert issuer.asked == 2


async def test_one_who_goes_away_does_not_take_the_others_along(issuers):
    held, release = asyncio.Event(), asyncio.Event()
    async with Issuer("a") as issuer:
        said = issuer.answers["/keys"]

        async def hold(writer):
            held.set()
            await release.wait()
            writer.write(said)

        issuer.answers["/keys"] = hold
        first = asyncio.create_task(kids(issuers, issuer))
        await held.wait()
        second = asyncio.create_task(kids(issuers, issuer))
        await asyncio.sleep(0)
        first.cancel()
        release.set()
        assert await second == ["a"]
        assert first.cancelled()


async def test_a_slow_issuer_does_not_hold_up_another(issuers):
    held = asyncio.Event()

    async def hang(_):
        held.set()

    async with Issuer("a") as slow, Issuer("b") as quick:
        slow.answers["/keys"] = hang
        waiting = asyncio.create_task(kids(issuers, slow))
        await held.wait()
        assert await kids(issuers, quick) == ["b"]
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_key_that_is_new_is_found_at_once(issuers):
    async with Issuer("old") as issuer:
        assert await kids(issuers, issuer, "old") == ["old"]
        issuer.rotate("old", "new")
        assert await kids(issuers, issuer, "old") == ["old"]
        assert await kids(issuers, issuer, "new") == ["old", "new"]
        assert issuer.fetches == 2


async def test_unknown_kids_ask_once_a_minute_and_not_more(issuers, clock):
    async with Issuer("a") as issuer:
        await kids(issuers, issuer)
        for number in range(60):
            await asyncio.gather(*(kids(issuers, issuer, f"invented-{number}-{one}") for one in range(3)))
            clock.move(SECOND)
        assert issuer.fetches == 2
        await kids(issuers, issuer, "invented")
        assert issuer.fetches == 3


async def test_unknown_kids_of_one_issuer_do_not_slow_another(issuers):
    async with Issuer("a") as attacked, Issuer("b") as other:
        await kids(issuers, other)
        for number in range(3):
            await kids(issuers, attacked, f"invented-{number}")
        other.rotate("c")
        assert await kids(issuers, other, "c") == ["c"]


async def test_the_last_good_set_serves_for_a_day_while_the_issuer_is_down(issuers, clock):
    async with Issuer("a") as issuer:
        await kids(issuers, issuer)
        issuer.go_down()
        clock.move(HOUR)
        for _ in range(24):
            assert await kids(issuers, issuer, "a") == ["a"]
            clock.move(HOUR)
        with pytest.raises(OutboundFailed, match="answers 502"):
            await kids(issuers, issuer, "a")


async def test_an_issuer_that_is_down_is_not_asked_by_everybody(issuers, clock):
    async with Issuer("a") as issuer:
        issuer.go_down()
        for _ in range(5):
            with pytest.raises(OutboundFailed, match="answers 502"):
                await kids(issuers, issuer)
        assert issuer.asked == 1
        issuer.come_up()
        clock.move(int(FAILURE_PAUSE * SECOND) - 1)
        with pytest.raises(OutboundFailed):
            await kids(issuers, issuer)
        clock.move(1)
        assert await kids(issuers, issuer) == ["a"]


async def test_an_issuer_that_is_down_for_a_new_key_keeps_its_old_ones(issuers, clock):
    async with Issuer("old") as issuer:
        await kids(issuers, issuer)
        issuer.go_down()
        assert await kids(issuers, issuer, "new") == ["old"]
        issuer.come_up()
        issuer.rotate("new")
        clock.move(MINUTE)
        assert await kids(issuers, issuer, "new") == ["new"]


async def test_a_name_that_turns_private_does_not_take_the_last_good_set_away(clock):
    async with Issuer("a") as issuer:
        policy = AddressPolicy(hosts=frozenset({NAME}))
        with client(policy) as one:
            issuers = Issuers(one, clock)
            assert await kids(issuers, issuer) == ["a"]
            one._policy = AddressPolicy()
            clock.move(2 * HOUR)
            assert await kids(issuers, issuer) == ["a"]


async def test_a_key_that_was_withdrawn_goes_with_the_next_set(issuers, clock):
    async with Issuer("a", "b") as issuer:
        await kids(issuers, issuer)
        issuer.rotate("b")
        clock.move(HOUR)
        assert await kids(issuers, issuer, "a") == ["b"]


async def test_only_so_many_issuers_are_remembered(clock):
    async with Issuer("a") as first, Issuer("b") as second, Issuer("c") as third:
        with client(LISTED) as one:
            issuers = Issuers(one, clock, capacity=2)
            for issuer in (first, second, first, third, first):
                await kids(issuers, issuer)
            assert [each.fetches for each in (first, second, third)] == [1, 1, 1]
            await kids(issuers, second)
            assert second.fetches == 2
            assert len(issuers._issuers) == 2
