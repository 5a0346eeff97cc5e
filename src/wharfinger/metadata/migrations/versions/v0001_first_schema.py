# SPDX-License-Identifier: Apache-2.0
"""The first schema: registries, namespaces, repositories, blobs, manifests, tags, uploads, accounts, grants, events."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:  # noqa: PLR0915 - one statement for each table and index
    op.create_table(
        "deployment_switches",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_deployment_switches")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "registries",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("mark", TEXT, nullable=False),
        sa.Column("storage", TEXT, nullable=True),
        sa.Column("private_id", TEXT, nullable=True),
        sa.Column("public_endpoint", INTEGER, server_default=sa.text("1"), nullable=False),
        sa.Column("private_endpoint", INTEGER, server_default=sa.text("1"), nullable=False),
        sa.Column("public", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("anonymous_pull", INTEGER, server_default=sa.text("1"), nullable=False),
        sa.Column("account_namespaces", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("untagged_after", INTEGER, nullable=True),
        sa.Column("sweep_after", INTEGER, nullable=True),
        sa.Column("version", INTEGER, server_default=sa.text("1"), nullable=False),
        sa.Column("opened_at", INTEGER, nullable=True),
        sa.Column("deleted_at", INTEGER, nullable=True),
        sa.Column("deletion_id", INTEGER, nullable=True),
        sa.Column("leaves_images", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("inventory", TEXT, nullable=True),
        sa.Column("claim", TEXT, nullable=True),
        sa.Column("claimed_until", INTEGER, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registries")),
        sa.UniqueConstraint("private_id", name=op.f("uq_registries_private_id")),
        sa.UniqueConstraint("mark", name=op.f("uq_registries_mark")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "uq_registries_name_live",
        "registries",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "uq_registries_storage",
        "registries",
        ["storage"],
        unique=True,
        sqlite_where=sa.text("storage IS NOT NULL"),
        postgresql_where=sa.text("storage IS NOT NULL"),
    )
    op.create_table(
        "registry_hosts",
        sa.Column("host", TEXT, nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_registry_hosts_registry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_registry_hosts")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_registry_hosts_registry_id",
        "registry_hosts",
        ["registry_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("private_key", TEXT, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("signs_from", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "accounts",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("display_name", TEXT, nullable=True),
        sa.Column("email", TEXT, nullable=True),
        sa.Column("language", TEXT, nullable=True),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("access_type", TEXT, server_default="both", nullable=False),
        sa.Column("anonymous_pull", INTEGER, server_default=sa.text("1"), nullable=False),
        sa.Column("single_sign_on", TEXT, nullable=True),
        sa.Column("organization_id", INTEGER, nullable=True),
        sa.Column("registry_id", INTEGER, nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("suspended_at", INTEGER, nullable=True),
        sa.Column("deleted_at", INTEGER, nullable=True),
        sa.CheckConstraint(
            "CASE WHEN organization_id IS NULL THEN 0 ELSE 1 END + CASE WHEN registry_id IS NULL THEN 0 ELSE 1 END = "
            "CASE WHEN kind = 'robot' THEN 1 ELSE 0 END",
            name=op.f("ck_accounts_belongs"),
        ),
        sa.CheckConstraint("access_type IN ('console', 'keys', 'both')", name=op.f("ck_accounts_access_type")),
        sa.CheckConstraint("kind IN ('user', 'organization', 'robot')", name=op.f("ck_accounts_kind")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["accounts.id"], name=op.f("fk_accounts_organization_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_accounts_registry_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_accounts_organization_id",
        "accounts",
        ["organization_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "uq_accounts_name_live",
        "accounts",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "blobs",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("store_key", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("verified_at", INTEGER, nullable=True),
        sa.CheckConstraint("state IN ('live', 'quarantined', 'missing')", name=op.f("ck_blobs_state")),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_blobs_registry_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blobs")),
        sa.UniqueConstraint("registry_id", "digest", name=op.f("uq_blobs_registry_id_digest")),
        sa.UniqueConstraint("registry_id", "store_key", name=op.f("uq_blobs_registry_id_store_key")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "tombstones",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("store_key", TEXT, nullable=False),
        sa.Column("size", INTEGER, nullable=True),
        sa.Column("not_before", INTEGER, nullable=False),
        sa.Column("attempts", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_tombstones_registry_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstones")),
        sa.UniqueConstraint("registry_id", "store_key", name=op.f("uq_tombstones_registry_id_store_key")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_tombstones_not_before", "tombstones", ["not_before"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "credentials",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("public_id", TEXT, nullable=True),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("hint", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=True),
        sa.Column("limited", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("expires_at", INTEGER, nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.Column("last_used_at", INTEGER, nullable=True),
        sa.Column("last_used_from", TEXT, nullable=True),
        sa.Column("revoked_at", INTEGER, nullable=True),
        sa.Column("parent_id", INTEGER, nullable=True),
        sa.Column("device", TEXT, nullable=True),
        sa.Column("client_address", TEXT, nullable=True),
        sa.CheckConstraint("kind IN ('token', 'key', 'refresh')", name=op.f("ck_credentials_kind")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_credentials_account_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_credentials_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["credentials.id"], name=op.f("fk_credentials_parent_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_credentials_fingerprint")),
        sa.UniqueConstraint("public_id", name=op.f("uq_credentials_public_id")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_credentials_account_id",
        "credentials",
        ["account_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_credentials_parent_id", "credentials", ["parent_id"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "events",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("at", INTEGER, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("result", TEXT, server_default="done", nullable=False),
        sa.Column("count", INTEGER, server_default=sa.text("1"), nullable=False),
        sa.Column("registry_id", INTEGER, nullable=True),
        sa.Column("repository_id", INTEGER, nullable=True),
        sa.Column("repository", TEXT, nullable=True),
        sa.Column("target", TEXT, nullable=True),
        sa.Column("about_id", INTEGER, nullable=True),
        sa.Column("tag", TEXT, nullable=True),
        sa.Column("digest", TEXT, nullable=True),
        sa.Column("previous_digest", TEXT, nullable=True),
        sa.Column("media_type", TEXT, nullable=True),
        sa.Column("size", INTEGER, nullable=True),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("account_id", INTEGER, nullable=True),
        sa.Column("credential_id", INTEGER, nullable=True),
        sa.Column("client_address", TEXT, nullable=True),
        sa.Column("request_id", TEXT, nullable=True),
        sa.Column("user_agent", TEXT, nullable=True),
        sa.Column("detail", TEXT, nullable=True),
        sa.CheckConstraint("result IN ('done', 'refused')", name=op.f("ck_events_result")),
        sa.ForeignKeyConstraint(["about_id"], ["accounts.id"], name=op.f("fk_events_about_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_events_account_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_events_registry_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_events_about_id",
        "events",
        ["about_id", "id"],
        unique=False,
        sqlite_where=sa.text("about_id IS NOT NULL"),
        postgresql_where=sa.text("about_id IS NOT NULL"),
    )
    op.create_index(
        "ix_events_refused",
        "events",
        ["id"],
        unique=False,
        sqlite_where=sa.text("result = 'refused'"),
        postgresql_where=sa.text("result = 'refused'"),
    )
    op.create_index("ix_events_at", "events", ["at"], unique=False, sqlite_where=None, postgresql_where=None)
    op.create_index(
        "ix_events_repository_id",
        "events",
        ["repository_id", "id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "memberships",
        sa.Column("organization_id", INTEGER, nullable=False),
        sa.Column("user_id", INTEGER, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("mapped_by", TEXT, nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.CheckConstraint("role IN ('owner', 'member')", name=op.f("ck_memberships_role")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_memberships_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["accounts.id"], name=op.f("fk_memberships_organization_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["accounts.id"], name=op.f("fk_memberships_user_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_memberships")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_memberships_user_id", "memberships", ["user_id"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "namespaces",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("owner_id", INTEGER, nullable=True),
        sa.Column("default_visibility", TEXT, nullable=False),
        sa.Column("kinds_off", TEXT, server_default="", nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.CheckConstraint(
            "default_visibility IN ('private', 'internal', 'public')", name=op.f("ck_namespaces_default_visibility")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_namespaces_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["accounts.id"], name=op.f("fk_namespaces_owner_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_namespaces_registry_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_namespaces")),
        sa.UniqueConstraint("registry_id", "name", name=op.f("uq_namespaces_registry_id_name")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_namespaces_owner_id", "namespaces", ["owner_id"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "places",
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("network", TEXT, nullable=False),
        sa.Column("succeeded_at", INTEGER, nullable=False),
        sa.Column("failures", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_places_account_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("account_id", "network", name=op.f("pk_places")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_places_succeeded_at",
        "places",
        ["succeeded_at"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "passwords",
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("changed_at", INTEGER, nullable=False),
        sa.Column("failures", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", INTEGER, nullable=True),
        sa.Column("one_time", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_passwords_account_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_passwords")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "teams",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["accounts.id"], name=op.f("fk_teams_organization_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_teams_organization_id_id")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_teams_organization_id_name")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "repositories",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("namespace_id", INTEGER, nullable=True),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("source", TEXT, nullable=True),
        sa.Column("visibility", TEXT, nullable=False),
        sa.Column("inherits", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.Column("made_by_rule", INTEGER, nullable=True),
        sa.Column("listed_at", INTEGER, nullable=True),
        sa.Column("changed_at", INTEGER, nullable=False),
        sa.Column("revision", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("immutable_tags", TEXT, server_default="none", nullable=False),
        sa.Column("immutable_deletable", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("deleted_at", INTEGER, nullable=True),
        sa.Column("deletion_id", INTEGER, nullable=True),
        sa.Column("purged_at", INTEGER, nullable=True),
        sa.CheckConstraint("visibility IN ('private', 'internal', 'public')", name=op.f("ck_repositories_visibility")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_repositories_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name=op.f("fk_repositories_namespace_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_repositories_registry_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repositories")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_repositories_changed_at",
        "repositories",
        ["registry_id", "changed_at", "name"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL AND listed_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NULL AND listed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_repositories_deleted_at",
        "repositories",
        ["deleted_at"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_repositories_purged_at",
        "repositories",
        ["purged_at"],
        unique=False,
        sqlite_where=sa.text("purged_at IS NOT NULL"),
        postgresql_where=sa.text("purged_at IS NOT NULL"),
    )
    op.create_index(
        "uq_repositories_name_live",
        "repositories",
        ["registry_id", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "team_members",
        sa.Column("team_id", INTEGER, nullable=False),
        sa.Column("organization_id", INTEGER, nullable=False),
        sa.Column("user_id", INTEGER, nullable=False),
        sa.Column("mapped_by", TEXT, nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_team_members_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "team_id"],
            ["teams.organization_id", "teams.id"],
            name=op.f("fk_team_members_organization_id_team_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name=op.f("fk_team_members_organization_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("team_id", "user_id", name=op.f("pk_team_members")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_team_members_member",
        "team_members",
        ["organization_id", "user_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_team_members_user_id", "team_members", ["user_id"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "credential_repositories",
        sa.Column("credential_id", INTEGER, nullable=False),
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_credential_repositories_credential_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_credential_repositories_repository_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("credential_id", "repository_id", name=op.f("pk_credential_repositories")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_credential_repositories_repository_id",
        "credential_repositories",
        ["repository_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "grants",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("account_id", INTEGER, nullable=True),
        sa.Column("team_id", INTEGER, nullable=True),
        sa.Column("repository_id", INTEGER, nullable=True),
        sa.Column("namespace_id", INTEGER, nullable=True),
        sa.Column("registry_id", INTEGER, nullable=True),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.CheckConstraint("role IN ('read', 'write', 'admin')", name=op.f("ck_grants_role")),
        sa.CheckConstraint(
            "CASE WHEN account_id IS NULL THEN 0 ELSE 1 END + CASE WHEN team_id IS NULL THEN 0 ELSE 1 END = 1",
            name=op.f("ck_grants_subject"),
        ),
        sa.CheckConstraint(
            "CASE WHEN repository_id IS NULL THEN 0 ELSE 1 END + CASE WHEN namespace_id IS NULL THEN 0 ELSE 1 END + "
            "CASE WHEN registry_id IS NULL THEN 0 ELSE 1 END <= 1",
            name=op.f("ck_grants_place"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_grants_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name=op.f("fk_grants_namespace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_grants_registry_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_grants_repository_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_grants_team_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_grants_account_id", "grants", ["account_id"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_index("ix_grants_team_id", "grants", ["team_id"], unique=False, sqlite_where=None, postgresql_where=None)
    op.create_index(
        "uq_grants_deployment_account",
        "grants",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("repository_id IS NULL AND namespace_id IS NULL AND registry_id IS NULL"),
        postgresql_where=sa.text("repository_id IS NULL AND namespace_id IS NULL AND registry_id IS NULL"),
    )
    op.create_index(
        "uq_grants_deployment_team",
        "grants",
        ["team_id"],
        unique=True,
        sqlite_where=sa.text("repository_id IS NULL AND namespace_id IS NULL AND registry_id IS NULL"),
        postgresql_where=sa.text("repository_id IS NULL AND namespace_id IS NULL AND registry_id IS NULL"),
    )
    op.create_index(
        "uq_grants_namespace_account",
        "grants",
        ["namespace_id", "account_id"],
        unique=True,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "uq_grants_namespace_team",
        "grants",
        ["namespace_id", "team_id"],
        unique=True,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "uq_grants_registry_account",
        "grants",
        ["registry_id", "account_id"],
        unique=True,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "uq_grants_registry_team",
        "grants",
        ["registry_id", "team_id"],
        unique=True,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "uq_grants_repository_account",
        "grants",
        ["repository_id", "account_id"],
        unique=True,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "uq_grants_repository_team",
        "grants",
        ["repository_id", "team_id"],
        unique=True,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "trust_rules",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("audience", TEXT, nullable=False),
        sa.Column("conditions", TEXT, nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("namespace_id", INTEGER, nullable=True),
        sa.Column("repository_id", INTEGER, nullable=True),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=True),
        sa.Column("tags", TEXT, nullable=True),
        sa.Column("jwks", TEXT, nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.CheckConstraint("role IN ('read', 'write', 'admin')", name=op.f("ck_trust_rules_role")),
        sa.CheckConstraint("namespace_id IS NULL OR repository_id IS NULL", name=op.f("ck_trust_rules_place")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_trust_rules_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name=op.f("fk_trust_rules_namespace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_trust_rules_registry_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_trust_rules_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_rules")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_trust_rules_issuer",
        "trust_rules",
        ["registry_id", "issuer"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_trust_rules_namespace_id",
        "trust_rules",
        ["namespace_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_trust_rules_repository_id",
        "trust_rules",
        ["repository_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "manifests",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("media_type", TEXT, nullable=False),
        sa.Column("artifact_type", TEXT, nullable=True),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("subject_digest", TEXT, nullable=True),
        sa.Column("referrer", TEXT, nullable=True),
        sa.Column("pushed_at", INTEGER, nullable=False),
        sa.Column("pushed_by", INTEGER, nullable=True),
        sa.Column("pulled_at", INTEGER, nullable=True),
        sa.Column("orphaned_at", INTEGER, nullable=True),
        sa.Column("deleted_at", INTEGER, nullable=True),
        sa.Column("deletion_id", INTEGER, nullable=True),
        sa.Column("purged_at", INTEGER, nullable=True),
        sa.Column("damaged_at", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["pushed_by"], ["accounts.id"], name=op.f("fk_manifests_pushed_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_manifests_repository_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifests")),
        sa.UniqueConstraint("repository_id", "digest", name=op.f("uq_manifests_repository_id_digest")),
        sa.UniqueConstraint("repository_id", "id", name=op.f("uq_manifests_repository_id_id")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_manifests_subject",
        "manifests",
        ["repository_id", "subject_digest", "digest"],
        unique=False,
        sqlite_where=sa.text("subject_digest IS NOT NULL"),
        postgresql_where=sa.text("subject_digest IS NOT NULL"),
    )
    op.create_index(
        "ix_manifests_deleted_at",
        "manifests",
        ["deleted_at"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_manifests_trash",
        "manifests",
        ["repository_id", "deleted_at"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_table(
        "repository_blobs",
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("blob_id", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("lease_until", INTEGER, nullable=False),
        sa.Column("unlinked_at", INTEGER, nullable=True),
        sa.Column("purged_at", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["blob_id"], ["blobs.id"], name=op.f("fk_repository_blobs_blob_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_repository_blobs_repository_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("repository_id", "blob_id", name=op.f("pk_repository_blobs")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_repository_blobs_blob_id",
        "repository_blobs",
        ["blob_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_repository_blobs_unlinked_at",
        "repository_blobs",
        ["unlinked_at"],
        unique=False,
        sqlite_where=sa.text("unlinked_at IS NOT NULL"),
        postgresql_where=sa.text("unlinked_at IS NOT NULL"),
    )
    op.create_index(
        "ix_repository_blobs_trash",
        "repository_blobs",
        ["repository_id", "unlinked_at"],
        unique=False,
        sqlite_where=sa.text("unlinked_at IS NOT NULL"),
        postgresql_where=sa.text("unlinked_at IS NOT NULL"),
    )
    op.create_table(
        "tag_history",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("from_digest", TEXT, nullable=True),
        sa.Column("to_digest", TEXT, nullable=True),
        sa.Column("at", INTEGER, nullable=False),
        sa.Column("event_id", INTEGER, nullable=False),
        sa.Column("principal", TEXT, nullable=True),
        sa.Column("detail", TEXT, nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_tag_history_event_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_tag_history_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_history")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_tag_history_name",
        "tag_history",
        ["repository_id", "name", "at"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_tag_history_left",
        "tag_history",
        ["repository_id", "from_digest", "at"],
        unique=False,
        sqlite_where=sa.text("from_digest IS NOT NULL"),
        postgresql_where=sa.text("from_digest IS NOT NULL"),
    )
    op.create_index(
        "ix_tag_history_repository_id",
        "tag_history",
        ["repository_id", "id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_tag_history_deleted",
        "tag_history",
        ["at"],
        unique=False,
        sqlite_where=sa.text("to_digest IS NULL"),
        postgresql_where=sa.text("to_digest IS NULL"),
    )
    op.create_index(
        "ix_tag_history_trash",
        "tag_history",
        ["repository_id", "at"],
        unique=False,
        sqlite_where=sa.text("to_digest IS NULL"),
        postgresql_where=sa.text("to_digest IS NULL"),
    )
    op.create_table(
        "uploads",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("store_key", TEXT, nullable=False),
        sa.Column("algorithm", TEXT, nullable=False),
        sa.Column("offset", INTEGER, nullable=False),
        sa.Column("writer_state", TEXT, nullable=True),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.Column("expires_at", INTEGER, nullable=False),
        sa.Column("claim", TEXT, nullable=True),
        sa.Column("claimed_until", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_uploads_created_by"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_uploads_registry_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_uploads_repository_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_uploads_expires_at", "uploads", ["expires_at"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_index(
        "ix_uploads_repository_id", "uploads", ["repository_id"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "manifest_references",
        sa.Column("manifest_id", INTEGER, nullable=False),
        sa.Column("position", INTEGER, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("media_type", TEXT, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("blob_id", INTEGER, nullable=True),
        sa.Column("child_id", INTEGER, nullable=True),
        sa.CheckConstraint("kind IN ('config', 'layer', 'child')", name=op.f("ck_manifest_references_kind")),
        sa.ForeignKeyConstraint(
            ["manifest_id"], ["manifests.id"], name=op.f("fk_manifest_references_manifest_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id", "blob_id"],
            ["repository_blobs.repository_id", "repository_blobs.blob_id"],
            name=op.f("fk_manifest_references_repository_id_blob_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["repository_id", "child_id"],
            ["manifests.repository_id", "manifests.id"],
            name=op.f("fk_manifest_references_repository_id_child_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("manifest_id", "position", name=op.f("pk_manifest_references")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_manifest_references_blob",
        "manifest_references",
        ["repository_id", "blob_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_manifest_references_child",
        "manifest_references",
        ["repository_id", "child_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_manifest_references_open",
        "manifest_references",
        ["repository_id", "digest"],
        unique=False,
        sqlite_where=sa.text("blob_id IS NULL AND child_id IS NULL"),
        postgresql_where=sa.text("blob_id IS NULL AND child_id IS NULL"),
    )
    op.create_table(
        "blob_reviews",
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("blob_id", INTEGER, nullable=False),
        sa.Column("due_at", INTEGER, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("attempts", INTEGER, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id", "blob_id"],
            ["repository_blobs.repository_id", "repository_blobs.blob_id"],
            name=op.f("fk_blob_reviews_repository_id_blob_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", "blob_id", name=op.f("pk_blob_reviews")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_blob_reviews_due_at", "blob_reviews", ["due_at"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "manifest_reviews",
        sa.Column("manifest_id", INTEGER, nullable=False),
        sa.Column("due_at", INTEGER, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("attempts", INTEGER, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_id"], ["manifests.id"], name=op.f("fk_manifest_reviews_manifest_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("manifest_id", name=op.f("pk_manifest_reviews")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_manifest_reviews_due_at",
        "manifest_reviews",
        ["due_at"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "sessions",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=True),
        sa.Column("factor", TEXT, nullable=True),
        sa.Column("signed_in_at", INTEGER, nullable=False),
        sa.Column("seen_at", INTEGER, nullable=False),
        sa.Column("client_address", TEXT, nullable=True),
        sa.Column("user_agent", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_sessions_fingerprint")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_sessions_account_id",
        "sessions",
        ["account_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_sessions_signed_in_at",
        "sessions",
        ["signed_in_at"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "second_factors",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("secret", TEXT, nullable=True),
        sa.Column("public_id", TEXT, nullable=True),
        sa.Column("public_key", TEXT, nullable=True),
        sa.Column("site", TEXT, nullable=True),
        sa.Column("counter", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("last_used_at", INTEGER, nullable=True),
        sa.CheckConstraint("kind IN ('app', 'passkey')", name=op.f("ck_second_factors_kind")),
        sa.CheckConstraint(
            "CASE WHEN secret IS NULL THEN 0 ELSE 1 END = CASE WHEN kind = 'app' THEN 1 ELSE 0 END AND "
            "CASE WHEN public_key IS NULL OR public_id IS NULL OR site IS NULL THEN 0 ELSE 1 END = "
            "CASE WHEN kind = 'passkey' THEN 1 ELSE 0 END",
            name=op.f("ck_second_factors_holds"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_second_factors_account_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
        sa.UniqueConstraint("public_id", name=op.f("uq_second_factors_public_id")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_second_factors_account_id",
        "second_factors",
        ["account_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_recovery_codes_account_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("account_id", "fingerprint", name=op.f("pk_recovery_codes")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "factor_locks",
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("failures", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_factor_locks_account_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_factor_locks")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "external_identities",
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_external_identities_account_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_external_identities_created_by"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("provider", "subject", name=op.f("pk_external_identities")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_external_identities_account_id",
        "external_identities",
        ["account_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "team_mappings",
        sa.Column("team_id", INTEGER, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("group_name", TEXT, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_mappings_team_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_team_mappings_created_by"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("team_id", "provider", "group_name", name=op.f("pk_team_mappings")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_team_mappings_provider",
        "team_mappings",
        ["provider", "group_name"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "credential_authorizations",
        sa.Column("credential_id", INTEGER, nullable=False),
        sa.Column("organization_id", INTEGER, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("created_by", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_credential_authorizations_credential_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["accounts.id"],
            name=op.f("fk_credential_authorizations_organization_id"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_credential_authorizations_created_by"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("credential_id", "organization_id", name=op.f("pk_credential_authorizations")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_credential_authorizations_organization_id",
        "credential_authorizations",
        ["organization_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "tags",
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("manifest_id", INTEGER, nullable=False),
        sa.Column("moved_at", INTEGER, nullable=False),
        sa.Column("moved_by", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(["moved_by"], ["accounts.id"], name=op.f("fk_tags_moved_by"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["repository_id", "manifest_id"],
            ["manifests.repository_id", "manifests.id"],
            name=op.f("fk_tags_repository_id_manifest_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("repository_id", "name", name=op.f("pk_tags")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_tags_manifest",
        "tags",
        ["repository_id", "manifest_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_index(
        "ix_tags_moved_at",
        "tags",
        ["repository_id", "moved_at", "name"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "verifications",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("phase", TEXT, nullable=False),
        sa.Column("position", INTEGER, nullable=False),
        sa.Column("ceiling", INTEGER, nullable=False),
        sa.Column("blobs", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("bytes", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("manifests", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("tags", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("objects", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("healed", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", INTEGER, nullable=False),
        sa.Column("finished_at", INTEGER, nullable=True),
        sa.Column("claim", TEXT, nullable=True),
        sa.Column("claimed_until", INTEGER, nullable=True),
        sa.Column("stopped_at", INTEGER, nullable=True),
        sa.CheckConstraint(
            "phase IN ('database', 'blobs', 'manifests', 'tags', 'store', 'done')",
            name=op.f("ck_verifications_phase"),
        ),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_verifications_registry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "uq_verifications_open",
        "verifications",
        ["registry_id", "scope"],
        unique=True,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index(
        "ix_verifications_scope",
        "verifications",
        ["registry_id", "scope", "id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "findings",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("verification_id", INTEGER, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["verification_id"], ["verifications.id"], name=op.f("fk_findings_verification_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
        sa.UniqueConstraint("verification_id", "kind", "what", name=op.f("uq_findings_verification_id_kind_what")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "holds",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("token", TEXT, nullable=False),
        sa.Column("since", INTEGER, nullable=False),
        sa.Column("until", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_holds")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "figures",
        sa.Column("registry_id", INTEGER, nullable=False),
        sa.Column("day", INTEGER, nullable=False),
        sa.Column("bytes", INTEGER, nullable=False),
        sa.Column("blobs", INTEGER, nullable=False),
        sa.Column("repositories", INTEGER, nullable=False),
        sa.Column("pulls", INTEGER, nullable=False),
        sa.Column("taken_at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["registry_id"], ["registries.id"], name=op.f("fk_figures_registry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("registry_id", "day", name=op.f("pk_figures")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "repository_figures",
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("bytes", INTEGER, nullable=False),
        sa.Column("blobs", INTEGER, nullable=False),
        sa.Column("pulls", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("stars", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("measured_at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_repository_figures_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_repository_figures")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_repository_figures_bytes",
        "repository_figures",
        ["bytes", "repository_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "jobs",
        sa.Column("node", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("interval", INTEGER, nullable=False),
        sa.Column("seen_at", INTEGER, nullable=False),
        sa.Column("started_at", INTEGER, nullable=True),
        sa.Column("ended_at", INTEGER, nullable=True),
        sa.Column("outcome", TEXT, nullable=True),
        sa.Column("done", INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("next_at", INTEGER, nullable=True),
        sa.Column("wanted_at", INTEGER, nullable=True),
        sa.PrimaryKeyConstraint("node", "name", name=op.f("pk_jobs")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "pulls",
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("day", INTEGER, nullable=False),
        sa.Column("count", INTEGER, nullable=False),
        sa.Column("last_at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_pulls_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository_id", "what", "day", name=op.f("pk_pulls")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index("ix_pulls_day", "pulls", ["day"], unique=False, sqlite_where=None, postgresql_where=None)
    op.create_table(
        "retention_policies",
        sa.Column("id", INTEGER, sa.Identity(always=False), nullable=False),
        sa.Column("repository_id", INTEGER, nullable=True),
        sa.Column("namespace_id", INTEGER, nullable=True),
        sa.Column("untagged_after", INTEGER, nullable=True),
        sa.Column("changed_at", INTEGER, nullable=False),
        sa.Column("changed_by", INTEGER, nullable=True),
        sa.CheckConstraint(
            "CASE WHEN repository_id IS NULL THEN 0 ELSE 1 END + CASE WHEN namespace_id IS NULL THEN 0 ELSE 1 END = 1",
            name=op.f("ck_retention_policies_place"),
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_retention_policies_repository_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["namespace_id"], ["namespaces.id"], name=op.f("fk_retention_policies_namespace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["accounts.id"], name=op.f("fk_retention_policies_changed_by"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_policies")),
        sa.UniqueConstraint("repository_id", name=op.f("uq_retention_policies_repository_id")),
        sa.UniqueConstraint("namespace_id", name=op.f("uq_retention_policies_namespace_id")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "retention_rules",
        sa.Column("policy_id", INTEGER, nullable=False),
        sa.Column("position", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("tags", TEXT, nullable=False),
        sa.Column("newest", INTEGER, nullable=True),
        sa.Column("moved_within", INTEGER, nullable=True),
        sa.Column("pulled_within", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["retention_policies.id"], name=op.f("fk_retention_rules_policy_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("policy_id", "position", name=op.f("pk_retention_rules")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "descriptions",
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("changed_at", INTEGER, nullable=False),
        sa.Column("changed_by", INTEGER, nullable=True),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_descriptions_repository_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["accounts.id"], name=op.f("fk_descriptions_changed_by"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_descriptions")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_table(
        "stars",
        sa.Column("account_id", INTEGER, nullable=False),
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("at", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_stars_account_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_stars_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "repository_id", name=op.f("pk_stars")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_stars_repository_id", "stars", ["repository_id"], unique=False, sqlite_where=None, postgresql_where=None
    )
    op.create_table(
        "search_terms",
        sa.Column("repository_id", INTEGER, nullable=False),
        sa.Column("term", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_search_terms_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository_id", "term", name=op.f("pk_search_terms")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_search_terms_term",
        "search_terms",
        ["term", "repository_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )
    op.create_table(
        "label_terms",
        sa.Column("manifest_id", INTEGER, nullable=False),
        sa.Column("term", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_id"], ["manifests.id"], name=op.f("fk_label_terms_manifest_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("manifest_id", "term", name=op.f("pk_label_terms")),
        sqlite_autoincrement=False,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_label_terms_term",
        "label_terms",
        ["term", "manifest_id"],
        unique=False,
        sqlite_where=None,
        postgresql_where=None,
    )

    registries = sa.table(
        "registries",
        sa.column("name", TEXT),
        sa.column("mark", TEXT),
        sa.column("storage", TEXT),
        sa.column("private_endpoint", INTEGER),
        sa.column("account_namespaces", INTEGER),
        sa.column("created_at", INTEGER),
        sa.column("opened_at", INTEGER),
    )
    default = {
        "name": "default",
        "mark": secrets.token_hex(16),
        "storage": "default",
        "private_endpoint": 0,
        "account_namespaces": 1,
        "created_at": 0,
        "opened_at": 0,
    }
    op.bulk_insert(registries, [default])
