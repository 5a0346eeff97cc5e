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

Accounts, and what belongs to them, are drawn in `account_tables` and `sign_in_tables`.

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

from sqlalchemy import Column, ForeignKeyConstraint, LargeBinary, PrimaryKeyConstraint, UniqueConstraint

from wharfinger.metadata import (
    account_tables,
    figure_tables,
    page_tables,  # noqa: F401 - its tables are among them all
    retention_tables,  # noqa: F401 - its tables are among them all
    search_tables,  # noqa: F401 - as above
    sign_in_tables,
    upkeep_tables,
)
from wharfinger.metadata.tables import identifier, index, key, number, one_of, table, words

metadata: Final = account_tables.accounts.metadata
"""All tables, those of the modules whose names end in `_tables` among them."""

LEFT_OUT: Final = frozenset(
    table.name
    for table in (
        upkeep_tables.verifications,
        upkeep_tables.findings,
        upkeep_tables.holds,
        figure_tables.jobs,
        figure_tables.repository_figures,
    )
) | {"uploads", "signing_keys", sign_in_tables.sessions.name}
"""Tables that no backup has: they tell of one machine's work, of bytes that were never finished, of keys that sign for
minutes and are made anew when there are none, and of who was signed in then: a session that ended must not come back.
"""

deployment_switches: Final = table(
    "deployment_switches",
    words("name"),
    words("value", default=""),
    PrimaryKeyConstraint("name"),
    numbered=False,
)
"""What is switched for the whole deployment while it runs. `kinds-off` has what `namespaces.kinds_off` has."""

registries: Final = table(
    "registries",
    identifier(),
    words("name"),
    words("mark"),
    words("storage", nullable=True),
    words("private_id", nullable=True),
    number("public_endpoint", default=1),
    number("private_endpoint", default=1),
    number("public", default=0),
    number("anonymous_pull", default=1),
    number("account_namespaces", default=0),
    number("created_at"),
    number("untagged_after", nullable=True),
    number("sweep_after", nullable=True),
    number("version", default=1),
    number("opened_at", nullable=True),
    number("deleted_at", nullable=True),
    number("deletion_id", nullable=True),
    number("leaves_images", default=0),
    words("inventory", nullable=True),
    words("claim", nullable=True),
    number("claimed_until", nullable=True),
    index("uq_registries_name_live", "name", unique=True, where="deleted_at IS NULL"),
    index("uq_registries_storage", "storage", unique=True, where="storage IS NOT NULL"),
    UniqueConstraint("private_id"),
    UniqueConstraint("mark"),
)
"""`mark` is also written into the storage, so that no other registry takes it for its own. `version` grows with every
change of any registry: the highest one says whether what a process knows is still so. One without `opened_at` is being
opened: what its storage held before is still to come back. One with `deleted_at` is being closed as long as it has its
`storage`; `leaves_images` says that its images stay there, and `inventory` is the digest of the inventory that names
them, until a registry took them on. `claim` is the token of the one process that opens or closes it; a dead one's claim
ends by itself. `account_namespaces` says that a new namespace belongs to
the account of its name, if there is one. `untagged_after` is how long a manifest without a tag is kept after it was
last used; nothing for as long as it is not deleted. `sweep_after` is the manifest after which a rule that changed is
still to be applied; nothing if none is."""

registry_hosts: Final = table(
    "registry_hosts",
    words("host"),
    key("registry_id", "registries.id", ondelete="CASCADE"),
    PrimaryKeyConstraint("host"),
    index("ix_registry_hosts_registry_id", "registry_id"),
    numbered=False,
)
"""Hosts that a registry was given, besides those that follow from its name and its private id."""

namespaces: Final = table(
    "namespaces",
    identifier(),
    key("registry_id", "registries.id"),
    words("name"),
    key("owner_id", "accounts.id", nullable=True),
    words("default_visibility"),
    words("kinds_off", default=""),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    one_of("default_visibility", "private", "internal", "public"),
    UniqueConstraint("registry_id", "name"),
    index("ix_namespaces_owner_id", "owner_id"),
)
"""`kinds_off` lists the kinds of content that are not taken there, with commas between them."""

repositories: Final = table(
    "repositories",
    identifier(),
    key("registry_id", "registries.id"),
    key("namespace_id", "namespaces.id", nullable=True),
    words("name"),
    words("description", nullable=True),
    words("source", nullable=True),
    words("visibility"),
    number("inherits", default=0),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    number("made_by_rule", nullable=True),
    number("listed_at", nullable=True),
    number("changed_at"),
    number("revision", default=0),
    words("immutable_tags", default="none"),
    number("immutable_deletable", default=0),
    number("deleted_at", nullable=True),
    number("deletion_id", nullable=True),
    number("purged_at", nullable=True),
    one_of("visibility", "private", "internal", "public"),
    index("uq_repositories_name_live", "registry_id", "name", unique=True, where="deleted_at IS NULL"),
    index(
        "ix_repositories_changed_at",
        "registry_id",
        "changed_at",
        "name",
        where="deleted_at IS NULL AND listed_at IS NOT NULL",
    ),
    index("ix_repositories_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
    index("ix_repositories_purged_at", "purged_at", where="purged_at IS NOT NULL"),
)
"""`listed_at` is the time of the first manifest: before it, no listing shows the repository. `revision` grows with
every change of what the repository shows, so a listing that was made for a revision is good as long as it stands.
`inherits` says that roles on its namespace reach it. `source` is empty where it was taken away on purpose, and is
nothing where nobody has said anything yet: only then does a manifest fill it in. `immutable_tags` are the rules of
`domain.policies.immutability`, as they are written. `made_by_rule` is the trust rule by which a
workload made it; no rule gets the id of one that was removed.

Here and below, `deleted_at` puts a row into the trash, `deletion_id` names the event that tells by whom, and
`purged_at` says that it does not come back: somebody ended its time, or the collector began to take it. Whoever takes
anything away from a deleted repository sets `purged_at` first, in the same transaction: as long as it is empty,
everything is there."""

blobs: Final = table(
    "blobs",
    identifier(),
    key("registry_id", "registries.id"),
    words("digest"),
    number("size"),
    words("store_key"),
    words("state"),
    number("created_at"),
    number("verified_at", nullable=True),
    one_of("state", "live", "quarantined", "missing"),
    UniqueConstraint("registry_id", "digest"),
    UniqueConstraint("registry_id", "store_key"),
)

repository_blobs: Final = table(
    "repository_blobs",
    key("repository_id", "repositories.id"),
    key("blob_id", "blobs.id"),
    number("created_at"),
    number("lease_until"),
    number("unlinked_at", nullable=True),
    number("purged_at", nullable=True),
    PrimaryKeyConstraint("repository_id", "blob_id"),
    index("ix_repository_blobs_blob_id", "blob_id"),
    index("ix_repository_blobs_unlinked_at", "unlinked_at", where="unlinked_at IS NOT NULL"),
    index("ix_repository_blobs_trash", "repository_id", "unlinked_at", where="unlinked_at IS NOT NULL"),
    numbered=False,
)
"""Memberships: which blobs a repository has."""

manifests: Final = table(
    "manifests",
    identifier(),
    key("repository_id", "repositories.id"),
    words("digest"),
    words("media_type"),
    words("artifact_type", nullable=True),
    number("size"),
    Column("content", LargeBinary, nullable=False),
    words("subject_digest", nullable=True),
    words("referrer", nullable=True),
    number("pushed_at"),
    key("pushed_by", "accounts.id", nullable=True),
    number("pulled_at", nullable=True),
    number("orphaned_at", nullable=True),
    number("deleted_at", nullable=True),
    number("deletion_id", nullable=True),
    number("purged_at", nullable=True),
    number("damaged_at", nullable=True),
    UniqueConstraint("repository_id", "digest"),
    UniqueConstraint("repository_id", "id"),
    index("ix_manifests_subject", "repository_id", "subject_digest", "digest", where="subject_digest IS NOT NULL"),
    index("ix_manifests_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
    index("ix_manifests_trash", "repository_id", "deleted_at", where="deleted_at IS NOT NULL"),
)
"""`referrer` is the descriptor that a referrers listing shows, ready to send; only a manifest with a subject has it.
`orphaned_at` is when what it was a part of, or attached to, was given up; it means nothing while there is another.
`damaged_at` is set where verification found other bytes than the digest names: such a manifest is not served until it
is pushed again."""

manifest_references: Final = table(
    "manifest_references",
    key("manifest_id", "manifests.id", ondelete="CASCADE"),
    number("position"),
    words("kind"),
    words("digest"),
    words("media_type"),
    number("size"),
    number("repository_id"),
    number("blob_id", nullable=True),
    number("child_id", nullable=True),
    PrimaryKeyConstraint("manifest_id", "position"),
    one_of("kind", "config", "layer", "child"),
    ForeignKeyConstraint(
        ["repository_id", "blob_id"],
        ["repository_blobs.repository_id", "repository_blobs.blob_id"],
        ondelete="RESTRICT",
    ),
    ForeignKeyConstraint(
        ["repository_id", "child_id"], ["manifests.repository_id", "manifests.id"], ondelete="RESTRICT"
    ),
    index("ix_manifest_references_blob", "repository_id", "blob_id"),
    index("ix_manifest_references_child", "repository_id", "child_id"),
    index("ix_manifest_references_open", "repository_id", "digest", where="blob_id IS NULL AND child_id IS NULL"),
    numbered=False,
)
"""Edges. One with neither key is open: the content is not here, and its arrival closes the edge."""

tags: Final = table(
    "tags",
    number("repository_id"),
    words("name"),
    number("manifest_id"),
    number("moved_at"),
    key("moved_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("repository_id", "name"),
    ForeignKeyConstraint(
        ["repository_id", "manifest_id"], ["manifests.repository_id", "manifests.id"], ondelete="RESTRICT"
    ),
    index("ix_tags_manifest", "repository_id", "manifest_id"),
    index("ix_tags_moved_at", "repository_id", "moved_at", "name"),
    numbered=False,
)

tag_history: Final = table(
    "tag_history",
    identifier(),
    key("repository_id", "repositories.id", ondelete="CASCADE"),
    words("name"),
    words("from_digest", nullable=True),
    words("to_digest", nullable=True),
    number("at"),
    key("event_id", "events.id"),
    words("principal", nullable=True),
    words("detail", nullable=True),
    index("ix_tag_history_name", "repository_id", "name", "at"),
    index("ix_tag_history_left", "repository_id", "from_digest", "at", where="from_digest IS NOT NULL"),
    index("ix_tag_history_repository_id", "repository_id", "id"),
    index("ix_tag_history_deleted", "at", where="to_digest IS NULL"),
    index("ix_tag_history_trash", "repository_id", "at", where="to_digest IS NULL"),
)
"""Every movement of every tag: nothing before it was created, nothing after it was deleted. Of one tag, each is later
than the one before it, whatever the clocks of two nodes say. `principal` and `detail` are those of a movement that was
made in a registry before this one, and came back with its inventory; of any other, the event has them."""

uploads: Final = table(
    "uploads",
    words("id"),
    key("registry_id", "registries.id"),
    key("repository_id", "repositories.id"),
    words("store_key"),
    words("algorithm"),
    number("offset"),
    words("writer_state", nullable=True),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    number("expires_at"),
    words("claim", nullable=True),
    number("claimed_until", nullable=True),
    PrimaryKeyConstraint("id"),
    index("ix_uploads_repository_id", "repository_id"),
    index("ix_uploads_expires_at", "expires_at"),
    numbered=False,
)
"""`claim` is the token of the one request that may add bytes now; a dead one's claim ends by itself."""

manifest_reviews: Final = table(
    "manifest_reviews",
    key("manifest_id", "manifests.id", ondelete="CASCADE"),
    number("due_at"),
    words("reason"),
    number("attempts"),
    number("version"),
    PrimaryKeyConstraint("manifest_id"),
    index("ix_manifest_reviews_due_at", "due_at"),
    numbered=False,
)

blob_reviews: Final = table(
    "blob_reviews",
    number("repository_id"),
    number("blob_id"),
    number("due_at"),
    words("reason"),
    number("attempts"),
    number("version"),
    PrimaryKeyConstraint("repository_id", "blob_id"),
    ForeignKeyConstraint(
        ["repository_id", "blob_id"],
        ["repository_blobs.repository_id", "repository_blobs.blob_id"],
        ondelete="CASCADE",
    ),
    index("ix_blob_reviews_due_at", "due_at"),
    numbered=False,
)
"""A blob is reviewed in one repository: a base layer that is in ten thousand of them is not looked for in each."""

tombstones: Final = table(
    "tombstones",
    identifier(),
    key("registry_id", "registries.id"),
    words("store_key"),
    number("size", nullable=True),
    number("not_before"),
    number("attempts"),
    number("created_at"),
    UniqueConstraint("registry_id", "store_key"),
    index("ix_tombstones_not_before", "not_before"),
)
"""Bytes that no row needs any more, and that are still to be removed from the store; `size` is how many, if they were
a blob's."""

events: Final = table(
    "events",
    identifier(),
    number("at"),
    words("action"),
    words("result", default="done"),
    number("count", default=1),
    key("registry_id", "registries.id", nullable=True),
    number("repository_id", nullable=True),
    words("repository", nullable=True),
    words("target", nullable=True),
    key("about_id", "accounts.id", nullable=True),
    words("tag", nullable=True),
    words("digest", nullable=True),
    words("previous_digest", nullable=True),
    words("media_type", nullable=True),
    number("size", nullable=True),
    words("principal"),
    key("account_id", "accounts.id", nullable=True),
    number("credential_id", nullable=True),
    words("client_address", nullable=True),
    words("request_id", nullable=True),
    words("user_agent", nullable=True),
    words("detail", nullable=True),
    index("ix_events_at", "at"),
    one_of("result", "done", "refused"),
    index("ix_events_repository_id", "repository_id", "id"),
    index("ix_events_about_id", "about_id", "id", where="about_id IS NOT NULL"),
    index("ix_events_refused", "id", where="result = 'refused'"),
)
"""Append-only: the audit log and the outbox of notifications in one. `target` names what an event is about that is no
repository: an account, a team, a credential; `detail` says more in words, and neither says anything secret. `about_id`
is the account that answers for the target. What was refused is here too, where it matters, and `count` says how often.
"""
