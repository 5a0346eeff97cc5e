# SPDX-License-Identifier: Apache-2.0
"""The data model on a few screens. `migrations/` builds the same tables; a test holds the two equal.

```text
registries ──< namespaces ──< repositories ──< tags ─────▶ manifests ──< manifest_references
     │                            │                            ▲  │            │        │
     │                            ├──< repository_blobs ◀──────│──┼────────────┘        │
     │                            │            │               └──┴─────────────────────┘ (child)
     ├──< blobs ◀─────────────────┼────────────┘
     ├──< uploads ────────────────┘          tag_history, events: append-only, name things by value
     └──< tombstones                         manifest_reviews, blob_reviews: what may have lost its last reference
```

Laws that the tables enforce:

- A reference holds the *membership* of a blob in the repository, not only the blob (`manifest_references` →
  `repository_blobs` → `blobs`, both `RESTRICT`): a collector that removes a membership and a push that relies on it
  cannot both commit.
- A tag names a manifest of its own repository (a key of two columns).
- What is deleted is first marked (`deleted_at`, `unlinked_at`) and hidden; rows go later.
- `store_key` names an ingest and is data: it is never computed from a digest.
- Ids are never used again. Names, tags and digests compare by bytes. Times are microseconds since 1970, UTC.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

NAMING: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
metadata: Final = MetaData(naming_convention=NAMING)

INTEGER: Final = BigInteger().with_variant(Integer(), "sqlite")
TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")


def _id() -> Column[int]:
    return Column("id", INTEGER, Identity(), primary_key=True)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, INTEGER, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=nullable)


def _key(name: str, target: str, *, nullable: bool = False, ondelete: str = "RESTRICT") -> Column[int]:
    return Column(name, INTEGER, ForeignKey(target, ondelete=ondelete), nullable=nullable)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _index(name: str, *columns: str, unique: bool = False, where: str | None = None) -> Index:
    condition = None if where is None else text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _table(name: str, *parts: SchemaItem, numbered: bool = True) -> Table:
    """Return a strict table; one that is numbered never gives the id of a deleted row to another (`AUTOINCREMENT`)."""
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_autoincrement=numbered)


accounts: Final = _table(
    "accounts",
    _id(),
    _text("kind"),
    _text("name"),
    _number("created_at"),
    _number("deleted_at", nullable=True),
    _one_of("kind", "user", "organization", "robot"),
    _index("uq_accounts_name_live", "name", unique=True, where="deleted_at IS NULL"),
)
"""Who can own a namespace and act; empty in open mode, and here from the start because rows refer to it."""

registries: Final = _table(
    "registries",
    _id(),
    _text("name"),
    _number("created_at"),
    _key("created_by", "accounts.id", nullable=True),
    UniqueConstraint("name"),
)

namespaces: Final = _table(
    "namespaces",
    _id(),
    _key("registry_id", "registries.id"),
    _text("name"),
    _key("owner_id", "accounts.id", nullable=True),
    _text("default_visibility"),
    _number("created_at"),
    _key("created_by", "accounts.id", nullable=True),
    _one_of("default_visibility", "private", "internal", "public"),
    UniqueConstraint("registry_id", "name"),
)

repositories: Final = _table(
    "repositories",
    _id(),
    _key("registry_id", "registries.id"),
    _key("namespace_id", "namespaces.id", nullable=True),
    _text("name"),
    _text("visibility"),
    _number("created_at"),
    _key("created_by", "accounts.id", nullable=True),
    _number("listed_at", nullable=True),
    _number("changed_at"),
    Column("revision", INTEGER, nullable=False, server_default=text("0")),
    _number("deleted_at", nullable=True),
    _one_of("visibility", "private", "internal", "public"),
    _index("uq_repositories_name_live", "registry_id", "name", unique=True, where="deleted_at IS NULL"),
)
"""`listed_at` is the time of the first manifest: before it, no listing shows the repository. `revision` grows with
every change of what the repository shows, so a listing that was made for a revision is good as long as it stands."""

blobs: Final = _table(
    "blobs",
    _id(),
    _key("registry_id", "registries.id"),
    _text("digest"),
    _number("size"),
    _text("store_key"),
    _text("state"),
    _number("created_at"),
    _number("verified_at", nullable=True),
    _one_of("state", "live", "quarantined", "missing"),
    UniqueConstraint("registry_id", "digest"),
    UniqueConstraint("registry_id", "store_key"),
)

repository_blobs: Final = _table(
    "repository_blobs",
    _key("repository_id", "repositories.id"),
    _key("blob_id", "blobs.id"),
    _number("created_at"),
    _number("lease_until"),
    _number("unlinked_at", nullable=True),
    PrimaryKeyConstraint("repository_id", "blob_id"),
    _index("ix_repository_blobs_blob_id", "blob_id"),
    numbered=False,
)
"""Memberships: which blobs a repository has."""

manifests: Final = _table(
    "manifests",
    _id(),
    _key("repository_id", "repositories.id"),
    _text("digest"),
    _text("media_type"),
    _text("artifact_type", nullable=True),
    _number("size"),
    Column("content", LargeBinary, nullable=False),
    _text("subject_digest", nullable=True),
    _text("referrer", nullable=True),
    _number("pushed_at"),
    _key("pushed_by", "accounts.id", nullable=True),
    _number("deleted_at", nullable=True),
    UniqueConstraint("repository_id", "digest"),
    UniqueConstraint("repository_id", "id"),
    _index("ix_manifests_subject", "repository_id", "subject_digest", "digest", where="subject_digest IS NOT NULL"),
)
"""`referrer` is the descriptor that a referrers listing shows, ready to send; only a manifest with a subject has it."""

manifest_references: Final = _table(
    "manifest_references",
    _key("manifest_id", "manifests.id", ondelete="CASCADE"),
    _number("position"),
    _text("kind"),
    _text("digest"),
    _text("media_type"),
    _number("size"),
    _number("repository_id"),
    _number("blob_id", nullable=True),
    _number("child_id", nullable=True),
    PrimaryKeyConstraint("manifest_id", "position"),
    _one_of("kind", "config", "layer", "child"),
    ForeignKeyConstraint(
        ["repository_id", "blob_id"],
        ["repository_blobs.repository_id", "repository_blobs.blob_id"],
        ondelete="RESTRICT",
    ),
    ForeignKeyConstraint(
        ["repository_id", "child_id"], ["manifests.repository_id", "manifests.id"], ondelete="RESTRICT"
    ),
    _index("ix_manifest_references_blob", "repository_id", "blob_id"),
    _index("ix_manifest_references_child", "repository_id", "child_id"),
    _index("ix_manifest_references_open", "repository_id", "digest", where="blob_id IS NULL AND child_id IS NULL"),
    numbered=False,
)
"""Edges. One with neither key is open: the content is not here, and its arrival closes the edge."""

tags: Final = _table(
    "tags",
    _number("repository_id"),
    _text("name"),
    _number("manifest_id"),
    _number("moved_at"),
    _key("moved_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("repository_id", "name"),
    ForeignKeyConstraint(
        ["repository_id", "manifest_id"], ["manifests.repository_id", "manifests.id"], ondelete="RESTRICT"
    ),
    _index("ix_tags_manifest", "repository_id", "manifest_id"),
    numbered=False,
)

tag_history: Final = _table(
    "tag_history",
    _id(),
    _key("repository_id", "repositories.id", ondelete="CASCADE"),
    _text("name"),
    _text("from_digest", nullable=True),
    _text("to_digest", nullable=True),
    _number("at"),
    _key("event_id", "events.id"),
    _index("ix_tag_history_name", "repository_id", "name", "at"),
)
"""Every movement of every tag: nothing before it was created, nothing after it was deleted."""

uploads: Final = _table(
    "uploads",
    _text("id"),
    _key("registry_id", "registries.id"),
    _key("repository_id", "repositories.id"),
    _text("store_key"),
    _text("algorithm"),
    _number("offset"),
    _text("writer_state", nullable=True),
    _number("created_at"),
    _key("created_by", "accounts.id", nullable=True),
    _number("expires_at"),
    _text("claim", nullable=True),
    _number("claimed_until", nullable=True),
    PrimaryKeyConstraint("id"),
    _index("ix_uploads_repository_id", "repository_id"),
    _index("ix_uploads_expires_at", "expires_at"),
    numbered=False,
)
"""`claim` is the token of the one request that may add bytes now; a dead one's claim ends by itself."""

manifest_reviews: Final = _table(
    "manifest_reviews",
    _key("manifest_id", "manifests.id", ondelete="CASCADE"),
    _number("due_at"),
    _text("reason"),
    _number("attempts"),
    _number("version"),
    PrimaryKeyConstraint("manifest_id"),
    _index("ix_manifest_reviews_due_at", "due_at"),
    numbered=False,
)

blob_reviews: Final = _table(
    "blob_reviews",
    _key("blob_id", "blobs.id", ondelete="CASCADE"),
    _number("due_at"),
    _text("reason"),
    _number("attempts"),
    _number("version"),
    PrimaryKeyConstraint("blob_id"),
    _index("ix_blob_reviews_due_at", "due_at"),
    numbered=False,
)

tombstones: Final = _table(
    "tombstones",
    _id(),
    _key("registry_id", "registries.id"),
    _text("store_key"),
    _number("not_before"),
    _number("attempts"),
    _number("created_at"),
    UniqueConstraint("registry_id", "store_key"),
    _index("ix_tombstones_not_before", "not_before"),
)
"""Bytes that no row needs any more, and that are still to be removed from the store."""

events: Final = _table(
    "events",
    _id(),
    _number("at"),
    _text("action"),
    _key("registry_id", "registries.id"),
    _number("repository_id", nullable=True),
    _text("repository", nullable=True),
    _text("tag", nullable=True),
    _text("digest", nullable=True),
    _text("previous_digest", nullable=True),
    _text("media_type", nullable=True),
    _number("size", nullable=True),
    _text("principal"),
    _key("account_id", "accounts.id", nullable=True),
    _number("credential_id", nullable=True),
    _text("client_address", nullable=True),
    _text("request_id", nullable=True),
    _text("user_agent", nullable=True),
    _text("detail", nullable=True),
    _index("ix_events_at", "at"),
    _index("ix_events_repository_id", "repository_id", "id"),
)
"""Append-only: the audit log and the outbox of notifications in one."""
