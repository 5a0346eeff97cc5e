# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what, and what was refused; for managers, for owners, and for admins of a repository."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import Field

from wharfinger.domain.access import Action
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.audit import (
    WHOLE_LOG,
    AuditEvent,
    AuditFilter,
    AuditSight,
    ExportFormat,
    parse_actions,
    parse_moment,
)
from wharfinger.domain.events import EventAction, Result
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.management_api.calls import LONGEST_ID, Call, Managing, OnRepository
from wharfinger.management_api.fields import (
    AfterNumber,
    KnownRepository,
    Moment,
    OneLine,
    OrganizationPath,
    RepositoryPath,
    Shown,
    Size,
    checked,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route


class Event(Shown):
    """Something that was done, or refused."""

    id: int
    at: datetime
    action: EventAction
    result: Result
    count: int
    """How often; refusals of the same kind are gathered."""
    who: str
    credential_id: int | None
    repository: str | None
    target: str | None
    """To whom or what else."""
    tag: str | None
    digest: str | None
    previous_digest: str | None
    client_address: str | None
    request_id: str | None
    user_agent: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which events are asked for."""

    wanted: AuditFilter


Text = Annotated[OneLine | None, Query(max_length=300)]


async def _read_filter(
    *,
    who: Annotated[Text, Query(description="The name of who did it, or wanted to.")] = None,
    credential: Annotated[int | None, Query(ge=1, le=LONGEST_ID, description="With which credential.")] = None,
    action: Annotated[
        Annotated[str, Field(max_length=60, examples=["tag.deleted"]), checked(parse_actions)] | None,
        Query(description="What happened: `tag.deleted`, or `tag` for everything about tags."),
    ] = None,
    repository: Annotated[KnownRepository | None, Query(description="In which repository.")] = None,
    target: Annotated[Text, Query(description="To whom or what else, as the event names it.")] = None,
    result: Annotated[Result | None, Query(description="Whether it was done or refused.")] = None,
    since: Annotated[Moment | None, Query(description="Not before this time: a day, or RFC 3339.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
) -> _Filter:
    wanted = AuditFilter(
        who=who,
        credential_id=credential,
        actions=() if action is None else parse_actions(action),
        repository=None if repository is None else RepositoryName(repository),
        target=target,
        result=result,
        since=None if since is None else parse_moment(since),
        until=None if until is None else parse_moment(until),
    )
    return _Filter(wanted)


Filter = Annotated[_Filter, Depends(_read_filter)]


async def list_events(call: Calling, which: Filter, size: Size = PAGE, last: AfterNumber = None) -> Page[Event]:
    """List the events of the whole deployment, the newest first."""
    return await _list(call, which, WHOLE_LOG, size, last)


async def export_events(
    call: Calling,
    which: Filter,
    format: Annotated[  # noqa: A002 - what the parameter is called
        ExportFormat, Query(description="`jsonl` for lines of JSON, or `csv`.")
    ] = ExportFormat.JSON_LINES,
) -> None:
    """Return all events of the deployment that are asked for, the oldest first, in one answer."""
    call.stream = call.services.audit.export(which.wanted, WHOLE_LOG, format)
    call.headers["Content-Type"] = _TYPES[format]
    call.headers["Content-Disposition"] = f'attachment; filename="events.{format.value}"'


async def list_events_of_organization(
    call: Calling, organization: OrganizationPath, which: Filter, size: Size = PAGE, last: AfterNumber = None
) -> Page[Event]:
    """List the events of an organization: of its members, teams, robots, namespaces and their repositories."""
    sight = await call.services.audit.of_organization(AccountName(organization))
    return await _list(call, which, sight, size, last)


async def list_events_of_repository(
    call: Calling, name: RepositoryPath, which: Filter, size: Size = PAGE, last: AfterNumber = None
) -> Page[Event]:
    """List the events of a repository, the newest first."""
    sight = await call.services.audit.of_repository(call.registry, RepositoryName(name))
    return await _list(call, which, sight, size, last)


async def _list(call: Call, which: _Filter, sight: AuditSight, size: int, last: int | None) -> Page[Event]:
    found = await call.services.audit.list(which.wanted, sight, before=last, limit=size)
    return page(call, found, key=lambda one: one.id, show=_show)


def _show(one: AuditEvent) -> Event:
    return Event(
        id=one.id,
        at=time_of(one.at),
        action=one.action,
        result=one.result,
        count=one.count,
        who=one.who,
        credential_id=one.credential_id,
        repository=one.repository,
        target=one.target,
        tag=one.tag,
        digest=one.digest,
        previous_digest=one.previous_digest,
        client_address=one.client_address,
        request_id=one.request_id,
        user_agent=one.user_agent,
        detail=one.detail,
    )


_TYPES: Final = {ExportFormat.JSON_LINES: "application/jsonl", ExportFormat.CSV: "text/csv; charset=utf-8"}
_READ: Final = Managing(Task.READ, Target.DEPLOYMENT)
ROUTES: Final = (
    Route("GET", "/events", _READ, list_events),
    Route("GET", "/events/export", _READ, export_events, media_types=("application/jsonl", "text/csv")),
    Route(
        "GET",
        "/organizations/{organization}/events",
        Managing(Task.INSPECT, Target.ORGANIZATION),
        list_events_of_organization,
    ),
    Route("GET", "/repositories/{name:path}/-/events", OnRepository(Action.ADMINISTER), list_events_of_repository),
)
