# SPDX-License-Identifier: Apache-2.0
"""A door that waits until somebody comes to it."""

import asyncio
import threading

import pytest
from starlette.responses import Response

from wharfinger.domain.errors import EndpointUnknown
from wharfinger.web.late import LateDoor


class Page:
    """A door that answers with a word of its own for each of its methods."""

    async def answer(self, *_):
        return Response("answer")

    def refusal(self, *_):
        return Response("refusal")

    def failure(self, *_):
        return Response("failure")


@pytest.fixture
def loads():
    """Return the threads in which the door was loaded."""
    return []


@pytest.fixture
def door(loads):
    def load():
        loads.append(threading.current_thread())
        return Page()

    return LateDoor(load)


def test_it_is_loaded_once_for_all_who_come_at_the_same_time_and_never_on_the_loop(door, loads):
    async def main():
        return await asyncio.gather(*(door.answer({}, None, None) for _ in range(5)))

    assert loads == []
    assert {answer.body for answer in asyncio.run(main())} == {b"answer"}
    assert len(loads) == 1
    assert loads[0] is not threading.current_thread()


def test_it_refuses_and_fails_in_the_words_of_the_door_before_anybody_came(door, loads):
    assert door.refusal(EndpointUnknown("x"), None).body == b"refusal"
    assert door.failure("1").body == b"failure"
    assert len(loads) == 1
