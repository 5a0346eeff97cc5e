# SPDX-License-Identifier: Apache-2.0
"""The tables of figures over time, and of what background jobs say of themselves.

```text
registries ──< figures          repositories ──o repository_figures          jobs
```
"""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint

from wharfinger.metadata.tables import index, key, number, table, words

figures: Final = table(
    "figures",
    key("registry_id", "registries.id", ondelete="CASCADE"),
    number("day"),
    number("bytes"),
    number("blobs"),
    number("repositories"),
    number("pulls"),
    number("taken_at"),
    PrimaryKeyConstraint("registry_id", "day"),
    numbered=False,
)
"""What a registry held, one row for each day, counted from 1970; the row of today changes until the day ends."""

repository_figures: Final = table(
    "repository_figures",
    key("repository_id", "repositories.id", ondelete="CASCADE"),
    number("bytes"),
    number("blobs"),
    number("pulls", default=0),
    number("stars", default=0),
    number("measured_at"),
    PrimaryKeyConstraint("repository_id"),
    index("ix_repository_figures_bytes", "bytes", "repository_id"),
    numbered=False,
)
"""How much every repository held when it was last measured, how often it was pulled, and how many marked it: a list
that is sorted by one of these adds up nothing. A row comes with whichever of them is known first; one that was not
measured yet has 0 in `measured_at`."""

jobs: Final = table(
    "jobs",
    words("node"),
    words("name"),
    number("interval"),
    number("seen_at"),
    number("started_at", nullable=True),
    number("ended_at", nullable=True),
    words("outcome", nullable=True),
    number("done", default=0),
    words("reason", nullable=True),
    number("next_at", nullable=True),
    number("wanted_at", nullable=True),
    PrimaryKeyConstraint("node", "name"),
    numbered=False,
)
"""What each background job of each node does, or did last. It is at work where it started after it ended. `wanted_at`
says that somebody wants it to run now."""
