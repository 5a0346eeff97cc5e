# SPDX-License-Identifier: Apache-2.0
"""The tables of retention: what was pulled, and by which rules tags stay.

```text
repositories ──< pulls                             repositories │ namespaces ──< retention_rules
```
"""

from typing import Final

from sqlalchemy import CheckConstraint, PrimaryKeyConstraint, UniqueConstraint

from wharfinger.metadata.tables import identifier, index, key, number, table, words

pulls: Final = table(
    "pulls",
    key("repository_id", "repositories.id", ondelete="CASCADE"),
    words("what"),
    number("day"),
    number("count"),
    number("last_at"),
    PrimaryKeyConstraint("repository_id", "what", "day"),
    index("ix_pulls_day", "day"),
    numbered=False,
)
"""`what` is a tag, a digest, or empty for the repository: no tag is empty or has a colon. `day` counts from 1970; day 0
holds the sum of all days that are too long ago to be told apart."""

retention_policies: Final = table(
    "retention_policies",
    identifier(),
    key("repository_id", "repositories.id", nullable=True, ondelete="CASCADE"),
    key("namespace_id", "namespaces.id", nullable=True, ondelete="CASCADE"),
    number("untagged_after", nullable=True),
    number("changed_at"),
    key("changed_by", "accounts.id", nullable=True),
    UniqueConstraint("repository_id"),
    UniqueConstraint("namespace_id"),
    CheckConstraint(
        "CASE WHEN repository_id IS NULL THEN 0 ELSE 1 END + CASE WHEN namespace_id IS NULL THEN 0 ELSE 1 END = 1",
        name="place",
    ),
)
"""One of a repository counts instead of that of its namespace. Times are spans in microseconds."""

retention_rules: Final = table(
    "retention_rules",
    key("policy_id", "retention_policies.id", ondelete="CASCADE"),
    number("position"),
    words("name"),
    words("tags"),
    number("newest", nullable=True),
    number("moved_within", nullable=True),
    number("pulled_within", nullable=True),
    PrimaryKeyConstraint("policy_id", "position"),
    numbered=False,
)
"""`tags` are patterns, as they are written."""
