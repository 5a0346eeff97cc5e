# SPDX-License-Identifier: Apache-2.0
"""The rows of a closed registry as the entries of its inventory; `shelves` makes rows of them again."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from wharfinger.metadata.account_tables import accounts, grants, teams
from wharfinger.metadata.page_tables import descriptions, stars
from wharfinger.metadata.registries import RegistryRow
from wharfinger.metadata.retention_tables import pulls, retention_policies, retention_rules
from wharfinger.metadata.schema import (
    blobs,
    events,
    manifest_references,
    manifests,
    namespaces,
    repositories,
    repository_blobs,
    tag_history,
    tags,
    tombstones,
)

Entry = list[Any]
"""As in `domain.inventories`: whoever puts it in finds out whether its parts are what they should be."""
Sink = Callable[[Entry], None]
"""Takes an entry."""
REPOSITORY: Final = (
    *("name", "description", "source", "visibility", "inherits", "created_at", "listed_at", "changed_at"),
    *("immutable_tags", "immutable_deletable"),
)
MANIFEST: Final = (
    *("digest", "media_type", "artifact_type", "size", "subject_digest", "referrer", "pushed_at", "pulled_at"),
    "orphaned_at",
)
RULE: Final = ("name", "tags", "newest", "moved_within", "pulled_within")
_ROWS: Final = 500
_LARGE_ROWS: Final = 8
"""How many manifests are in memory at once: each may have 4 MiB."""
_MOST_PEOPLE: Final = 10_000
"""How many accounts are remembered while they are looked up."""


def write(connection: Connection, row: RegistryRow, put: Sink) -> None:
    """Write an entry for everything that was live when the registry was deleted."""
    _Writer(connection, row, put).run()


class _Writer:
    """Writes the entries of one registry; of rows, it has few in memory at any time."""

    def __init__(self, connection: Connection, row: RegistryRow, put: Sink) -> None:
        self._connection = connection
        self._registry = row
        self._put = put
        self._people: dict[int, Entry | None] = {}

    def run(self) -> None:
        """Write everything."""
        number = self._registry.id
        known = [blobs.c[name] for name in ("digest", "size", "store_key", "state", "created_at", "verified_at")]
        for blob in self._rows(select(*known).where(blobs.c.registry_id == number).order_by(blobs.c.id)):
            self._put(["blob", *blob])
        doomed = select(tombstones.c.store_key, tombstones.c.size).where(tombstones.c.registry_id == number)
        for one in self._rows(doomed):
            self._put(["object", *one])
        space = namespaces.c
        named = select(
            *(space.id, space.name, space.default_visibility, space.created_at, space.kinds_off),
            *(space.owner_id, space.created_by),
        )
        for found_id, *values, owner, maker in self._rows(named.where(space.registry_id == number)):
            known_of = dict(zip(("name", "default_visibility", "created_at", "kinds_off"), values, strict=True))
            self._put(["namespace", {**known_of, "owner": self._who(owner), "created_by": self._who(maker)}])
            self._write_rules(retention_policies.c.namespace_id == found_id)
            self._write_roles(grants.c.namespace_id == found_id)
        columns = [repositories.c[name] for name in REPOSITORY]
        was_live = (repositories.c.registry_id == number) & (repositories.c.deletion_id == self._registry.deletion_id)
        for found_id, maker, *values in self._rows(
            select(repositories.c.id, repositories.c.created_by, *columns).where(was_live)
        ):
            known_of = dict(zip(REPOSITORY, values, strict=True))
            self._put(["repository", {**known_of, "created_by": self._who(maker)}])
            self._write_content(found_id)
            self._write_tags(found_id)
            self._write_rules(retention_policies.c.repository_id == found_id)
            self._write_roles(grants.c.repository_id == found_id)
            self._write_favour(found_id)

    def _write_content(self, repository_id: int) -> None:
        """Write what can be pulled: members, manifests, and what those refer to."""
        members = (
            select(blobs.c.digest, repository_blobs.c.created_at)
            .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
            .where(repository_blobs.c.repository_id == repository_id, repository_blobs.c.unlinked_at.is_(None))
        )
        for member in self._rows(members):
            self._put(["member", *member])
        page = select(descriptions.c.text, descriptions.c.changed_at, descriptions.c.changed_by)
        for *values, writer in self._rows(page.where(descriptions.c.repository_id == repository_id)):
            self._put(["page", *values, self._who(writer)])
        sound = _sound(repository_id)
        columns = [manifests.c[name] for name in MANIFEST]
        found = select(manifests.c.content, manifests.c.pushed_by, *columns).where(sound).order_by(manifests.c.id)
        for content, pusher, *values in self._rows(found, at_once=_LARGE_ROWS):
            encoded = base64.b64encode(bytes(content)).decode()
            known_of = dict(zip(MANIFEST, values, strict=True))
            self._put(["manifest", {**known_of, "pushed_by": self._who(pusher), "content": encoded}])
        edge = manifest_references.c
        edges = (
            select(
                manifests.c.digest, edge.position, edge.kind, edge.digest, edge.media_type, edge.size, edge.blob_id,
                edge.child_id,
            )
            .join(manifests, manifests.c.id == edge.manifest_id)
            .where(sound)
            .order_by(manifests.c.id, edge.position)
        )  # fmt: skip
        for *values, blob_id, child_id in self._rows(edges):
            leads = "blob" if blob_id is not None else "manifest" if child_id is not None else None
            self._put(["edge", *values, leads])

    def _write_tags(self, repository_id: int) -> None:
        """Write the tags, and how each came to where it is; one whose manifest is damaged was lost with it."""
        pointed = (
            select(tags.c.name, manifests.c.digest, tags.c.moved_at, tags.c.moved_by)
            .join(
                manifests, (manifests.c.repository_id == tags.c.repository_id) & (manifests.c.id == tags.c.manifest_id)
            )
            .where(tags.c.repository_id == repository_id)
        )
        for *values, mover in self._rows(pointed.where(_sound(repository_id))):
            self._put(["tag", *values, self._who(mover)])
        step = tag_history.c
        steps = (
            select(
                step.name, step.from_digest, step.to_digest, step.at, step.principal, step.detail, events.c.principal,
                events.c.detail,
            )
            .join(events, events.c.id == step.event_id)
            .where(step.repository_id == repository_id)
            .order_by(step.id)
        )  # fmt: skip
        for *values, principal, detail, told_by, told in self._rows(steps):
            self._put(["step", *values, *((principal, detail) if principal is not None else (told_by, told))])
        for name, digest, *_ in self._rows(pointed.where(~_sound(repository_id))):
            closed_at = self._registry.deleted_at
            self._put(["step", name, digest, None, closed_at, "system", "its manifest was damaged"])

    def _write_rules(self, place: ColumnElement[bool]) -> None:
        policy = retention_policies.c
        found = select(policy.id, policy.untagged_after, policy.changed_at, policy.changed_by).where(place)
        for policy_id, untagged_after, changed_at, changer in self._rows(found):
            rules = (
                select(*[retention_rules.c[name] for name in RULE])
                .where(retention_rules.c.policy_id == policy_id)
                .order_by(retention_rules.c.position)
            )
            known = {"untagged_after": untagged_after, "changed_at": changed_at, "changed_by": self._who(changer)}
            self._put(["retention", {**known, "rules": [list(rule) for rule in self._rows(rules)]}])

    def _write_roles(self, place: ColumnElement[bool]) -> None:
        found = (
            select(
                grants.c.role, grants.c.account_id, teams.c.organization_id, teams.c.name, teams.c.created_at,
                grants.c.created_at, grants.c.created_by,
            )
            .outerjoin(teams, teams.c.id == grants.c.team_id)
            .where(place)
            .order_by(grants.c.id)
        )  # fmt: skip
        for role, account, organization, team, made, since, giver in self._rows(found):
            holder: Mapping[str, object] = {"account": self._who(account)}
            if account is None:
                holder = {"team": [self._who(organization), team, made]}
            self._put(["role", role, holder, since, self._who(giver)])

    def _write_favour(self, repository_id: int) -> None:
        counted = select(pulls.c.what, pulls.c.day, pulls.c.count, pulls.c.last_at)
        for one in self._rows(counted.where(pulls.c.repository_id == repository_id)):
            self._put(["pulls", *one])
        for account, at in self._rows(
            select(stars.c.account_id, stars.c.at).where(stars.c.repository_id == repository_id)
        ):
            self._put(["star", self._who(account), at])

    def _who(self, account_id: int | None) -> Entry | None:
        """Return an account as entries name it; nothing once it was deleted."""
        if account_id is None:
            return None
        if account_id not in self._people:
            if len(self._people) >= _MOST_PEOPLE:
                self._people.clear()
            found = self._connection.execute(
                select(accounts.c.name, accounts.c.created_at).where(
                    accounts.c.id == account_id, accounts.c.deleted_at.is_(None)
                )
            ).first()
            self._people[account_id] = None if found is None else list(found)
        return self._people[account_id]

    def _rows(self, statement: Select[Any], at_once: int = _ROWS) -> Iterator[Sequence[Any]]:
        for row in self._connection.execute(statement, execution_options={"yield_per": at_once}):
            yield tuple(row)


def _sound(repository_id: int) -> ColumnElement[bool]:
    return and_(
        manifests.c.repository_id == repository_id, manifests.c.deleted_at.is_(None), manifests.c.damaged_at.is_(None)
    )


def size_of(entry: Entry) -> int:
    """Return how much memory an entry takes, roughly."""
    match entry:
        case ["manifest", {"content": str(content)}]:
            return len(content)
        case ["page", str(text), *_]:
            return len(text)
        case _:
            return 0
