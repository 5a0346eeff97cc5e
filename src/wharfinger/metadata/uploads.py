# SPDX-License-Identifier: Apache-2.0
"""Rows of uploads: where each stands, and which request may add to it.

The claim is a token with an end: whoever holds it may write bytes and move the offset. Every statement that follows
demands the token, so a request whose claim ran out, and was taken by another, changes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, null, select, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Algorithm
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.schema import repositories, uploads

UPLOAD = Statement(
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


_COLUMNS: Final = (
    uploads.c.id,
    uploads.c.registry_id,
    uploads.c.repository_id,
    uploads.c.store_key,
    uploads.c.algorithm,
    uploads.c.offset,
    uploads.c.writer_state,
)
_START: Final = Statement(
    insert(uploads),
    columns=(
        "id",
        "registry_id",
        "repository_id",
        "store_key",
        "algorithm",
        "offset",
        "created_at",
        "created_by",
        "expires_at",
    ),
)
_FIND: Final = Statement(
    select(*_COLUMNS)
    .join(repositories, repositories.c.id == uploads.c.repository_id)
    .where(
        uploads.c.id == bindparam("upload_id"),
        repositories.c.registry_id == bindparam("registry"),
        repositories.c.name == bindparam("repository"),
        repositories.c.deleted_at.is_(None),
    )
)
_IS_HELD: Final = (uploads.c.id == bindparam("upload_id")) & (uploads.c.claim == bindparam("token"))
_CLAIM: Final = Statement(
    update(uploads)
    .where(
        uploads.c.id == bindparam("upload_id"),
        uploads.c.offset == bindparam("found_offset"),
        uploads.c.claim.is_(None) | (uploads.c.claimed_until < bindparam("now")),
    )
    .values(claim=bindparam("token"), claimed_until=bindparam("until"))
)
_RENEW: Final = Statement(update(uploads).where(_IS_HELD).values(claimed_until=bindparam("until")))
_RELEASE: Final = Statement(update(uploads).where(_IS_HELD).values(claim=null(), claimed_until=null()))
_ADVANCE: Final = Statement(
    update(uploads)
    .where(_IS_HELD)
    .values(
        offset=bindparam("new_offset"),
        writer_state=bindparam("new_state"),
        expires_at=bindparam("new_expiry"),
        claim=null(),
        claimed_until=null(),
    )
)
_END: Final = Statement(delete(uploads).where(uploads.c.id == bindparam("upload_id")))
_END_HELD: Final = Statement(delete(uploads).where(_IS_HELD))


def start(connection: Connection, row: UploadRow, by: Actor, now: Instant, expires_at: Instant) -> None:
    """Write the row that names the bytes, before there are any."""
    _START.count(
        connection,
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


def find(connection: Connection, registry_id: int, repository: RepositoryName, upload_id: str) -> UploadRow | None:
    """Return the upload of that id in that repository."""
    row = _FIND.first(connection, upload_id=upload_id, registry=registry_id, repository=repository)
    return None if row is None else _upload(row)


def claim(connection: Connection, upload: UploadRow, token: str, now: Instant, until: Instant) -> bool:
    """Take the upload for one request if it stands where it was found and nobody else holds it."""
    taken = _CLAIM.count(connection, upload_id=upload.id, found_offset=upload.offset, now=now, token=token, until=until)
    return taken > 0


def renew(connection: Connection, upload_id: str, token: str, until: Instant) -> bool:
    """Keep the claim while bytes flow; returns whether it still holds."""
    return _RENEW.count(connection, upload_id=upload_id, token=token, until=until) > 0


def advance(
    connection: Connection, upload: UploadRow, token: str, writer_state: Mapping[str, object], expires_at: Instant
) -> bool:
    """Move the offset to what is durable and give the claim back; returns whether the claim still held."""
    moved = _ADVANCE.count(
        connection,
        upload_id=upload.id,
        token=token,
        new_offset=upload.offset,
        new_state=json.dumps(writer_state),
        new_expiry=expires_at,
    )
    return moved > 0


def release(connection: Connection, upload_id: str, token: str) -> None:
    """Give the claim back and leave the upload where it stood."""
    _RELEASE.count(connection, upload_id=upload_id, token=token)


def release_all(connection: Connection) -> int:
    """Free every claim: for the start of a node that has the database to itself. Returns how many there were."""
    return connection.execute(
        update(uploads).where(uploads.c.claim.is_not(None)).values(claim=None, claimed_until=None)
    ).rowcount


def end(connection: Connection, upload_id: str, token: str | None = None) -> bool:
    """Delete the row, with the claim if a token is given; returns whether it was there."""
    if token is None:
        return _END.count(connection, upload_id=upload_id) > 0
    return _END_HELD.count(connection, upload_id=upload_id, token=token) > 0


def expired(connection: Connection, registry_id: int, now: Instant, limit: int) -> Sequence[UploadRow]:
    """Return uploads of a registry whose time is over and that nobody is writing to."""
    free = uploads.c.claim.is_(None) | (uploads.c.claimed_until < now)
    over = (uploads.c.registry_id == registry_id) & (uploads.c.expires_at <= now)
    statement = select(*_COLUMNS).where(over, free).order_by(uploads.c.expires_at).limit(limit)
    return [_upload(row) for row in connection.execute(statement)]


def _upload(row: Row) -> UploadRow:
    upload_id, registry_id, repository_id, store_key, algorithm, offset, state = row
    return UploadRow(
        id=upload_id,
        registry_id=registry_id,
        repository_id=repository_id,
        store_key=store_key,
        algorithm=Algorithm(algorithm),
        offset=offset,
        writer_state=None if state is None else json.loads(state),
    )
