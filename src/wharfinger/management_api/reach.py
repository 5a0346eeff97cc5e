# SPDX-License-Identifier: Apache-2.0
"""Who reaches a repository, and what was done to it, as its page tells."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.access import Action, Visibility
from wharfinger.domain.audit import ACTIVITY, AuditEvent, AuditFilter
from wharfinger.domain.events import EventAction, Result
from wharfinger.domain.grants import word_of
from wharfinger.domain.names import RepositoryName
from wharfinger.management_api.calls import OnRepository
from wharfinger.management_api.fields import AfterNumber, RepositoryPath, Shown, Size, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.reach import Way


class Reacher(Shown):
    """Somebody who was given something."""

    subject: Annotated[str, Field(examples=["ann", "acme/builders", "acme+ci"])]
    """A user, a robot or a team; of members, the organization."""
    role: Annotated[str, Field(examples=["write"])]
    way: Way
    """By what: a role on the repository, its namespace, the registry or the deployment; as owner of the namespace, or
    as member of the organization that owns it."""
    counts: bool
    """Whether it reaches the repository as things are: what the namespace gives does only where it inherits."""


class Trusted(Shown):
    """A trust rule by which workloads reach a repository."""

    number: Annotated[int, Field(examples=[3])]
    name: str
    issuer: str
    role: Annotated[str, Field(examples=["write"])]
    way: Way
    """Where the rule is: `repository`, `namespace` or `registry`."""
    counts: bool
    """Whether it reaches the repository as things are. One on the namespace does where that inherits, or where a
    workload made the repository by this rule; one that is for linked sources where a source is linked."""
    linked: bool
    """Whether it lets in only workloads of the linked source."""


class Reach(Shown):
    """Who reaches a repository."""

    visibility: Visibility
    inherits: bool
    namespace: str | None
    owner: str | None
    """The user or the organization that the namespace belongs to."""
    people: list[Reacher]
    trust: list[Trusted]
    """By which rules workloads come in: CI jobs, and programs in clusters."""
    is_cut: bool
    """Whether some were left out, because there are more than 500 of one way."""


class Activity(Shown):
    """Something that was done to a repository."""

    id: int
    at: datetime
    action: EventAction
    who: str
    tag: str | None
    digest: str | None
    previous_digest: str | None
    detail: str | None


async def read_people(call: Calling, name: RepositoryPath) -> Reach:
    """Show who reaches a repository, with which role, and by what."""
    found = await call.services.reaches.of_repository(call.registry, RepositoryName(name))
    people = [
        Reacher(subject=str(one.subject), role=word_of(one.role), way=one.way, counts=one.counts)
        for one in found.people
    ]
    return Reach(
        visibility=found.visibility,
        inherits=found.inherits,
        namespace=found.namespace,
        owner=found.owner,
        people=people,
        trust=[
            Trusted(
                number=one.rule.id,
                name=one.rule.name,
                issuer=one.rule.issuer,
                role=word_of(one.rule.role),
                way=one.way,
                counts=one.counts,
                linked=one.rule.source is not None,
            )
            for one in found.trusted
        ],
        is_cut=found.is_cut,
    )


async def list_activity(
    call: Calling, name: RepositoryPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[Activity]:
    """List what was done to a repository and its content, the newest first, as far as its readers may know.

    Who was given which role, what was refused, and from where, is in its events, which are for its admins.
    """
    sight = await call.services.audit.of_repository(call.registry, RepositoryName(name))
    wanted = AuditFilter(actions=ACTIVITY, result=Result.DONE)
    found = await call.services.audit.list(wanted, sight, before=last, limit=size)
    return page(call, found, key=lambda one: one.id, show=_show)


def _show(one: AuditEvent) -> Activity:
    return Activity(
        id=one.id,
        at=time_of(one.at),
        action=one.action,
        who=one.who,
        tag=one.tag,
        digest=one.digest,
        previous_digest=one.previous_digest,
        detail=one.detail,
    )


ROUTES: Final = (
    Route("GET", "/repositories/{name:path}/-/people", OnRepository(Action.ADMINISTER), read_people),
    Route("GET", "/repositories/{name:path}/-/activity", OnRepository(Action.PULL), list_activity),
)
