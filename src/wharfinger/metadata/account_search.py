# SPDX-License-Identifier: Apache-2.0
"""Which people, organizations and teams are found by a part of their name, as far as somebody may see them (ADR 0040).

What the statement says of who sees whom is what `domain.management` decides; a test holds the two equal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, exists, func, literal, or_, select, union_all

from wharfinger.domain.accounts import AccountKind
from wharfinger.domain.search import SearchQuery
from wharfinger.metadata.account_tables import accounts, memberships, teams
from wharfinger.metadata.standing import is_unproved
from wharfinger.metadata.tables import INTEGER, TEXT

TEAM = "team"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSight:
    """Whom somebody sees.

    Args:
        proof: the parameters that say who asks (`standing.proof_of`).
        everybody: whether it sees all accounts; otherwise itself, organizations, and teams of its own.
        teams: whether it may read of teams at all.
    """

    proof: Mapping[str, object]
    everybody: bool
    teams: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAccount:
    """Somebody, or several, whose name has every word.

    Args:
        kind: `user`, `organization` or `team`.
        name: of the account; of a team, with its organization before a slash.
        display_name: as people read it; of a team, what it is for.
    """

    kind: str
    name: str
    display_name: str | None


def find(connection: Connection, query: SearchQuery, limit: int, sight: AccountSight) -> Sequence[FoundAccount]:
    """Return those whose names have every word of the query: the exact name, beginnings, then by name."""
    if not query.words or query.tag_words or query.labels:
        return ()
    me, everybody = bindparam("account_id", type_=INTEGER), literal(int(sight.everybody), INTEGER)
    people = select(accounts.c.kind, accounts.c.name, accounts.c.display_name).where(
        accounts.c.deleted_at.is_(None),
        or_(
            accounts.c.kind == AccountKind.ORGANIZATION.value,
            and_(accounts.c.kind == AccountKind.USER.value, or_(everybody == 1, accounts.c.id == me)),
        ),
    )
    name = accounts.c.name + literal("/", TEXT) + teams.c.name
    is_member = exists().where(memberships.c.organization_id == accounts.c.id, memberships.c.user_id == me)
    own = select(literal(TEAM, TEXT), name, teams.c.description).where(
        teams.c.organization_id == accounts.c.id,
        accounts.c.deleted_at.is_(None),
        literal(int(sight.teams), INTEGER) == 1,
        or_(everybody == 1, and_(is_member, ~is_unproved(accounts))),
    )
    found = union_all(people, own).subquery("found")
    named, called = found.c.name, func.lower(func.coalesce(found.c.display_name, ""))
    first = query.words[0]
    rank = case((named == first, 0), (named.startswith(first, autoescape=True), 1), else_=2)
    statement = (
        select(found.c.kind, named, found.c.display_name)
        .where(*(_has(word, named, called) for word in query.words))
        .order_by(rank, named)
        .limit(limit)
    )
    return [
        FoundAccount(kind=kind, name=text, display_name=display_name)
        for kind, text, display_name in connection.execute(statement, dict(sight.proof))
    ]


def _has(word: str, *texts: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(*(text.contains(word, autoescape=True) for text in texts))
