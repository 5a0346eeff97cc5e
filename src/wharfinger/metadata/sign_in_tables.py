# SPDX-License-Identifier: Apache-2.0
"""Tables of how people sign in: sessions of browsers, identities at other servers, and what those vouch for.

```text
accounts ──< sessions                     teams ──< team_mappings: a group of a provider
    └──────< external_identities          credentials ──< credential_authorizations >── accounts (organization)
```

A provider is named as the settings name it. A session that ended has no row.
"""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

from wharfinger.metadata.tables import identifier, index, key, number, table, words

sessions: Final = table(
    "sessions",
    identifier(),
    key("account_id", "accounts.id"),
    words("fingerprint"),
    words("provider", nullable=True),
    number("signed_in_at"),
    number("seen_at"),
    words("client_address", nullable=True),
    words("user_agent", nullable=True),
    UniqueConstraint("fingerprint"),
    index("ix_sessions_account_id", "account_id"),
    index("ix_sessions_signed_in_at", "signed_in_at"),
)
"""`provider` says through which one the session came; nothing for a password."""

external_identities: Final = table(
    "external_identities",
    words("provider"),
    words("subject"),
    key("account_id", "accounts.id"),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("provider", "subject"),
    index("ix_external_identities_account_id", "account_id"),
    numbered=False,
)

team_mappings: Final = table(
    "team_mappings",
    key("team_id", "teams.id", ondelete="CASCADE"),
    words("provider"),
    words("group_name"),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("team_id", "provider", "group_name"),
    index("ix_team_mappings_provider", "provider", "group_name"),
    numbered=False,
)

credential_authorizations: Final = table(
    "credential_authorizations",
    key("credential_id", "credentials.id", ondelete="CASCADE"),
    key("organization_id", "accounts.id"),
    words("provider"),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("credential_id", "organization_id"),
    index("ix_credential_authorizations_organization_id", "organization_id"),
    numbered=False,
)
"""`provider` is the one that the organization demanded then: when it demands another one, the row counts no more."""
