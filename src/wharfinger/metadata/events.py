# SPDX-License-Identifier: Apache-2.0
"""Rows of events: written in the transaction of the change they tell of, never changed, and read by who may."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, true

from wharfinger.clock import Instant
from wharfinger.domain.audit import AuditEvent, AuditFilter, AuditSight
from wharfinger.domain.events import Event, EventAction, Result
from wharfinger.domain.identity import Actor
from wharfinger.metadata.account_tables import accounts
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.schema import events, namespaces, repositories

_MAX_USER_AGENT: Final = 256
_COLUMNS: Final = tuple(column.name for column in events.c if column.name != "id")
_RECORD: Final = Statement(lambda insert: insert(events).returning(events.c.id), columns=_COLUMNS)


def record(connection: Connection, registry_id: int | None, event: Event, by: Actor, at: Instant) -> int:
    """Append one event and return its id; what concerns the whole deployment has no registry."""
    (row,) = _RECORD.rows(
        connection,
        at=at,
        action=event.action.value,
        result=event.result.value,
        count=event.count,
        registry_id=registry_id,
        repository_id=event.repository_id,
        repository=event.repository,
        target=event.target,
        about_id=event.about_id,
        tag=event.tag,
        digest=event.digest,
        previous_digest=event.previous,
        media_type=event.media_type,
        size=event.size,
        principal=by.principal.name,
        account_id=by.principal.account_id,
        credential_id=by.principal.credential_id if by.credential_id is None else by.credential_id,
        client_address=by.client_address,
        request_id=by.request_id,
        user_agent=None if by.user_agent is None else by.user_agent[:_MAX_USER_AGENT],
        detail=event.detail,
    )
    return int(row[0])


def newest(
    connection: Connection, wanted: AuditFilter, sight: AuditSight, before: int | None, limit: int
) -> Sequence[AuditEvent]:
    """Return events before the one of an id, the newest first."""
    conditions = [*_fulfil(wanted), _seen(sight)]
    if before is not None:
        conditions.append(events.c.id < before)
    return _read(connection, conditions, events.c.id.desc(), limit)


def oldest(
    connection: Connection, wanted: AuditFilter, sight: AuditSight, after: int, limit: int
) -> Sequence[AuditEvent]:
    """Return events after the one of an id, the oldest first."""
    return _read(connection, [*_fulfil(wanted), _seen(sight), events.c.id > after], events.c.id.asc(), limit)


def _read(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], order: ColumnElement[int], limit: int
) -> Sequence[AuditEvent]:
    statement = select(*_SHOWN).where(and_(*conditions)).order_by(order).limit(limit)
    return [_event(row) for row in connection.execute(statement)]


def _fulfil(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    equal = {
        events.c.principal: wanted.who,
        events.c.credential_id: wanted.credential_id,
        events.c.repository: wanted.repository,
        events.c.target: wanted.target,
        events.c.result: None if wanted.result is None else wanted.result.value,
    }
    found: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if wanted.actions:
        found.append(events.c.action.in_([action.value for action in wanted.actions]))
    if wanted.since is not None:
        found.append(events.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(events.c.at < wanted.until)
    return found


def _seen(sight: AuditSight) -> ColumnElement[bool]:
    """Return the condition that somebody may see an event; a sight of nothing in particular shows nothing."""
    if sight.everything:
        return true()
    seen: list[ColumnElement[bool]] = []
    if sight.account_id is not None:  # compared with nothing, a column would be asked whether it is empty
        robots = accounts.c.organization_id == sight.account_id
        own = select(accounts.c.id).where(or_(accounts.c.id == sight.account_id, robots))
        owned = (
            select(repositories.c.id)
            .join(namespaces, namespaces.c.id == repositories.c.namespace_id)
            .where(namespaces.c.owner_id == sight.account_id)
        )
        seen += [events.c.about_id.in_(own), events.c.repository_id.in_(owned)]
    if sight.repository_id is not None:
        seen.append(events.c.repository_id == sight.repository_id)
    return or_(false(), *seen)


_NAMES: Final = {"who": "principal"}
"""Columns that are called otherwise in `AuditEvent`."""
_SHOWN: Final = tuple(events.c[_NAMES.get(name, name)] for name in AuditEvent.__dataclass_fields__)


def _event(row: Row) -> AuditEvent:
    values = dict(zip(AuditEvent.__dataclass_fields__, row, strict=True))
    values["action"] = EventAction(values["action"])
    values["result"] = Result(values["result"])
    return AuditEvent(**values)
