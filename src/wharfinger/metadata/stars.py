# SPDX-License-Identifier: Apache-2.0
"""Rows of stars: which account marked which repository."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, select

from wharfinger.clock import Instant
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.database import Statement
from wharfinger.metadata.page_tables import stars
from wharfinger.metadata.schema import repositories
from wharfinger.metadata.standing import Sight, visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Star:
    """A repository that somebody marked, and when."""

    repository: RepositoryName
    at: Instant


def _build_list(*conditions: ColumnElement[bool]) -> Select[tuple[str, int]]:
    return (
        select(repositories.c.name, stars.c.at)
        .join(repositories, repositories.c.id == stars.c.repository_id)
        .where(
            stars.c.account_id == bindparam("whose"),
            repositories.c.registry_id == bindparam("registry"),
            repositories.c.deleted_at.is_(None),
            repositories.c.listed_at.is_not(None),
            repositories.c.name > bindparam("last"),
            *conditions,
        )
        .order_by(repositories.c.name)
        .limit(bindparam("most"))
    )


_PUT: Final = Statement(
    lambda insert: insert(stars).on_conflict_do_nothing(), columns=("account_id", "repository_id", "at")
)
_COUNT: Final = Statement(
    select(func.count()).select_from(stars).where(stars.c.repository_id == bindparam("repository"))
)
_FIND: Final = Statement(
    select(stars.c.at).where(
        stars.c.account_id == bindparam("account"), stars.c.repository_id == bindparam("repository")
    )
)
_LIST: Final = Statement(_build_list())
_LIST_VISIBLE: Final = Statement(_build_list(visible))


def put(connection: Connection, account_id: int, repository_id: int, now: Instant) -> None:
    """Mark a repository; one that is marked keeps its time."""
    _PUT.count(connection, account_id=account_id, repository_id=repository_id, at=now)


def remove(connection: Connection, account_id: int, repository_id: int) -> None:
    """Take the mark away, if there is one."""
    connection.execute(delete(stars).where(stars.c.account_id == account_id, stars.c.repository_id == repository_id))


def count(connection: Connection, repository_id: int) -> int:
    """Return how many accounts marked the repository."""
    (found,) = _COUNT.first(connection, repository=repository_id) or (0,)
    return int(found)


def has(connection: Connection, account_id: int, repository_id: int) -> bool:
    """Say whether the account marked the repository."""
    return _FIND.first(connection, account=account_id, repository=repository_id) is not None


def of_account(
    connection: Connection, registry_id: int, account_id: int, last: str | None, limit: int, sight: Sight
) -> Sequence[Star]:
    """Return the marked repositories of a registry after `last`, by the bytes of their names, as far as one sees."""
    wanted: dict[str, object] = {"whose": account_id, "registry": registry_id, "last": last or "", "most": limit}
    rows = _LIST.rows(connection, **wanted) if sight is None else _LIST_VISIBLE.rows(connection, **wanted, **sight)
    return [Star(repository=RepositoryName(name), at=Instant(at)) for name, at in rows]
