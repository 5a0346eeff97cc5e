# SPDX-License-Identifier: Apache-2.0
"""Accounts of a running registry, made beside it in its own database, as the commands of its operator are."""

import asyncio
from dataclasses import dataclass

from sqlalchemy import text

from wharfinger import bootstrap
from wharfinger.clock import DAY, Clock, after
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName, CredentialKind, parse_robot_name, parse_subject
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import SYSTEM_ACTOR, Scope
from wharfinger.metadata.credentials import NewCredential
from wharfinger.security import tokens
from wharfinger.security.passwords import Passwords
from wharfinger.security.tokens import TokenKind
from wharfinger.settings import load

SECRET = "canary-" + "s" * 32
"""For `http.secret`, which PostgreSQL needs."""


@dataclass(frozen=True)
class Made:
    """A credential that was made: what its owner keeps.

    Args:
        id: of its row.
        secret: the token, or the secret half of an access key.
        public_id: the other half of an access key.
    """

    id: int
    secret: str
    public_id: str | None = None


class Office:
    """Whoever keeps the accounts of a registry; the first one that it makes ends open mode.

    Args:
        environment: the variables with which the registry runs.
    """

    def __init__(self, environment):
        self._runner = asyncio.Runner()
        self._deployment = self._run(self._build(load(None, environment).settings))
        self.services = self._deployment.services
        self.registry = self.services.registries.default
        self._passwords = Passwords()

    def close(self):
        self._run(self._deployment.aclose())
        self._runner.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def user(self, name, password=None):
        hashed = None if password is None else self._passwords.hash_password(password)
        return self._run(self.services.accounts.create_user(AccountName(name), SYSTEM_ACTOR, password_hash=hashed))

    def set_password(self, name, password):
        hashed = self._passwords.hash_password(password)
        self._run(self.services.accounts.set_password(AccountName(name), hashed, SYSTEM_ACTOR))

    def organization(self, name, owner):
        create = self.services.accounts.create_organization
        return self._run(create(AccountName(name), SYSTEM_ACTOR, owner=AccountName(owner)))

    def robot(self, name):
        return self._run(self.services.accounts.create_robot(parse_robot_name(name), SYSTEM_ACTOR))

    def suspend(self, name):
        self._run(self.services.accounts.suspend(AccountName(name), SYSTEM_ACTOR))

    def resume(self, name):
        self._run(self.services.accounts.resume(AccountName(name), SYSTEM_ACTOR))

    def token(self, account, *scopes, days=30, repositories=None, name="of a test"):
        """Make a personal access token; with no scopes named it may be used for everything about packages."""
        return self._credential(account, TokenKind.PERSONAL, scopes, days, repositories, name)

    def key(self, account, *scopes, days=30, name="of a test"):
        """Make an access key."""
        return self._credential(account, TokenKind.ACCESS_KEY, scopes, days, None, name)

    def revoke(self, account, made):
        self._run(self.services.credentials.revoke(AccountName(account), made.id, SYSTEM_ACTOR))

    def give(self, subject, role, *, namespace=None, repository=None):
        """Give a role on a repository, on a namespace, or with neither on the registry."""
        place = Place(registry_id=self.registry.id, namespace=namespace, repository=repository)
        self._run(self.services.grants.give(parse_subject(subject), place, Role[role.upper()], SYSTEM_ACTOR))

    def set_visibility(self, repository, visibility):
        self.execute("UPDATE repositories SET visibility = :v WHERE name = :n", v=visibility, n=repository)

    def delete_repository(self, repository):
        """Mark it as deleted: its name is free for another one."""
        self.execute(
            "UPDATE repositories SET deleted_at = :t WHERE name = :n AND deleted_at IS NULL", t=1, n=repository
        )

    def execute(self, sql, **values):
        """Run a statement in a transaction of its own, which every process notices."""
        self._run(self._deployment.database.write(lambda c: c.execute(text(sql), values) and None))

    def rows(self, sql, **values):
        def work(connection):
            return [tuple(row) for row in connection.execute(text(sql), values)]

        return self._run(self._deployment.database.read(work))

    def _credential(self, account, kind, scopes, days, repositories, name):
        made = tokens.make(kind)
        public_id = tokens.make_access_key_id() if kind is TokenKind.ACCESS_KEY else None
        new = NewCredential(
            kind=CredentialKind.TOKEN if public_id is None else CredentialKind.KEY,
            name=name,
            fingerprint=made.fingerprint,
            hint=made.ending,
            public_id=public_id,
            scopes=frozenset(Scope(scope) for scope in scopes) or frozenset({Scope.WRITE, Scope.DELETE}),
            repositories=repositories,
            expires_at=after(Clock().now(), days * DAY),
        )
        row = self._run(self.services.credentials.create(AccountName(account), new, SYSTEM_ACTOR))
        return Made(id=row, secret=made.text, public_id=public_id)

    def _run(self, coroutine):
        return self._runner.run(coroutine)

    @staticmethod
    async def _build(settings):
        return bootstrap.build(settings)
