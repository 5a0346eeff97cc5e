# SPDX-License-Identifier: Apache-2.0
import asyncio
from contextlib import suppress

import pytest

from tests.workers.virtual_time import run
from wharfinger.domain.errors import ManifestTooLarge
from wharfinger.web.bodies import GATHER_BYTES, PROGRESS_BYTES, Body, ClientGone, ClientStalled
from wharfinger.web.requests import Visit


def visit():
    """Return a request that announces a body."""
    return Visit("r-1", "/", "192.0.2.1", "http", {}, unread=True)


class Sender:
    """A client that sends pieces, each after a pause, and then what it is told to."""

    def __init__(self, *pieces, pause=0.0, end=True):
        self._messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        if end is True and self._messages:
            self._messages[-1]["more_body"] = False
        elif end is True:
            self._messages.append({"type": "http.request"})
        elif end is not None:
            self._messages.append(end)
        self._pause = pause
        self.left = self._messages

    async def __call__(self):
        await asyncio.sleep(self._pause)
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)


def received(sender, deadline=10, consume=0.0):
    """Return what was received, the error that ended it, and how long it took."""

    async def main():
        pieces = []
        try:
            async for batch in Body(sender, deadline, visit()).batches():
                pieces += batch
                await asyncio.sleep(consume)
        except (ClientGone, ClientStalled) as error:
            return b"".join(pieces), type(error)
        return b"".join(pieces), None

    (content, error), took = run(main())
    return content, error, took


def whole(sender, deadline, limit):
    return Body(sender, deadline, visit()).whole(limit)


def test_a_body_is_yielded_as_it_arrives():
    assert received(Sender(b"one", b"", b"two"))[:2] == (b"onetwo", None)
    assert received(Sender())[:2] == (b"", None)


async def test_a_long_body_is_yielded_in_batches_of_bounded_size():
    piece = b"x" * PROGRESS_BYTES
    batches = [batch async for batch in Body(Sender(*[piece] * 40), 10, visit()).batches()]
    assert [sum(map(len, batch)) for batch in batches] == [GATHER_BYTES, GATHER_BYTES, 8 * PROGRESS_BYTES]


@pytest.mark.parametrize(("end", "unread"), [(True, False), ({"type": "http.disconnect"}, True), (None, True)])
def test_it_is_known_whether_the_end_of_a_body_was_seen(end, unread):
    async def main():
        one = visit()
        with suppress(ClientGone, ClientStalled):
            async for batch in Body(Sender(b"x" * GATHER_BYTES, b"y", end=end), 10, one).batches():
                assert one.unread or batch == [b"y"]
        return one.unread

    assert run(main())[0] is unread


def test_a_client_that_sends_nothing_is_given_up_at_the_deadline():
    content, error, took = received(Sender(b"one", end=None))
    assert (content, error) == (b"one", ClientStalled)
    assert took == pytest.approx(10)


def test_a_client_that_drips_is_given_up_too():
    """A byte every second is no progress, however long it goes on."""
    content, error, took = received(Sender(*[b"x"] * 1_000, pause=1))
    assert error is ClientStalled
    assert len(content) <= 11
    assert took < 13


def test_a_slow_client_that_makes_progress_may_take_its_time():
    pieces = [b"x" * (PROGRESS_BYTES // 4)] * 40
    content, error, took = received(Sender(*pieces, pause=2))
    assert (len(content), error) == (PROGRESS_BYTES * 10, None)
    assert took == pytest.approx(80)


def test_time_that_we_take_is_not_the_clients():
    """A store that needs longer than the deadline for a piece does not make the client a stalled one."""
    content, error, _ = received(Sender(*[b"x" * 10] * 5, pause=0.5), consume=30)
    assert (len(content), error) == (50, None)


@pytest.mark.parametrize("sent", [(), (b"one", b"two")])
def test_a_client_that_goes_has_not_finished(sent):
    content, error, _ = received(Sender(*sent, end={"type": "http.disconnect"}))
    assert (content, error) == (b"".join(sent), ClientGone)


def test_a_whole_body_is_joined():
    assert run(whole(Sender(b"one", b"two"), 10, 6))[0] == b"onetwo"
    assert run(whole(Sender(), 10, 0))[0] == b""


def test_a_body_over_the_limit_is_refused_before_it_is_read_to_its_end():
    sender = Sender(*[b"x" * 100] * 50)
    with pytest.raises(ManifestTooLarge) as raised:
        run(whole(sender, 10, 250))
    assert raised.value.detail == {"limit": 250}
    assert len(sender.left) == 47


def test_a_whole_body_that_breaks_off_is_none():
    with pytest.raises(ClientGone):
        run(whole(Sender(b"one", end={"type": "http.disconnect"}), 10, 100))
    with pytest.raises(ClientStalled):
        run(whole(Sender(b"one", end=None), 10, 100))
