# SPDX-License-Identifier: Apache-2.0
"""The table of search: by which terms a repository is found, besides its name."""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint

from wharfinger.metadata.tables import index, key, table, words

search_terms: Final = table(
    "search_terms",
    key("repository_id", "repositories.id", ondelete="CASCADE"),
    words("term"),
    PrimaryKeyConstraint("repository_id", "term"),
    index("ix_search_terms_term", "term", "repository_id"),
    numbered=False,
)
"""`domain.search.terms_of` makes them of the descriptions, whenever one changes."""
