# SPDX-License-Identifier: Apache-2.0
"""Lists of tags as people read them: the ones that moved last first, in pages that cost the same wherever they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, literal, select, tuple_

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import TagName
from wharfinger.domain.tags import TagPosition
from wharfinger.metadata.schema import manifests, tags
from wharfinger.metadata.tables import INTEGER, TEXT
from wharfinger.metadata.tags import TagSummary, content_sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSearch:
    """Which tags are asked for.

    Args:
        text: what their names contain, whatever the case of letters; empty for all of them.
        after: only those behind this place, which moved before it.
        before: only those in front of it, the nearest of them; not together with `after`.
    """

    text: str = ""
    after: TagPosition | None = None
    before: TagPosition | None = None


def newest(connection: Connection, repository_id: int, wanted: TagSearch, limit: int) -> Sequence[TagSummary]:
    """Return tags that were asked for, the one that moved last first; of those that moved at once, the last name."""
    place = tuple_(tags.c.moved_at, tags.c.name)
    statement = (
        select(
            tags.c.name,
            tags.c.moved_at,
            manifests.c.id,
            manifests.c.digest,
            manifests.c.media_type,
            manifests.c.artifact_type,
            manifests.c.size,
        )
        .join(manifests, manifests.c.id == tags.c.manifest_id)
        .where(tags.c.repository_id == repository_id)
        .limit(limit)
    )
    if wanted.text:
        statement = statement.where(tags.c.name.icontains(wanted.text, autoescape=True))
    if wanted.after is not None:
        statement = statement.where(place < _literal(wanted.after))
    if wanted.before is not None:
        statement = statement.where(place > _literal(wanted.before)).order_by(tags.c.moved_at, tags.c.name)
    else:
        statement = statement.order_by(tags.c.moved_at.desc(), tags.c.name.desc())
    rows = list(connection.execute(statement))
    if wanted.before is not None:
        rows.reverse()
    sizes = content_sizes(connection, {row.id for row in rows})
    return [
        TagSummary(
            name=TagName(row.name),
            digest=Digest(row.digest),
            media_type=row.media_type,
            artifact_type=row.artifact_type,
            size=row.size + sizes.get(row.id, 0),
            moved_at=Instant(row.moved_at),
        )
        for row in rows
    ]


def _literal(position: TagPosition) -> object:
    return tuple_(literal(position.moved_at, INTEGER), literal(position.name, TEXT))
