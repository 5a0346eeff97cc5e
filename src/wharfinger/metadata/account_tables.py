# SPDX-License-Identifier: Apache-2.0
"""Tables of who there is, what each may do, and what each may show.

```text
accounts ──< memberships >── accounts (organization)      accounts ──< passwords (at most one)
    │             ▲                │                          │
    │             └─ team_members >┴─< teams ──┐              ├──< credentials ──< credential_repositories
    │                                          │              │        └──< credentials (refresh: its parent)
    └─────────────< grants >───────────────────┘
                      └── place: a repository, a namespace, a registry, or none of them: the deployment
```

Laws that the tables enforce:

- A robot belongs to one organization or to one registry; nobody else belongs to anything.
- Who is in a team is a member of its organization (a key of two columns): leaving the organization leaves its teams.
- A grant has one subject and at most one place, and there is one grant for each subject and place.
- A trust rule has one place, and ends with it.
- Deleted accounts keep their rows, because others refer to them by key; what they held does not.
- No table holds a secret in a form that can be shown: passwords and credentials are hashes, signing keys encrypted.
"""

from typing import Final

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

from wharfinger.metadata.tables import identifier, index, key, number, one_of, table, words

accounts: Final = table(
    "accounts",
    identifier(),
    words("kind"),
    words("name"),
    words("display_name", nullable=True),
    words("email", nullable=True),
    words("language", nullable=True),
    words("description", nullable=True),
    words("access_type", default="both"),
    number("anonymous_pull", default=1),
    words("single_sign_on", nullable=True),
    key("organization_id", "accounts.id", nullable=True),
    key("registry_id", "registries.id", nullable=True),
    number("created_at"),
    number("suspended_at", nullable=True),
    number("deleted_at", nullable=True),
    one_of("kind", "user", "organization", "robot"),
    one_of("access_type", "console", "keys", "both"),
    CheckConstraint(
        "CASE WHEN organization_id IS NULL THEN 0 ELSE 1 END + CASE WHEN registry_id IS NULL THEN 0 ELSE 1 END = "
        "CASE WHEN kind = 'robot' THEN 1 ELSE 0 END",
        name="belongs",
    ),
    index("uq_accounts_name_live", "name", unique=True, where="deleted_at IS NULL"),
    index("ix_accounts_organization_id", "organization_id"),
)
"""`organization_id` and `registry_id` say whose a robot is. `anonymous_pull` is an organization's switch, and
`single_sign_on` the provider through which it demands that its members sign in."""

passwords: Final = table(
    "passwords",
    key("account_id", "accounts.id"),
    words("hash"),
    number("changed_at"),
    number("failures", default=0),
    number("locked_until", nullable=True),
    number("one_time", default=0),
    PrimaryKeyConstraint("account_id"),
    numbered=False,
)
"""`failures` counts wrong ones since the last right one. One that is `one_time` was given by somebody else, and is good
for choosing another one."""

places: Final = table(
    "places",
    key("account_id", "accounts.id"),
    words("network"),
    number("succeeded_at"),
    number("failures", default=0),
    number("locked_until", nullable=True),
    PrimaryKeyConstraint("account_id", "network"),
    index("ix_places_succeeded_at", "succeeded_at"),
    numbered=False,
)
"""Networks from which an account signed in with its password: wrong ones from there count there (`domain.lockout`)."""

memberships: Final = table(
    "memberships",
    key("organization_id", "accounts.id"),
    key("user_id", "accounts.id"),
    words("role"),
    words("mapped_by", nullable=True),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("organization_id", "user_id"),
    one_of("role", "owner", "member"),
    index("ix_memberships_user_id", "user_id"),
    numbered=False,
)
"""`mapped_by` names the provider whose groups brought the user here; nothing for who was put here by hand."""

teams: Final = table(
    "teams",
    identifier(),
    key("organization_id", "accounts.id"),
    words("name"),
    words("description", nullable=True),
    number("created_at"),
    UniqueConstraint("organization_id", "name"),
    UniqueConstraint("organization_id", "id"),
)

team_members: Final = table(
    "team_members",
    number("team_id"),
    number("organization_id"),
    number("user_id"),
    words("mapped_by", nullable=True),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    PrimaryKeyConstraint("team_id", "user_id"),
    ForeignKeyConstraint(["organization_id", "team_id"], ["teams.organization_id", "teams.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["organization_id", "user_id"], ["memberships.organization_id", "memberships.user_id"], ondelete="CASCADE"
    ),
    index("ix_team_members_user_id", "user_id"),
    index("ix_team_members_member", "organization_id", "user_id"),
    numbered=False,
)
"""`mapped_by` as in `memberships`."""

grants: Final = table(
    "grants",
    identifier(),
    key("account_id", "accounts.id", nullable=True),
    key("team_id", "teams.id", nullable=True, ondelete="CASCADE"),
    key("repository_id", "repositories.id", nullable=True, ondelete="CASCADE"),
    key("namespace_id", "namespaces.id", nullable=True, ondelete="CASCADE"),
    key("registry_id", "registries.id", nullable=True, ondelete="CASCADE"),
    words("role"),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    one_of("role", "read", "write", "admin"),
    CheckConstraint(
        "CASE WHEN account_id IS NULL THEN 0 ELSE 1 END + CASE WHEN team_id IS NULL THEN 0 ELSE 1 END = 1",
        name="subject",
    ),
    CheckConstraint(
        "CASE WHEN repository_id IS NULL THEN 0 ELSE 1 END + CASE WHEN namespace_id IS NULL THEN 0 ELSE 1 END + "
        "CASE WHEN registry_id IS NULL THEN 0 ELSE 1 END <= 1",
        name="place",
    ),
    # Rows whose key has a hole are not compared, so each of these speaks of its own kind of grant alone.
    *(
        index(f"uq_grants_{place}_{subject}", f"{place}_id", f"{subject}_id", unique=True)
        for place in ("repository", "namespace", "registry")
        for subject in ("account", "team")
    ),
    *(
        index(
            f"uq_grants_deployment_{subject}",
            f"{subject}_id",
            unique=True,
            where="repository_id IS NULL AND namespace_id IS NULL AND registry_id IS NULL",
        )
        for subject in ("account", "team")
    ),
    index("ix_grants_account_id", "account_id"),
    index("ix_grants_team_id", "team_id"),
)

credentials: Final = table(
    "credentials",
    identifier(),
    words("kind"),
    key("account_id", "accounts.id"),
    words("name"),
    words("public_id", nullable=True),
    words("fingerprint"),
    words("hint"),
    words("scopes", nullable=True),
    number("limited", default=0),
    number("expires_at", nullable=True),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    number("last_used_at", nullable=True),
    words("last_used_from", nullable=True),
    number("revoked_at", nullable=True),
    key("parent_id", "credentials.id", nullable=True),
    words("device", nullable=True),
    words("client_address", nullable=True),
    one_of("kind", "token", "key", "refresh"),
    UniqueConstraint("public_id"),
    UniqueConstraint("fingerprint"),
    index("ix_credentials_account_id", "account_id"),
    index("ix_credentials_parent_id", "parent_id"),
)
"""`device` and `client_address` say where a refresh token was given. `limited` says that `credential_repositories`
lists all that it may touch, which is nothing once those are gone."""

credential_repositories: Final = table(
    "credential_repositories",
    key("credential_id", "credentials.id", ondelete="CASCADE"),
    key("repository_id", "repositories.id", ondelete="CASCADE"),
    PrimaryKeyConstraint("credential_id", "repository_id"),
    index("ix_credential_repositories_repository_id", "repository_id"),
    numbered=False,
)

trust_rules: Final = table(
    "trust_rules",
    identifier(),
    words("name"),
    words("issuer"),
    words("audience"),
    words("conditions"),
    key("registry_id", "registries.id", ondelete="CASCADE"),
    key("namespace_id", "namespaces.id", nullable=True, ondelete="CASCADE"),
    key("repository_id", "repositories.id", nullable=True, ondelete="CASCADE"),
    words("role"),
    words("source", nullable=True),
    words("tags", nullable=True),
    words("jwks", nullable=True),
    number("created_at"),
    key("created_by", "accounts.id", nullable=True),
    one_of("role", "read", "write", "admin"),
    CheckConstraint("namespace_id IS NULL OR repository_id IS NULL", name="place"),
    index("ix_trust_rules_issuer", "registry_id", "issuer"),
    index("ix_trust_rules_namespace_id", "namespace_id"),
    index("ix_trust_rules_repository_id", "repository_id"),
)
"""Whose identity tokens are believed, and what they give: on the registry, unless a namespace or a repository is named.
`conditions` is a JSON object from claims to lists of values; `tags` are patterns with spaces between them."""

signing_keys: Final = table(
    "signing_keys",
    words("kid"),
    words("private_key"),
    number("created_at"),
    number("signs_from"),
    PrimaryKeyConstraint("kid"),
    numbered=False,
)
"""`private_key` is sealed. Until when a key signs and verifies follows from the next one's row (`security.keys`)."""
