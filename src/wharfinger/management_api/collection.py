# SPDX-License-Identifier: Apache-2.0
"""Collection: what waits and why, what will be freed when, a round now; and what a deletion would free."""

from datetime import datetime
from typing import Final

from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.trash import Trashed
from wharfinger.management_api.calls import Call, Managing, OnRepository
from wharfinger.management_api.fields import DigestPath, RepositoryPath, Shown, TagPath, moment, time_of
from wharfinger.management_api.routing import Calling, Route


class Waiting(Shown):
    """How much of one kind waits to be looked at."""

    kind: str
    """`manifest`, `blob`, or `burial`: bytes that are to be removed."""
    waiting: int
    due: int
    """How many could be looked at now."""
    failing: int
    """How many were tried before, and could not be brought to an end."""
    size: int
    """Of burials, the bytes."""


class Upcoming(Shown):
    """What will be freed on one day, unless somebody restores or pushes it until then."""

    day: datetime
    blobs: int
    size: int


class Noted(Shown):
    """One of the things that wait."""

    what: str
    noted: str
    """Why it waits."""
    kept: bool
    """Whether it would stay, if it were looked at now."""
    reason: str


class CollectionOutlook(Shown):
    """What collection has before it, in the whole deployment."""

    standing_still: str | None
    """Why nothing is collected now, if that is so."""
    waiting: list[Waiting]
    repositories: int
    """How many repositories are in the trash."""
    upcoming: list[Upcoming]
    more: bool
    """Whether there is more in the trash than was weighed here."""
    newest: list[Noted]
    """What was noted last."""


class CollectionRound(Shown):
    """What a round did."""

    steps: int
    """How much in all: 0 when nothing is due any more."""
    looked_at: int
    manifests: int
    blobs: int
    repositories: int
    failed: int
    """How many are tried again later; the log says why."""
    freed: int
    """Bytes that were removed. Those of blobs that go now are removed in an hour, for reads that began before."""
    standing_still: str | None
    """Why nothing is collected now, if that is so."""


class Savings(Shown):
    """What a deletion would free."""

    manifests: int
    blobs: int
    unique: int
    """Bytes of blobs that nothing else needs."""
    shared: int
    """Bytes of blobs that stay, because something else needs them too."""
    at: datetime | None
    """When they would go at the earliest; nothing if nothing goes."""
    kept: str | None
    """Why nothing would go."""


async def read_collection(call: Calling) -> CollectionOutlook:
    """Show what waits to be looked at and why, and what will be freed when."""
    found = await call.services.outlooks.get()
    return CollectionOutlook(
        standing_still=call.services.reviews.standing_still(),
        waiting=[
            Waiting(kind=one.kind, waiting=one.waiting, due=one.due, failing=one.failing, size=one.size)
            for one in found.waiting
        ],
        repositories=found.repositories,
        upcoming=[Upcoming(day=time_of(one.at), blobs=one.blobs, size=one.size) for one in found.upcoming],
        more=found.more,
        newest=[
            Noted(what=one.what, noted=one.noted, kept=one.verdict.kept, reason=one.verdict.reason)
            for one in found.newest
        ],
    )


async def run_round(call: Calling) -> CollectionRound:
    """Look at one batch of what is due, and remove what nothing needs. Ask again until `steps` is 0."""
    done = await call.services.rounds.run()
    return CollectionRound(
        steps=done.steps,
        looked_at=done.looked_at,
        manifests=done.manifests,
        blobs=done.blobs,
        repositories=done.repositories,
        failed=done.failed,
        freed=done.freed,
        standing_still=done.standing_still,
    )


async def read_savings(call: Calling, name: RepositoryPath) -> Savings:
    """Say how many bytes deleting a repository would free, and when. Nothing is deleted."""
    return await _savings(call, Trashed(repository=RepositoryName(name)))


async def read_savings_of_tag(call: Calling, name: RepositoryPath, tag: TagPath) -> Savings:
    """Say how many bytes deleting a tag would free, and when. Nothing is deleted."""
    return await _savings(call, Trashed(repository=RepositoryName(name), tag=TagName(tag)))


async def read_savings_of_manifest(call: Calling, name: RepositoryPath, digest: DigestPath) -> Savings:
    """Say how many bytes deleting a manifest would free, and when. Nothing is deleted."""
    return await _savings(call, Trashed(repository=RepositoryName(name), digest=Digest(digest)))


async def _savings(call: Call, what: Trashed) -> Savings:
    found = await call.services.outlooks.plan(call.registry, what)
    return Savings(
        manifests=found.manifests,
        blobs=found.blobs,
        unique=found.unique,
        shared=found.shared,
        at=moment(found.at),
        kept=found.kept,
    )


_DELETE: Final = OnRepository(Action.DELETE)
_REPOSITORY: Final = "/repositories/{name:path}/-"
ROUTES: Final = (
    Route("GET", "/collection", Managing(Task.READ, Target.DEPLOYMENT), read_collection),
    Route("POST", "/collection/rounds", Managing(Task.MANAGE, Target.DEPLOYMENT), run_round, conflicts=True),
    Route("GET", _REPOSITORY + "/savings", _DELETE, read_savings),
    Route("GET", _REPOSITORY + "/tags/{tag}/savings", _DELETE, read_savings_of_tag),
    Route("GET", _REPOSITORY + "/manifests/{digest}/savings", _DELETE, read_savings_of_manifest),
)
