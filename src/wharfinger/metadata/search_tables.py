# SPDX-License-Identifier: Apache-2.0
"""The tables of search: by which terms a repository is found, besides its name."""

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

label_terms: Final = table(
    "label_terms",
    key("manifest_id", "manifests.id", ondelete="CASCADE"),
    words("term"),
    PrimaryKeyConstraint("manifest_id", "term"),
    index("ix_label_terms_term", "term", "manifest_id"),
    numbered=False,
)
"""`domain.search.label_terms_of` makes them of the annotations of a manifest and of the labels of its image. A manifest
that was read has the empty term, so that it is not read again."""
