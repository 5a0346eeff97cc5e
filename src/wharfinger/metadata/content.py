# SPDX-License-Identifier: Apache-2.0
"""Rows that say which kinds of content are not taken, and what a manifest that is here counts as.

A push finds both switches of its repository together with its lock (`metadata.repositories.lock`).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, ScalarSelect, bindparam, select, update

from wharfinger.domain.content import ContentKind, parse_kinds, text_of
from wharfinger.domain.digests import Digest
from wharfinger.metadata.database import Statement
from wharfinger.metadata.schema import deployment_switches, manifests

_NAME: Final = "kinds-off"
_SUBJECT: Final = Statement(
    select(manifests.c.media_type, manifests.c.artifact_type, manifests.c.subject_digest).where(
        manifests.c.repository_id == bindparam("repository"),
        manifests.c.digest == bindparam("digest"),
        manifests.c.deleted_at.is_(None),
    )
)
_CREATE: Final = Statement(
    lambda insert: insert(deployment_switches).on_conflict_do_nothing(), columns=("name", "value")
)


class Stored(NamedTuple):
    """What the row of a manifest says of its kind."""

    media_type: str
    artifact_type: str | None
    subject: Digest | None


def of_deployment() -> ScalarSelect[str]:
    """Return the part of a statement that finds what is switched off everywhere: a text, or null for nothing."""
    return select(deployment_switches.c.value).where(deployment_switches.c.name == _NAME).scalar_subquery()


def read(connection: Connection) -> frozenset[ContentKind]:
    """Return the kinds that are switched off for the deployment."""
    return parse_kinds(connection.execute(select(of_deployment())).scalar() or "")


def lock(connection: Connection) -> frozenset[ContentKind]:
    """Return the same, and let nobody else change it until the transaction ends."""
    _CREATE.count(connection, name=_NAME, value="")
    row = select(deployment_switches.c.value).where(deployment_switches.c.name == _NAME).with_for_update()
    return parse_kinds(connection.execute(row).scalar_one())


def put(connection: Connection, kinds: Iterable[ContentKind]) -> None:
    """Switch kinds off for the deployment, and all others on; the row is locked."""
    row = update(deployment_switches).where(deployment_switches.c.name == _NAME)
    connection.execute(row.values(value=text_of(kinds)))


def find(connection: Connection, repository_id: int, digest: Digest) -> Stored | None:
    """Return a live manifest of a repository."""
    row = _SUBJECT.first(connection, repository=repository_id, digest=digest)
    return None if row is None else Stored(*row)
