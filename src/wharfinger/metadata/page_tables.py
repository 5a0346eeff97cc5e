# SPDX-License-Identifier: Apache-2.0
"""The tables of what only pages show: full descriptions, and stars.

```text
repositories ──< descriptions (at most one)      accounts ──< stars >── repositories
```
"""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint

from wharfinger.metadata.tables import index, key, number, table, words

descriptions: Final = table(
    "descriptions",
    key("repository_id", "repositories.id", ondelete="CASCADE"),
    words("text"),
    number("changed_at"),
    key("changed_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("repository_id"),
    numbered=False,
)
"""Markdown, as it was written. It is no column of `repositories`, because no list and no pull reads it."""

stars: Final = table(
    "stars",
    key("account_id", "accounts.id"),
    key("repository_id", "repositories.id", ondelete="CASCADE"),
    number("at"),
    PrimaryKeyConstraint("account_id", "repository_id"),
    index("ix_stars_repository_id", "repository_id"),
    numbered=False,
)
