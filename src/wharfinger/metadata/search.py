# SPDX-License-Identifier: Apache-2.0
"""What is found: repositories, tags and digests of one registry, as far as somebody sees them (ADR 0040).

Names are read one by one: ten thousand of them take less time than a page. Descriptions are found by an index over
their terms, digests by the keys that they have anyway. SQLite and PostgreSQL run the same statements, without an
extension of either, and order in the same way: what matches best, then what changed last, then by name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, case, delete, exists, func, insert, literal, or_, select

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.search import LONGEST_WORD, SearchQuery, parts_of, terms_of
from wharfinger.metadata.page_tables import descriptions
from wharfinger.metadata.repository_lists import RepositoryFigures, figures_of
from wharfinger.metadata.schema import blobs, manifest_references, manifests, repositories, repository_blobs, tags
from wharfinger.metadata.search_tables import label_terms, search_terms
from wharfinger.metadata.standing import Sight, visible
from wharfinger.metadata.tables import INTEGER

_BEGINNINGS: Final = ("/", "-", ".", "_")
"""After these a word of a name begins."""
_AFTER_EVERYTHING: Final = "\U0010ffff"
_AFTER_HEX: Final = "g"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRepository:
    """A repository whose name, description or labels have every word."""

    name: RepositoryName
    description: str | None
    changed_at: Instant
    figures: RepositoryFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTag:
    """A tag whose name has a word, in a repository whose name has the others."""

    repository: RepositoryName
    name: TagName
    digest: Digest
    moved_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDigest:
    """Content whose digest begins as somebody said."""

    repository: RepositoryName
    digest: Digest
    media_type: str
    manifest: Digest
    """Itself, or of a blob the newest manifest of the repository that needs it."""
    pushed_at: Instant
    """When that manifest was pushed."""


def index(connection: Connection, repository_id: int) -> None:
    """Have a repository be found by what its descriptions say now."""
    statement = (
        select(repositories.c.description, descriptions.c.text)
        .outerjoin(descriptions, descriptions.c.repository_id == repositories.c.id)
        .where(repositories.c.id == repository_id)
    )
    texts = [text or "" for row in connection.execute(statement) for text in row]
    connection.execute(delete(search_terms).where(search_terms.c.repository_id == repository_id))
    terms = [{"repository_id": repository_id, "term": term} for term in terms_of(texts)]
    if terms:
        connection.execute(insert(search_terms), terms)


def find_repositories(
    connection: Connection, registry_id: int, query: SearchQuery, limit: int, sight: Sight
) -> Sequence[FoundRepository]:
    """Return the repositories that have every word and every label of the query."""
    if query.tag_words or not (query.words or query.labels):
        return ()
    name = repositories.c.name
    ranks = [_rank(name, word, _in_name(word)) for word in query.words]
    statement = (
        _in_registry(
            select(repositories.c.id, name, repositories.c.description, repositories.c.changed_at), registry_id, sight
        )
        .where(
            *(or_(name.like(_anywhere(word), escape="\\"), _described(word), _said(word)) for word in query.words),
            *(_labelled(label.term, is_beginning=label.is_beginning) for label in query.labels),
        )
        .order_by(_sum(ranks), repositories.c.changed_at.desc(), name)
        .limit(limit)
    )
    rows = connection.execute(statement, dict(sight or {})).all()
    figures = figures_of(connection, [row.id for row in rows])
    return [
        FoundRepository(
            name=RepositoryName(row.name),
            description=row.description,
            changed_at=Instant(row.changed_at),
            figures=figures[row.id],
        )
        for row in rows
    ]


def find_tags(
    connection: Connection, registry_id: int, query: SearchQuery, limit: int, sight: Sight
) -> Sequence[FoundTag]:
    """Return the tags that have a word of the query, while their repository has the others."""
    of_tags = query.tag_words or query.words
    if not of_tags or query.labels:
        return ()
    name, repository = _without_capitals(connection, tags.c.name), repositories.c.name
    every = and_ if query.tag_words else or_
    named = (
        select(tags).where(every(*(name.like(_anywhere(word), escape="\\") for word in of_tags))).cte("named")
    ).prefix_with("MATERIALIZED")
    found_name = _without_capitals(connection, named.c.name)
    conditions = _named(query.words if query.tag_words else ())
    if not query.tag_words and len(of_tags) > 1:
        conditions = [
            or_(found_name.like(_anywhere(word), escape="\\"), repository.like(_anywhere(word), escape="\\"))
            for word in of_tags
        ]
    ranks = [_rank(func.lower(named.c.name), word, []) for word in of_tags]
    if query.tag_words:
        ranks += [_rank(repository, word, _in_name(word)) for word in query.words]
    statement = (
        _in_registry(select(repository, named.c.name, manifests.c.digest, named.c.moved_at), registry_id, sight)
        .join(named, named.c.repository_id == repositories.c.id)
        .join(manifests, manifests.c.id == named.c.manifest_id)
        .where(*conditions)
        .order_by(_sum(ranks), named.c.moved_at.desc(), repository, named.c.name)
        .limit(limit)
    )
    return [
        FoundTag(
            repository=RepositoryName(where), name=TagName(found), digest=Digest(digest), moved_at=Instant(moved_at)
        )
        for where, found, digest, moved_at in connection.execute(statement, dict(sight or {}))
    ]


def find_digests(
    connection: Connection, registry_id: int, query: SearchQuery, limit: int, sight: Sight
) -> Sequence[FoundDigest]:
    """Return manifests, then blobs that a manifest needs, whose digests begin as the query says."""
    found: list[FoundDigest] = []
    for find in (_manifests, _blobs):
        for beginning in query.digests:
            if len(found) < limit:
                statement = find(registry_id, beginning, sight, query.within).limit(limit - len(found))
                found += map(_found_digest, connection.execute(statement, dict(sight or {})))
    return found


def _manifests(registry_id: int, beginning: str, sight: Sight, words: Iterable[str]) -> Select[Any]:
    columns = (
        repositories.c.name,
        manifests.c.digest,
        manifests.c.media_type,
        manifests.c.digest.label("manifest"),
        manifests.c.pushed_at,
    )
    # By themselves, so that the key of the table, which holds the digests, is all that is read of it.
    begun = select(manifests.c.id).where(_begins(manifests.c.digest, beginning)).cte("begun")
    return (
        _in_registry(select(*columns), registry_id, sight)
        .join(manifests, manifests.c.repository_id == repositories.c.id)
        .join(begun.prefix_with("MATERIALIZED"), begun.c.id == manifests.c.id)
        .where(manifests.c.deleted_at.is_(None), *_named(words))
        .order_by(manifests.c.pushed_at.desc(), repositories.c.name, manifests.c.digest)
    )


def _blobs(registry_id: int, beginning: str, sight: Sight, words: Iterable[str]) -> Select[Any]:
    """Return blobs, each once for a repository, with the newest of its manifests that needs it."""
    newest = func.max(manifests.c.id)
    edges = manifest_references
    needed = (
        select(repository_blobs.c.repository_id, blobs.c.digest, edges.c.media_type, newest.label("manifest_id"))
        .select_from(blobs)
        .join(repository_blobs, repository_blobs.c.blob_id == blobs.c.id)
        .join(
            edges,
            (edges.c.repository_id == repository_blobs.c.repository_id)
            & (edges.c.blob_id == repository_blobs.c.blob_id),
        )
        .join(manifests, (manifests.c.id == edges.c.manifest_id) & manifests.c.deleted_at.is_(None))
        .where(
            blobs.c.registry_id == registry_id,
            _begins(blobs.c.digest, beginning),
            blobs.c.state == "live",
            repository_blobs.c.unlinked_at.is_(None),
        )
        .group_by(repository_blobs.c.repository_id, blobs.c.digest, edges.c.media_type)
        .subquery("needed")
    )
    columns = (repositories.c.name, needed.c.digest, needed.c.media_type, manifests.c.digest, manifests.c.pushed_at)
    return (
        _in_registry(select(*columns), registry_id, sight)
        .join(needed, needed.c.repository_id == repositories.c.id)
        .join(manifests, manifests.c.id == needed.c.manifest_id)
        .where(*_named(words))
        .order_by(manifests.c.pushed_at.desc(), repositories.c.name, needed.c.digest)
    )


def _found_digest(row: Sequence[Any]) -> FoundDigest:
    repository, digest, media_type, manifest, pushed_at = row
    return FoundDigest(
        repository=RepositoryName(repository),
        digest=Digest(digest),
        media_type=media_type,
        manifest=Digest(manifest),
        pushed_at=Instant(pushed_at),
    )


def _in_registry(statement: Select[Any], registry_id: int, sight: Sight) -> Select[Any]:
    """Return the statement over the repositories that the catalog shows to somebody."""
    shown = statement.select_from(repositories).where(
        repositories.c.registry_id == registry_id,
        repositories.c.deleted_at.is_(None),
        repositories.c.listed_at.is_not(None),
    )
    return shown if sight is None else shown.where(visible)


def _described(word: str) -> ColumnElement[bool]:
    """Say whether the descriptions of a repository have every part of a word."""
    parts = [part[:LONGEST_WORD] for part in parts_of(word)]
    if not parts:
        return literal(value=False)
    return and_(
        *(
            repositories.c.id.in_(
                select(search_terms.c.repository_id).where(
                    search_terms.c.term >= part, search_terms.c.term < part + _AFTER_EVERYTHING
                )
            )
            for part in parts
        )
    )


def _said(word: str) -> ColumnElement[bool]:
    """Say whether the labels of a repository's images have every part of a word in their values."""
    parts = [part[:LONGEST_WORD] for part in parts_of(word)]
    return and_(*(_labelled(part, is_beginning=True) for part in parts)) if parts else literal(value=False)


def _labelled(term: str, *, is_beginning: bool) -> ColumnElement[bool]:
    """Say whether an image that a tag names, or that is a part of what a tag names, has a term among its labels."""
    edges, parent = manifest_references, tags.alias("parent")
    is_named = exists().where(tags.c.repository_id == manifests.c.repository_id, tags.c.manifest_id == manifests.c.id)
    is_part = (
        exists()
        .where(edges.c.repository_id == manifests.c.repository_id, edges.c.child_id == manifests.c.id)
        .where(parent.c.repository_id == edges.c.repository_id, parent.c.manifest_id == edges.c.manifest_id)
    )
    found = label_terms.c.term
    return repositories.c.id.in_(
        select(manifests.c.repository_id)
        .select_from(label_terms)
        .join(manifests, manifests.c.id == label_terms.c.manifest_id)
        .where(
            and_(found >= term, found < term + _AFTER_EVERYTHING) if is_beginning else found == term,
            manifests.c.deleted_at.is_(None),
            or_(is_named, is_part),
        )
    )


def _rank(name: ColumnElement[str], word: str, best: Sequence[tuple[ColumnElement[bool], int]]) -> ColumnElement[int]:
    """Say how well a word is found in a name; less is better."""
    begins = or_(*(name.like(f"%{_escaped(before)}{_escaped(word)}%", escape="\\") for before in _BEGINNINGS))
    return case(
        (name == word, 0),
        *((condition, rank) for condition, rank in best),
        (name.like(f"{_escaped(word)}%", escape="\\"), 2),
        (begins, 3),
        (name.like(_anywhere(word), escape="\\"), 4),
        else_=5,
    )


def _in_name(word: str) -> Sequence[tuple[ColumnElement[bool], int]]:
    """Return that the last part of a repository's name, which is what people say, is the word."""
    return [(repositories.c.name.like(f"%/{_escaped(word)}", escape="\\"), 1)]


def _named(words: Iterable[str]) -> Sequence[ColumnElement[bool]]:
    return [repositories.c.name.like(_anywhere(word), escape="\\") for word in words]


def _begins(digest: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    return and_(digest >= beginning, digest < beginning + _AFTER_HEX)


def _sum(ranks: Sequence[ColumnElement[int]]) -> ColumnElement[int]:
    total = ranks[0] if ranks else literal(0, INTEGER)
    for rank in ranks[1:]:
        total = total + rank
    return total


def _without_capitals(connection: Connection, name: ColumnElement[str]) -> ColumnElement[str]:
    """Return a column for `LIKE` to compare with folded text: SQLite's takes no notice of capitals anyway."""
    return name if connection.dialect.name == "sqlite" else func.lower(name)


def _anywhere(word: str) -> str:
    return f"%{_escaped(word)}%"


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
