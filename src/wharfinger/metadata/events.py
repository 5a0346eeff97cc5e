# SPDX-License-Identifier: Apache-2.0
"""Rows of events: written in the transaction of the change they tell of, and never changed."""

from typing import Final

from sqlalchemy import Connection

from wharfinger.clock import Instant
from wharfinger.domain.events import Event
from wharfinger.domain.identity import Actor
from wharfinger.metadata.database import Statement
from wharfinger.metadata.schema import events

_MAX_USER_AGENT: Final = 256
_COLUMNS: Final = tuple(column.name for column in events.c if column.name != "id")
_RECORD: Final = Statement(lambda insert: insert(events).returning(events.c.id), columns=_COLUMNS)


def record(connection: Connection, registry_id: int | None, event: Event, by: Actor, at: Instant) -> int:
    """Append one event and return its id; what concerns the whole deployment has no registry."""
    (row,) = _RECORD.rows(
        connection,
        at=at,
        action=event.action.value,
        registry_id=registry_id,
        repository_id=event.repository_id,
        repository=event.repository,
        target=event.target,
        tag=event.tag,
        digest=event.digest,
        previous_digest=event.previous,
        media_type=event.media_type,
        size=event.size,
        principal=by.principal.name,
        account_id=by.principal.account_id,
        credential_id=by.credential_id,
        client_address=by.client_address,
        request_id=by.request_id,
        user_agent=None if by.user_agent is None else by.user_agent[:_MAX_USER_AGENT],
        detail=event.detail,
    )
    return int(row[0])
