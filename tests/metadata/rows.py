# SPDX-License-Identifier: Apache-2.0
"""Rows made and read with as few words as possible."""

from sqlalchemy import select, text

from wharfinger.clock import DAY, SECOND, Instant, after
from wharfinger.domain.digests import Digest, digest_of
from wharfinger.domain.identity import Actor, Principal
from wharfinger.domain.manifests import OCI_MANIFEST, Descriptor, Edge, EdgeKind
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.policies.immutability import MUTABLE
from wharfinger.metadata import blobs, manifests, repositories, tags
from wharfinger.metadata.blobs import NewBlob
from wharfinger.metadata.manifests import Arrival, Destination, NewManifest
from wharfinger.metadata.tags import TagChange, Target

NOW = Instant(1_700_000_000 * SECOND)
LATER = after(NOW, DAY)
SOMEBODY = Actor(
    principal=Principal(name="somebody"), client_address="192.0.2.7", request_id="r-1", user_agent="client/1.0"
)
REGISTRY = 1
NAME = RepositoryName("acme/app")


def digest(content: str) -> Digest:
    """Return the digest of a text."""
    return digest_of(content.encode())


def make_repository(connection, name=NAME):
    """Make the repository if it is not there; return its id."""
    return repositories.ensure(connection, REGISTRY, RepositoryName(name), SOMEBODY, NOW)[0]


def make_blob(connection, repository_id, content="layer", *, key=None, lease_until=LATER):
    """Store a blob and make it a member; return its id."""
    new = NewBlob(registry_id=REGISTRY, digest=digest(content), size=len(content), store_key=key or f"ab/{content}")
    blob_id = blobs.put(connection, new, NOW, bury_at=LATER)
    blobs.join(connection, repository_id, blob_id, NOW, lease_until)
    return blob_id


def make_manifest(connection, repository_id, content="manifest", edges=(), *, subject=None, artifact_type=None):
    """Store a manifest and, if it is new, its edges; return its id."""
    new = NewManifest(
        repository_id=repository_id,
        digest=digest(content),
        media_type=OCI_MANIFEST,
        artifact_type=artifact_type,
        content=content.encode(),
        subject=subject,
        referrer=None if subject is None else f'{{"digest":"{digest(content)}"}}',
    )
    manifest_id, arrival = manifests.put(connection, new, SOMEBODY, NOW)
    if arrival is Arrival.NEW:
        manifests.put_edges(connection, repository_id, manifest_id, edges)
    if arrival is not Arrival.PRESENT:
        manifests.close_edges(connection, repository_id, new.digest, manifest_id)
    return manifest_id


def edge(content, position=0, *, kind=EdgeKind.LAYER, blob_id=None, child_id=None):
    """Return an edge to some content, and where it leads."""
    descriptor = Descriptor(media_type="application/octet-stream", digest=digest(content), size=len(content))
    edge = Edge(position=position, kind=kind, descriptor=descriptor)
    return edge, Destination(blob_id=blob_id, child_id=child_id)


def change(repository_id, now=NOW, name=NAME, rules=MUTABLE):
    """Return the circumstances of a change of tags."""
    return TagChange(
        registry_id=REGISTRY,
        repository_id=repository_id,
        repository=RepositoryName(name),
        rules=rules,
        by=SOMEBODY,
        now=now,
        review_at=after(now, DAY),
    )


def make_tag(connection, repository_id, name, content, now=NOW):
    """Have the tag name a manifest that is there."""
    found = manifests.find(connection, repository_id, digest(content))
    target = Target(manifest_id=found, digest=digest(content))
    tags.move(connection, change(repository_id, now), TagName(name), target)


def every(connection, table, **where):
    """Return the rows of a table that have these values, as dictionaries."""
    statement = select(table)
    for column, value in where.items():
        statement = statement.where(table.c[column] == value)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(*table.primary_key))]


def only(connection, table, **where):
    """Return the one row that has these values."""
    (row,) = every(connection, table, **where)
    return row


def count(connection, table):
    """Return how many rows a table has."""
    return connection.execute(text(f"SELECT count(*) FROM {table.name}")).scalar()
