# SPDX-License-Identifier: Apache-2.0
"""Rows by which repositories are found by labels: which manifests are still to be read, and what was found in them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import ClauseElement, Connection, bindparam, exists, func, select

from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.search import READ
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.schema import manifests, repositories
from wharfinger.metadata.search_tables import label_terms
from wharfinger.metadata.tables import TEXT

OVERLAP: Final = 1_000
"""How many ids before the last one that was read are looked at again: another node may commit a lower id later."""


class Unread(NamedTuple):
    """A manifest whose labels were not read yet."""

    id: int
    digest: Digest
    media_type: str
    size: int
    registry_id: int
    repository: RepositoryName
    is_attached: bool
    """Whether it speaks of another one."""


def _put(insert: InsertInto) -> ClauseElement:
    # A manifest that was collected meanwhile has no row to select from.
    rows = select(manifests.c.id, bindparam("term", type_=TEXT)).where(manifests.c.id == bindparam("manifest"))
    statement = insert(label_terms).from_select(["manifest_id", "term"], rows)
    upsert: ClauseElement = statement.on_conflict_do_nothing()
    return upsert


_PUT: Final = Statement(_put)


def unread(connection: Connection, limit: int) -> Sequence[Unread]:
    """Return manifests of repositories that are not deleted, in the order of their ids."""
    last = int(connection.execute(select(func.max(label_terms.c.manifest_id))).scalar() or 0)
    was_read = exists().where(label_terms.c.manifest_id == manifests.c.id, label_terms.c.term == READ)
    statement = (
        select(
            manifests.c.id,
            manifests.c.digest,
            manifests.c.media_type,
            manifests.c.size,
            repositories.c.registry_id,
            repositories.c.name,
            manifests.c.subject_digest.is_not(None),
        )
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .where(manifests.c.id > last - OVERLAP, ~was_read, repositories.c.deleted_at.is_(None))
        .order_by(manifests.c.id)
        .limit(limit)
    )
    return [
        Unread(number, Digest(digest), media_type, size, registry_id, RepositoryName(name), bool(is_attached))
        for number, digest, media_type, size, registry_id, name, is_attached in connection.execute(statement)
    ]


def put(connection: Connection, manifest_id: int, terms: Sequence[str]) -> None:
    """Have the repository of a manifest be found by these, and note that the manifest was read."""
    for term in (READ, *terms):
        _PUT.count(connection, manifest=manifest_id, term=term)
