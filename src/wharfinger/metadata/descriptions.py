# SPDX-License-Identifier: Apache-2.0
"""Rows of full descriptions."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ClauseElement, Connection, bindparam, delete, select

from wharfinger.clock import Instant
from wharfinger.metadata.account_tables import accounts
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.page_tables import descriptions
from wharfinger.metadata.search import index


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A full description.

    Args:
        text: Markdown, as it was written; never empty.
        changed_at: when it was written last.
        changed_by: the name of the account that did; nothing without accounts.
    """

    text: str
    changed_at: Instant
    changed_by: str | None


def _put(insert: InsertInto) -> ClauseElement:
    statement = insert(descriptions)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=["repository_id"],
        set_={name: statement.excluded[name] for name in ("text", "changed_at", "changed_by")},
    )
    return upsert


_PUT: Final = Statement(_put, columns=("repository_id", "text", "changed_at", "changed_by"))
_FIND: Final = Statement(
    select(descriptions.c.text, descriptions.c.changed_at, accounts.c.name)
    .outerjoin(accounts, accounts.c.id == descriptions.c.changed_by)
    .where(descriptions.c.repository_id == bindparam("repository"))
)


def find(connection: Connection, repository_id: int) -> Description | None:
    """Return the full description of a repository; nothing if it has none."""
    row = _FIND.first(connection, repository=repository_id)
    return None if row is None else Description(text=row[0], changed_at=Instant(row[1]), changed_by=row[2])


def put(connection: Connection, repository_id: int, text: str, by: int | None, now: Instant) -> None:
    """Set the full description of a repository, or take it away if the text is empty."""
    if text:
        _PUT.count(connection, repository_id=repository_id, text=text, changed_at=now, changed_by=by)
    else:
        connection.execute(delete(descriptions).where(descriptions.c.repository_id == repository_id))
    index(connection, repository_id)
