# SPDX-License-Identifier: Apache-2.0
"""Repositories: the list that is the first page, and the page of one with its tags."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant
from wharfinger.console import commands
from wharfinger.console.calls import Call, View
from wharfinger.console.commands import Command
from wharfinger.console.kinds import Kind, kind_of
from wharfinger.console.listing import listing
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import ManifestUnknown, QueryInvalid
from wharfinger.domain.names import TagName
from wharfinger.web.access import OnRepository

TAGS_PAGE: Final = 50
TAGS_SHOWN: Final = 2_000
"""How far back the pages of tags go; each costs what all before it cost, and nobody reads so far."""
_SHORT: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRow:
    """A tag as the table shows it."""

    name: TagName
    digest: Digest
    kind: Kind
    size: int
    moved_at: Instant
    pull: str

    @property
    def short_digest(self) -> str:
        """The digest's first figures, which are enough to tell two apart by eye."""
        return self.digest.partition(":")[2][:_SHORT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The tag whose commands are shown."""

    row: TagRow
    by_tag: Sequence[Command]
    by_digest: Sequence[Command]


async def show_list(call: Call) -> View:
    """Show what is in the registry, and how to push to it."""
    person = call.guest.session
    image = "hello" if person is None else f"{person.name}/hello"
    return View(
        template="repositories/list.html",
        values={"listing": await listing(call), "push": commands.push(call.address, image, image="hello")},
    )


async def show_one(call: Call) -> View:
    """Show a repository: its tags, the newest first, and how to pull one of them."""
    start = _start(call)
    end = start + TAGS_PAGE
    summary = await call.services.repositories.summary(call.registry, call.name)
    newest = await _newest(call, end + 1)
    more = len(newest) > end
    return View(
        template="repositories/one.html",
        values={
            "repository": summary,
            "tags": newest[start:end],
            "newer": max(start - TAGS_PAGE, 0) if start else None,
            "older": end if more and end < TAGS_SHOWN else None,
            "cut": more and end >= TAGS_SHOWN,
            "chosen": await _choose(call, newest[start:end]),
            "push": commands.push(call.address, call.name, image=call.name.rpartition("/")[2]),
        },
    )


async def _newest(call: Call, limit: int) -> Sequence[TagRow]:
    """Return the tags that moved last, as the table shows them."""
    rows = []
    for tag in await call.services.tags.summaries(call.registry, call.name, limit):
        kind = kind_of(tag.media_type, tag.artifact_type)
        row = TagRow(
            name=tag.name,
            digest=tag.digest,
            kind=kind,
            size=tag.size,
            moved_at=tag.moved_at,
            pull=commands.pull(call.address, call.name, tag.name, kind)[0].line,
        )
        rows.append(row)
    return rows


async def _choose(call: Call, shown: Sequence[TagRow]) -> Chosen | None:
    """Return the tag that the visitor asked for, or the newest of the page.

    Raises:
        ManifestUnknown: the repository has no such tag among those that its pages show.
    """
    wanted = call.query.get("tag")
    if wanted is None:
        return _chosen(call, shown[0]) if shown else None
    found = next((row for row in shown if row.name == wanted), None)
    if found is None:  # pushes since have moved it to another page
        found = next((row for row in await _newest(call, TAGS_SHOWN) if row.name == wanted), None)
    if found is None:
        message = f"There is no tag {wanted[:128]!r} in the repository {call.name!r}."
        raise ManifestUnknown(message)
    return _chosen(call, found)


def _chosen(call: Call, row: TagRow) -> Chosen:
    return Chosen(
        row=row,
        by_tag=commands.pull(call.address, call.name, row.name, row.kind),
        by_digest=commands.pull(call.address, call.name, row.digest, row.kind),
    )


def _start(call: Call) -> int:
    """Return the number of newer tags that the page leaves out."""
    text = call.query.get("from", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(TAGS_SHOWN)) and int(text) < TAGS_SHOWN):
        message = f"`from` must be a whole number below {TAGS_SHOWN}."
        raise QueryInvalid(message)
    return int(text)


ROUTES: Final = (
    Route("GET", "/", OnRepository(Action.LIST), show_list),
    Route("GET", "/repositories/{name}", OnRepository(Action.PULL), show_one),
)
