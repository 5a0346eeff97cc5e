# SPDX-License-Identifier: Apache-2.0
"""Rows of uploads: where each stands, and which request may add to it.

The claim is a token with an end: whoever holds it may write bytes and move the offset. Every statement that follows
demands the token, so a request whose claim ran out, and was taken by another, changes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Algorithm
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.database import Lookup
from wharfinger.metadata.schema import repositories, uploads

UPLOAD = Lookup(
    select(uploads.c.offset)
    .join(repositories, repositories.c.id == uploads.c.repository_id)
    .where(
        uploads.c.id == bindparam("upload_id"),
        repositories.c.registry_id == bindparam("registry_id"),
        repositories.c.name == bindparam("repository"),
        repositories.c.deleted_at.is_(None),
    )
)
"""Parameters `upload_id`, `registry_id`, `repository`; column offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRow:
    """An upload as the database knows it."""

    id: str
    registry_id: int
    repository_id: int
    store_key: str
    algorithm: Algorithm
    offset: int
    writer_state: Mapping[str, object] | None
    """Nothing until the first checkpoint."""


def start(connection: Connection, row: UploadRow, by: Actor, now: Instant, expires_at: Instant) -> None:
    """Write the row that names the bytes, before there are any."""
    connection.execute(
        insert(uploads).values(
            id=row.id,
            registry_id=row.registry_id,
            repository_id=row.repository_id,
            store_key=row.store_key,
            algorithm=row.algorithm.value,
            offset=row.offset,
            created_at=now,
            created_by=by.principal.account_id,
            expires_at=expires_at,
        )
    )


def find(connection: Connection, registry_id: int, repository: RepositoryName, upload_id: str) -> UploadRow | None:
    """Return the upload of that id in that repository."""
    statement = (
        select(uploads)
        .join(repositories, repositories.c.id == uploads.c.repository_id)
        .where(
            uploads.c.id == upload_id,
            repositories.c.registry_id == registry_id,
            repositories.c.name == repository,
            repositories.c.deleted_at.is_(None),
        )
    )
    row = connection.execute(statement).first()
    return None if row is None else _upload(row)


def claim(connection: Connection, upload: UploadRow, token: str, now: Instant, until: Instant) -> bool:
    """Take the upload for one request if it stands where it was found and nobody else holds it."""
    free = uploads.c.claim.is_(None) | (uploads.c.claimed_until < now)
    taken = connection.execute(
        update(uploads)
        .where(uploads.c.id == upload.id, uploads.c.offset == upload.offset, free)
        .values(claim=token, claimed_until=until)
    ).rowcount
    return taken > 0


def renew(connection: Connection, upload_id: str, token: str, until: Instant) -> bool:
    """Keep the claim while bytes flow; returns whether it still holds."""
    return (
        connection.execute(
            update(uploads).where(uploads.c.id == upload_id, uploads.c.claim == token).values(claimed_until=until)
        ).rowcount
        > 0
    )


def advance(
    connection: Connection, upload: UploadRow, token: str, writer_state: Mapping[str, object], expires_at: Instant
) -> bool:
    """Move the offset to what is durable and give the claim back; returns whether the claim still held."""
    return (
        connection.execute(
            update(uploads)
            .where(uploads.c.id == upload.id, uploads.c.claim == token)
            .values(
                offset=upload.offset,
                writer_state=json.dumps(writer_state),
                expires_at=expires_at,
                claim=None,
                claimed_until=None,
            )
        ).rowcount
        > 0
    )


def release(connection: Connection, upload_id: str, token: str) -> None:
    """Give the claim back and leave the upload where it stood."""
    connection.execute(
        update(uploads)
        .where(uploads.c.id == upload_id, uploads.c.claim == token)
        .values(claim=None, claimed_until=None)
    )


def release_all(connection: Connection) -> int:
    """Free every claim: for the start of a node that has the database to itself. Returns how many there were."""
    return connection.execute(
        update(uploads).where(uploads.c.claim.is_not(None)).values(claim=None, claimed_until=None)
    ).rowcount


def end(connection: Connection, upload_id: str, token: str | None = None) -> bool:
    """Delete the row, with the claim if a token is given; returns whether it was there."""
    statement = delete(uploads).where(uploads.c.id == upload_id)
    if token is not None:
        statement = statement.where(uploads.c.claim == token)
    return connection.execute(statement).rowcount > 0


def expired(connection: Connection, now: Instant, limit: int) -> Sequence[UploadRow]:
    """Return uploads whose time is over and that nobody is writing to."""
    free = uploads.c.claim.is_(None) | (uploads.c.claimed_until < now)
    statement = select(uploads).where(uploads.c.expires_at <= now, free).order_by(uploads.c.expires_at).limit(limit)
    return [_upload(row) for row in connection.execute(statement)]


def _upload(row: Row[*tuple[object, ...]]) -> UploadRow:
    found = row._mapping  # noqa: SLF001 - the toolkit's public name for access by column
    state = found["writer_state"]
    return UploadRow(
        id=found["id"],
        registry_id=found["registry_id"],
        repository_id=found["repository_id"],
        store_key=found["store_key"],
        algorithm=Algorithm(found["algorithm"]),
        offset=found["offset"],
        writer_state=None if state is None else json.loads(state),
    )
