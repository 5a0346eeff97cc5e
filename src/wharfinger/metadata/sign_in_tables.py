# SPDX-License-Identifier: Apache-2.0
"""Tables of how people sign in: sessions of browsers, second factors, identities at other servers and their word.

```text
accounts ──< sessions                     teams ──< team_mappings: a group of a provider
    │  └───< external_identities          credentials ──< credential_authorizations >── accounts (organization)
    └──────< second_factors, recovery_codes, factor_locks (at most one)
```

A provider is named as the settings name it. A session that ended has no row.
"""

from typing import Final

from sqlalchemy import CheckConstraint, PrimaryKeyConstraint, UniqueConstraint

from wharfinger.metadata.tables import identifier, index, key, number, one_of, table, words

sessions: Final = table(
    "sessions",
    identifier(),
    key("account_id", "accounts.id"),
    words("fingerprint"),
    words("provider", nullable=True),
    words("factor", nullable=True),
    number("signed_in_at"),
    number("seen_at"),
    words("client_address", nullable=True),
    words("user_agent", nullable=True),
    UniqueConstraint("fingerprint"),
    index("ix_sessions_account_id", "account_id"),
    index("ix_sessions_signed_in_at", "signed_in_at"),
)
"""`provider` says through which one the session came, `factor` what was shown besides a password, or instead of one;
neither for a password alone."""

second_factors: Final = table(
    "second_factors",
    identifier(),
    key("account_id", "accounts.id"),
    words("kind"),
    words("name"),
    words("secret", nullable=True),
    words("public_id", nullable=True),
    words("public_key", nullable=True),
    words("site", nullable=True),
    number("counter", default=0),
    number("created_at"),
    number("last_used_at", nullable=True),
    one_of("kind", "app", "passkey"),
    CheckConstraint(
        "CASE WHEN secret IS NULL THEN 0 ELSE 1 END = CASE WHEN kind = 'app' THEN 1 ELSE 0 END AND "
        "CASE WHEN public_key IS NULL OR public_id IS NULL OR site IS NULL THEN 0 ELSE 1 END = "
        "CASE WHEN kind = 'passkey' THEN 1 ELSE 0 END",
        name="holds",
    ),
    UniqueConstraint("public_id"),
    index("ix_second_factors_account_id", "account_id"),
)
"""`secret` of an app is sealed. A passkey has the id and the public key that its authenticator gave, for one `site`.
`counter` is the step of an app's last code, or how often the authenticator says that it signed."""

recovery_codes: Final = table(
    "recovery_codes",
    key("account_id", "accounts.id"),
    words("fingerprint"),
    number("created_at"),
    PrimaryKeyConstraint("account_id", "fingerprint"),
    numbered=False,
)
"""A code that was used has no row."""

factor_locks: Final = table(
    "factor_locks",
    key("account_id", "accounts.id"),
    number("failures", default=0),
    number("locked_until", nullable=True),
    PrimaryKeyConstraint("account_id"),
    numbered=False,
)
"""Wrong codes since the last right one."""

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
