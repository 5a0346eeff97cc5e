# SPDX-License-Identifier: Apache-2.0
"""The tables of upkeep: how far a verification is, what it found, and what holds burials back.

```text
registries ──< verifications ──< findings          holds
```

None of them is part of a backup: they tell of one machine's work, not of content.
"""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

from wharfinger.metadata.tables import identifier, index, key, number, one_of, table, words

verifications: Final = table(
    "verifications",
    identifier(),
    key("registry_id", "registries.id", ondelete="CASCADE"),
    words("scope"),
    words("phase"),
    number("position"),
    number("ceiling"),
    number("blobs", default=0),
    number("bytes", default=0),
    number("manifests", default=0),
    number("tags", default=0),
    number("objects", default=0),
    number("healed", default=0),
    number("started_at"),
    number("finished_at", nullable=True),
    words("claim", nullable=True),
    number("claimed_until", nullable=True),
    number("stopped_at", nullable=True),
    one_of("phase", "database", "blobs", "manifests", "tags", "store", "done"),
    index("uq_verifications_open", "registry_id", "scope", unique=True, where="finished_at IS NULL"),
    index("ix_verifications_scope", "registry_id", "scope", "id"),
)
"""`position` is the last id of the phase that was looked at, `ceiling` the last one there was when the phase began.
`claim` is the token of the one process that is at work; a dead one's claim ends by itself.
`stopped_at` says that whoever is at work is to leave it, and that the background leaves it alone."""

findings: Final = table(
    "findings",
    identifier(),
    key("verification_id", "verifications.id", ondelete="CASCADE"),
    words("kind"),
    words("what"),
    words("detail"),
    number("at"),
    UniqueConstraint("verification_id", "kind", "what"),
)
"""What was looked at twice, because a process died between, is found once."""

holds: Final = table(
    "holds",
    words("name"),
    words("token"),
    number("since"),
    number("until"),
    PrimaryKeyConstraint("name"),
    numbered=False,
)
"""While one stands, nothing is buried. A backup renews its hold; a dead one's ends by itself."""
