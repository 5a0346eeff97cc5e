# SPDX-License-Identifier: Apache-2.0
"""The entries of an inventory, put back into the rows of a registry that is being opened.

Putting entries in twice changes nothing: a process that dies on the way is followed by one that begins anew.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ClauseElement, Connection, Select, bindparam, exists, func, insert, literal, select
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError

from wharfinger.clock import Instant
from wharfinger.domain.content import parse_kinds, text_of
from wharfinger.domain.digests import parse_digest
from wharfinger.domain.errors import WharfingerError
from wharfinger.domain.inventories import Inventory, InventoryUnfit
from wharfinger.domain.names import namespace_of, parse_repository_name, parse_tag
from wharfinger.metadata import descriptions, queues, search
from wharfinger.metadata.account_tables import accounts, grants, teams
from wharfinger.metadata.database import InsertInto, Statement, is_transient
from wharfinger.metadata.inventories import MANIFEST, REPOSITORY, RULE, Entry
from wharfinger.metadata.page_tables import stars
from wharfinger.metadata.retention_tables import pulls, retention_policies, retention_rules
from wharfinger.metadata.schema import (
    blobs,
    manifest_references,
    manifests,
    namespaces,
    repositories,
    repository_blobs,
    tag_history,
    tags,
)
from wharfinger.metadata.tables import INTEGER, TEXT

_MOST_PEOPLE: Final = 10_000
"""How many accounts are remembered while they are looked up."""
_NOT_AS_IT_SHOULD_BE: Final = (LookupError, TypeError, ValueError, AttributeError, OverflowError, WharfingerError)
"""What an entry raises whose parts are not what they should be; `ValueError` is also that of bad base64."""
_DO_NOT_FIT: Final = (IntegrityError, DataError, InterfaceError, ProgrammingError)
"""What a database says of values that a column does not take. That it cannot work now, it says otherwise."""
_FLAT: Final = frozenset({"blob", "object", "member", "edge", "step", "pulls"})
"""Entries of nothing but texts and numbers."""


def _once(table: Any, *columns: str) -> Statement:
    """Return the statement that inserts a row, unless it is there."""
    return Statement(lambda insert: insert(table).on_conflict_do_nothing(), columns=columns)


def _chosen(table: Any, columns: Sequence[str], chosen: Select[Any]) -> Statement:
    """Return the statement that inserts what is chosen, unless it is there."""

    def build(insert: InsertInto) -> ClauseElement:
        made: ClauseElement = insert(table).from_select(list(columns), chosen).on_conflict_do_nothing()
        return made

    return Statement(build)


def _number(name: str) -> Any:
    return bindparam(name, type_=INTEGER)


def _text(name: str) -> Any:
    return bindparam(name, type_=TEXT)


_PUT_BLOB: Final = _once(blobs, "registry_id", "digest", "size", "store_key", "state", "created_at", "verified_at")
_PUT_NAMESPACE: Final = _once(
    namespaces, "registry_id", "name", "default_visibility", "kinds_off", "created_at", "owner_id", "created_by"
)
_PUT_REPOSITORY: Final = _once(repositories, "registry_id", "namespace_id", "created_by", *REPOSITORY)
_PUT_MANIFEST: Final = _once(manifests, "repository_id", "content", "pushed_by", *MANIFEST)
_PUT_PULLS: Final = _once(pulls, "repository_id", "what", "day", "count", "last_at")
_PUT_STAR: Final = _once(stars, "account_id", "repository_id", "at")
_PUT_ROLE: Final = _once(
    grants, "account_id", "team_id", "repository_id", "namespace_id", "registry_id", "role", "created_at", "created_by"
)
_PUT_RULES: Final = Statement(
    lambda insert: insert(retention_policies).on_conflict_do_nothing().returning(retention_policies.c.id),
    columns=("repository_id", "namespace_id", "untagged_after", "changed_at", "changed_by"),
)
_JOIN: Final = _chosen(
    repository_blobs,
    ("repository_id", "blob_id", "created_at", "lease_until"),
    select(_number("place"), blobs.c.id, _number("since"), _number("lease")).where(
        blobs.c.registry_id == _number("registry"), blobs.c.digest == _text("member")
    ),
)
_blob_there: Final = (
    select(repository_blobs.c.blob_id)
    .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
    .where(
        repository_blobs.c.repository_id == _number("place"),
        blobs.c.digest == _text("target"),
        _text("leads") == "blob",
    )
    .scalar_subquery()
)
_children: Final = manifests.alias("children")
_child_there: Final = (
    select(_children.c.id)
    .where(
        _children.c.repository_id == _number("place"),
        _children.c.digest == _text("target"),
        _text("leads") == "manifest",
    )
    .scalar_subquery()
)
_EDGE: Final = _chosen(
    manifest_references,
    tuple(column.name for column in manifest_references.c),
    select(
        manifests.c.id, _number("position"), _text("kind"), _text("target"), _text("media_type"), _number("bytes"),
        manifests.c.repository_id, _blob_there, _child_there,
    ).where(manifests.c.repository_id == _number("place"), manifests.c.digest == _text("of")),
)  # fmt: skip
_TAG: Final = _chosen(
    tags,
    ("repository_id", "name", "manifest_id", "moved_at", "moved_by"),
    select(_number("place"), _text("tag"), manifests.c.id, _number("since"), _number("mover")).where(
        manifests.c.repository_id == _number("place"), manifests.c.digest == _text("of")
    ),
)
_known: Final = tag_history.alias("known")
_STEP: Final = _chosen(
    tag_history,
    ("repository_id", "name", "from_digest", "to_digest", "at", "event_id", "principal", "detail"),
    select(
        _number("place"), _text("tag"), _text("was"), _text("became"), _number("moment"), _number("event"),
        _text("mover"), _text("why"),
    ).where(
        # Of one tag, each step is later than the one before it.
        ~exists().where(
            _known.c.repository_id == _number("place"), _known.c.name == _text("tag"), _known.c.at == _number("moment")
        )
    ),
)  # fmt: skip


class Shelves:
    """Puts the entries of an inventory into the rows of a registry that is being opened.

    Args:
        registry_id: which one.
        inventory: whose entries they are.
        event_id: the event that tells of the registry's creation, which the history of tags refers to.
        knows_people: whether this deployment wrote it: then accounts are its own, and roles count.
        now: the time.
        lease: until when a blob that no manifest needs is kept.
    """

    def __init__(
        self, registry_id: int, inventory: Inventory, event_id: int, now: Instant, lease: Instant, *, knows_people: bool
    ) -> None:
        self._registry = registry_id
        self._has_history = inventory.has_history
        self._event = event_id
        self._knows_people = knows_people
        self._now = now
        self._lease = lease
        self._people: dict[tuple[str, int], int | None] = {}
        self.place: tuple[str, str] | None = None
        """The namespace or repository that the next entries belong to: its kind, and its name."""
        self.repositories = 0
        self.roles = 0

    def put(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Put some more entries in, in their order.

        Raises:
            InventoryUnfit: one is of a kind that this version does not know, stands where it cannot, or does not fit.
        """
        try:
            self._put(connection, entries)
        except _NOT_AS_IT_SHOULD_BE as error:
            message = f"an entry of the inventory is not what it should be: {str(error)[:200]}"
            raise InventoryUnfit(message) from error
        except _DO_NOT_FIT as error:
            if is_transient(error):
                raise
            message = f"an entry of the inventory does not fit: {str(error.orig)[:200]}"
            raise InventoryUnfit(message) from error

    def _put(self, connection: Connection, entries: Sequence[Entry]) -> None:
        place = 0 if self.place is None else self._find(connection, *self.place)
        for kind, *values in entries:
            if kind in _FLAT:
                _require_flat(values)
            match kind, values:
                case "blob", [digest, size, key, state, since, verified]:
                    _PUT_BLOB.count(
                        connection, registry_id=self._registry, digest=parse_digest(digest), size=size, store_key=key,
                        state=state, created_at=since, verified_at=verified,
                    )  # fmt: skip
                case "object", [key, size]:
                    queues.bury(connection, self._registry, key, self._now, self._now, size)
                case "namespace", _:
                    place = self._begin_namespace(connection, values)
                case "repository", [known]:
                    place = self._begin_repository(connection, known)
                case _ if self.place is not None and kind in {"retention", "role"}:
                    self._govern(connection, {f"{self.place[0]}_id": place}, kind, values)
                case _ if self.place is not None and self.place[0] == "repository":
                    self._part(connection, place, kind, values)
                case _:
                    message = f"the inventory has {str(kind)[:40]!r} before any repository"
                    raise InventoryUnfit(message)

    def _begin_namespace(self, connection: Connection, values: Sequence[Any]) -> int:
        known = values[0]
        if not isinstance(known, Mapping):  # as in format 1
            known = dict(zip(("name", "default_visibility", "created_at"), values, strict=True))
        self.place = "namespace", parse_repository_name(str(known["name"]))
        _PUT_NAMESPACE.count(
            connection,
            registry_id=self._registry,
            name=known["name"],
            default_visibility=known["default_visibility"],
            kinds_off=text_of(parse_kinds(known.get("kinds_off", ""))),
            created_at=known["created_at"],
            owner_id=self._who(connection, known.get("owner")),
            created_by=self._who(connection, known.get("created_by")),
        )
        return self._find(connection, *self.place)

    def _begin_repository(self, connection: Connection, known: Mapping[str, Any]) -> int:
        name = parse_repository_name(str(known["name"]))
        self.place = "repository", name
        namespace = select(namespaces.c.id).where(
            namespaces.c.registry_id == self._registry, namespaces.c.name == literal(namespace_of(name) or "")
        )
        _PUT_REPOSITORY.count(
            connection,
            registry_id=self._registry,
            namespace_id=connection.execute(namespace).scalar(),
            created_by=self._who(connection, known.get("created_by")),
            **_columns(known, REPOSITORY),
        )
        self.repositories += 1
        place = self._find(connection, *self.place)
        search.index(connection, place)
        return place

    def _find(self, connection: Connection, kind: str, name: str) -> int:
        found = select(func.max(repositories.c.id)).where(
            repositories.c.registry_id == self._registry,
            repositories.c.name == name,
            repositories.c.deleted_at.is_(None),
        )
        if kind == "namespace":
            found = select(func.max(namespaces.c.id)).where(
                namespaces.c.registry_id == self._registry, namespaces.c.name == name
            )
        return int(connection.execute(found).scalar_one())

    def _part(self, connection: Connection, place: int, kind: object, values: Sequence[Any]) -> None:
        """Put in what belongs to a repository."""
        match kind, values:
            case "member", [digest, since]:
                _JOIN.count(
                    connection, place=place, since=since, lease=self._lease, registry=self._registry, member=digest
                )
            case "manifest", [manifest]:
                parse_digest(manifest["digest"])
                _PUT_MANIFEST.count(
                    connection,
                    repository_id=place,
                    content=base64.b64decode(manifest["content"], validate=True),
                    pushed_by=self._who(connection, manifest.get("pushed_by")),
                    **_columns(manifest, MANIFEST),
                )
            case "edge", [of, position, what, target, media_type, size, leads]:
                _EDGE.count(
                    connection, place=place, of=of, position=position, kind=what, target=target, media_type=media_type,
                    bytes=size, leads=leads or "",
                )  # fmt: skip
            case "tag", [name, of, since, *mover]:
                self._tag(connection, place, parse_tag(name), of, since, mover[0] if mover else None)
            case "step", [name, was, became, moment, mover, why]:
                _STEP.count(
                    connection, place=place, tag=parse_tag(name), was=was, became=became, moment=moment,
                    event=self._event, mover=mover, why=why,
                )  # fmt: skip
            case "page", [text, since, *writer]:
                by = self._who(connection, writer[0] if writer else None)
                descriptions.put(connection, place, text, by, since)
            case "pulls", [what, day, count, last]:
                _PUT_PULLS.count(connection, repository_id=place, what=what, day=day, count=count, last_at=last)
            case "star", [who, at]:
                account = self._who(connection, who)
                if account is not None:
                    _PUT_STAR.count(connection, account_id=account, repository_id=place, at=at)
            case _:
                message = f"the inventory has {str(kind)[:40]!r}, which this version does not know"
                raise InventoryUnfit(message)

    def _tag(self, connection: Connection, place: int, name: str, of: str, since: int, mover: Entry | None) -> None:
        by = self._who(connection, mover)
        if _TAG.count(connection, place=place, tag=name, of=of, since=since, mover=by) and not self._has_history:
            _STEP.count(
                connection, place=place, tag=name, was=None, became=of, moment=since, event=self._event, mover=None,
                why=None,
            )  # fmt: skip

    def _govern(self, connection: Connection, place: Mapping[str, int], kind: str, values: Sequence[Any]) -> None:
        """Put in by which rules tags stay at a place, or who has a role there."""
        of = {"repository_id": None, "namespace_id": None, **place}
        match kind, values:
            case "retention", [policy]:
                changer = self._who(connection, policy.get("changed_by"))
                made = _PUT_RULES.first(
                    connection, untagged_after=policy.get("untagged_after"), changed_at=policy["changed_at"],
                    changed_by=changer, **of,
                )  # fmt: skip
                for position, rule in enumerate(policy["rules"] if made else ()):
                    values_of = dict(zip(RULE, rule, strict=True))
                    connection.execute(
                        insert(retention_rules).values(policy_id=made[0] if made else 0, position=position, **values_of)
                    )
            case "role", [role, holder, since, giver]:
                account, team = self._who(connection, holder.get("account")), self._team(connection, holder.get("team"))
                if (account is None) != (team is None):
                    self.roles += 1
                    _PUT_ROLE.count(
                        connection, account_id=account, team_id=team, registry_id=None, role=role, created_at=since,
                        created_by=self._who(connection, giver), **of,
                    )  # fmt: skip
            case _:
                message = f"the inventory has a {kind} that this version does not know"
                raise InventoryUnfit(message)

    def _who(self, connection: Connection, who: Entry | None) -> int | None:
        """Return the account that an entry names, if it is still the same one, and this deployment's."""
        if who is None or not self._knows_people:
            return None
        name, made = str(who[0]), int(who[1])
        if (name, made) not in self._people:
            if len(self._people) >= _MOST_PEOPLE:
                self._people.clear()
            found = select(accounts.c.id).where(
                accounts.c.name == name, accounts.c.created_at == made, accounts.c.deleted_at.is_(None)
            )
            self._people[name, made] = connection.execute(found).scalar()
        return self._people[name, made]

    def _team(self, connection: Connection, team: Entry | None) -> int | None:
        organization = None if team is None else self._who(connection, team[0])
        if team is None or organization is None:
            return None
        found = select(teams.c.id).where(
            teams.c.organization_id == organization, teams.c.name == team[1], teams.c.created_at == team[2]
        )
        number: int | None = connection.execute(found).scalar()
        return number


def _columns(known: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, str | int | None]:
    found = {name: known.get(name) for name in names}
    _require_flat(found.values())
    return found


def _require_flat(values: Iterable[object]) -> None:
    """Refuse lists where texts and numbers belong: PostgreSQL would make a text of one."""
    if not all(value is None or type(value) in {str, int} for value in values):
        message = "a part of it is neither a text nor a number"
        raise InventoryUnfit(message)
