# SPDX-License-Identifier: Apache-2.0
"""What this is, and what its problems mean."""

from typing import Annotated, Final

from fastapi import Path

import wharfinger
from wharfinger.domain.errors import EndpointUnknown
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api import problems
from wharfinger.management_api.calls import EVERYBODY, SIGNED_IN
from wharfinger.management_api.fields import Shown
from wharfinger.management_api.routing import Calling, Route


class Version(Shown):
    """What runs here."""

    version: str


class Meaning(Shown):
    """What a problem means."""

    name: str
    status: int
    meaning: str


class Meanings(Shown):
    """Every problem that an answer can have as its `type`."""

    items: list[Meaning]


async def read_description(call: Calling) -> dict[str, object]:  # noqa: ARG001 - answered by the door, which has it
    """Return this description."""
    return {}


async def read_version(call: Calling) -> Version:  # noqa: ARG001 - every handler takes it
    """Say which version runs here."""
    return Version(version=wharfinger.__version__)


async def list_problems(call: Calling) -> Meanings:  # noqa: ARG001 - every handler takes it
    """List every problem that an answer can have as its `type`."""
    found = problems.meanings().items()
    return Meanings(items=[Meaning(name=name, status=status, meaning=text) for name, (status, text) in found])


async def read_problem(
    call: Calling,  # noqa: ARG001 - every handler takes it
    problem: Annotated[str, Path(description="The last part of a problem's `type`.", examples=["account-unknown"])],
) -> Meaning:
    """Say what a problem means."""
    try:
        status, text = problems.meanings()[problem]
    except KeyError:
        message = Sentence("There is no such problem.")
        raise EndpointUnknown(message) from None
    return Meaning(name=problem, status=status, meaning=text)


ROUTES: Final = (
    Route("GET", "/openapi.json", EVERYBODY, read_description),
    Route("GET", "/version", SIGNED_IN, read_version),
    Route("GET", "/problems", EVERYBODY, list_problems),
    Route("GET", "/problems/{problem}", EVERYBODY, read_problem),
)
