# SPDX-License-Identifier: Apache-2.0
"""How many bytes repositories hold, and how many of them nobody else does."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, case, exists, func, select

from wharfinger.metadata.database import Statement
from wharfinger.metadata.schema import blobs, manifest_references, manifests, repositories, repository_blobs, tags


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySize:
    """How much is in a repository: bytes of manifests and of the distinct blobs that they need, without the trash.

    Args:
        tags: how many tags there are.
        manifests: how many manifests.
        own: bytes of manifests, which are always its own.
        unique: of blobs that no other repository of the registry has.
        shared: of blobs that some other one has as well: they would stay if this one went.
    """

    tags: int
    manifests: int
    own: int
    unique: int
    shared: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.own + self.unique + self.shared


_elsewhere: Final = repository_blobs.alias("elsewhere")
_holder: Final = repositories.alias("holder")
_needed: Final = (
    exists()
    .where(
        manifest_references.c.repository_id == repository_blobs.c.repository_id,
        manifest_references.c.blob_id == repository_blobs.c.blob_id,
    )
    .where(manifests.c.id == manifest_references.c.manifest_id, manifests.c.deleted_at.is_(None))
)
_is_shared: Final = (
    exists()
    .where(
        _elsewhere.c.blob_id == repository_blobs.c.blob_id,
        _elsewhere.c.repository_id != repository_blobs.c.repository_id,
        _elsewhere.c.unlinked_at.is_(None),
    )
    .where(_holder.c.id == _elsewhere.c.repository_id, _holder.c.deleted_at.is_(None))
)
"""It ends with the first one that is found: a base image that is everywhere costs no more than one that is in two."""
_BLOBS: Final = Statement(
    select(
        func.coalesce(func.sum(case((_is_shared, 0), else_=blobs.c.size)), 0),
        func.coalesce(func.sum(blobs.c.size), 0),
    )
    .select_from(repository_blobs)
    .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
    .where(repository_blobs.c.repository_id == bindparam("repository"), _needed)
)
_MANIFESTS: Final = Statement(
    select(func.count(), func.coalesce(func.sum(manifests.c.size), 0)).where(
        manifests.c.repository_id == bindparam("repository"), manifests.c.deleted_at.is_(None)
    )
)

_TAGS: Final = Statement(select(func.count()).select_from(tags).where(tags.c.repository_id == bindparam("repository")))


def measure(connection: Connection, repository_id: int) -> RepositorySize:
    """Return the size of a repository; it looks at each of its blobs once."""
    (named,) = _TAGS.first(connection, repository=repository_id) or (0,)
    count, own = _MANIFESTS.first(connection, repository=repository_id) or (0, 0)
    unique, total = _BLOBS.first(connection, repository=repository_id) or (0, 0)
    return RepositorySize(
        tags=int(named), manifests=int(count), own=int(own), unique=int(unique), shared=int(total) - int(unique)
    )
