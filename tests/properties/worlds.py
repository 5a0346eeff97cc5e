# SPDX-License-Identifier: Apache-2.0
"""Random worlds of accounts, organizations, teams, grants and repositories, as rows of a database."""

import random
from contextlib import contextmanager

from sqlalchemy import insert, select, update

from tests.metadata.rows import NOW, SOMEBODY
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountKind, CredentialKind, MemberRole
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import NO_PROOF, Ceiling, Principal, Proof, Scope, Workload
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.trust import NewRule
from wharfinger.metadata import accounts, credentials, demands, grants, organizations, repositories, trust
from wharfinger.metadata.account_tables import accounts as account_rows
from wharfinger.metadata.credentials import NewCredential
from wharfinger.metadata.grants import PlaceKey, SubjectKey
from wharfinger.metadata.schema import namespaces, registries
from wharfinger.metadata.schema import repositories as repository_rows

USERS = ("ann", "bob", "cid")
ORGANIZATIONS = ("acme", "beta")
ROBOTS = (("acme+ci", "acme"), ("@default+ci", None))
NAMES = ("plain", "acme/app", "acme/lib", "beta/app", "ann/app", "free/app")
SOURCES = ("https://forge.example.com/acme/app", "https://forge.example.com/acme/lib")
SPELLINGS = (None, "", *SOURCES, "https://Forge.example.com/acme/App.git", "https://forge.example.com/acme/lib/", "x")
FREE = ("new", "acme/new", "ann/new", "nowhere/new")
"""Names of no repository: in namespaces that exist, that somebody would own, and that nobody would."""
PROVIDERS = ("corp", "other")
SCOPES = (None, frozenset({Scope.READ}), frozenset({Scope.DELETE}), frozenset({Scope.ADMIN_REGISTRY}))


class RandomWorld:
    """One world, made of a seed; the same seed makes the same rows."""

    def __init__(self, connection, seed):
        self._connection = connection
        self._random = random.Random(seed)
        self.registries = [1, self._another_registry()]
        self.accounts = {name: self._create(AccountKind.USER, name) for name in USERS}
        self.organizations = {name: self._create(AccountKind.ORGANIZATION, name) for name in ORGANIZATIONS}
        for name, owner in ROBOTS:
            owned = {"registry_id": 1} if owner is None else {"organization_id": self.organizations[owner]}
            self.accounts[name] = self._create(AccountKind.ROBOT, name, **owned)
        self.repositories = {
            (registry, name): repositories.ensure(connection, registry, RepositoryName(name), SOMEBODY, NOW)[0]
            for registry in self.registries
            for name in NAMES
            if self._often()
        }
        self._change_repositories()
        self._switch()
        self._fill_organizations()
        self._grant()
        self._suspend()
        self._demand()

    def workloads(self):
        """Make trust rules, and return workloads that came in by some of them, some of which may be gone."""
        spaces = self._connection.execute(select(namespaces.c.id, namespaces.c.registry_id)).all()
        places = [(PlaceKey(namespace_id=number), registry) for number, registry in spaces]
        places += [(PlaceKey(repository_id=number), registry) for (registry, _), number in self.repositories.items()]
        places += 3 * [(PlaceKey(), number) for number in self.registries]
        rules = {registry: [4711] for registry in self.registries}
        for _ in range(self._random.randrange(1, 10)):
            where, registry = self._random.choice(places)
            linked = where.repository_id is None and self._often()
            new = NewRule(
                name="rule",
                issuer="https://issuer.example.com",
                audience="x",
                conditions={},
                place=Place(registry_id=registry),
                role=self._random.choice([Role.READ, Role.WRITE]),
                source="https://forge.example.com/{path}" if linked else None,
            )
            rules[registry].append(trust.create(self._connection, new, where, None, NOW))
        every = [None, *(rule for some in rules.values() for rule in some)]
        for number in self.repositories.values():
            values = {"source": self._random.choice(SPELLINGS), "made_by_rule": self._random.choice(every)}
            self._connection.execute(update(repository_rows).where(repository_rows.c.id == number).values(**values))
        return [
            Principal(name="x", workload=Workload(rules=tuple(some), source=self._random.choice((None, *SOURCES))))
            for numbers in rules.values()
            for some in ([4711], self._random.sample(numbers, self._random.randrange(1, len(numbers) + 1)), numbers)
        ]

    @property
    def anonymous_pull(self):
        """Return the deployment's own switch."""
        return self._anonymous_pull

    def principals(self):
        """Return somebody for each account, for nobody, and for an account that is not there."""
        ids = [None, *self.accounts.values(), 4711]
        return [Principal(name="x", account_id=one, ceiling=self._ceiling(), proof=self._proof(one)) for one in 3 * ids]

    def _proof(self, account):
        return self._random.choice(
            [
                NO_PROOF,
                Proof(provider=self._random.choice(PROVIDERS)),
                Proof(credential_id=self.tokens.get(account)),
            ]
        )

    def _ceiling(self):
        limited = frozenset(one for one in self.repositories.values() if self._often()) if self._rarely() else None
        return Ceiling(scopes=self._random.choice(SCOPES), repositories=limited)

    def _often(self):
        return self._random.random() < 0.7

    def _rarely(self):
        return self._random.random() < 0.25

    def _another_registry(self):
        made = insert(registries).values(name="other", mark="other", created_at=NOW).returning(registries.c.id)
        return self._connection.execute(made).scalar_one()

    def _create(self, kind, name, **owned):
        return accounts.create(self._connection, kind, name, NOW, **owned)

    def _change_repositories(self):
        for number in self.repositories.values():
            values = {
                "visibility": self._random.choice(["private", "internal", "public"]),
                "inherits": int(self._often()),
                "created_by": self._random.choice([None, *self.accounts.values()]),
                "deleted_at": NOW if self._rarely() and self._rarely() else None,
            }
            self._connection.execute(update(repository_rows).where(repository_rows.c.id == number).values(**values))

    def _switch(self):
        self._anonymous_pull = not self._rarely()
        for table, column in ((registries, "anonymous_pull"), (account_rows, "anonymous_pull")):
            for (number,) in self._connection.execute(select(table.c.id)).all():
                switch = update(table).where(table.c.id == number).values({column: int(self._often())})
                self._connection.execute(switch)
        for number in self.registries:
            whole = update(registries).where(registries.c.id == number).values(public=int(self._rarely()))
            self._connection.execute(whole)

    def _fill_organizations(self):
        self.teams = []
        for organization in self.organizations.values():
            for team in ("one", "two"):
                self.teams.append(organizations.create_team(self._connection, organization, team, None, NOW))
            for user in (self.accounts[name] for name in USERS):
                if self._often():
                    role = MemberRole.OWNER if self._rarely() else MemberRole.MEMBER
                    organizations.put_member(self._connection, organization, user, role, None, NOW)
                    for team in self.teams[-2:]:
                        if self._often():
                            organizations.join_team(self._connection, organization, team, user, None, NOW)

    def _grant(self):
        subjects = [SubjectKey(account_id=one) for one in self.accounts.values()]
        subjects += 2 * [SubjectKey(team_id=one) for one in self.teams]
        found = self._connection.execute(select(namespaces.c.id)).all()
        places = [PlaceKey(namespace_id=number) for (number,) in found]
        places += [PlaceKey(repository_id=number) for number in self.repositories.values()]
        wide = [PlaceKey(), *(PlaceKey(registry_id=number) for number in self.registries)]
        for _ in range(self._random.randrange(12)):
            place = self._random.choice(wide if self._rarely() else places or wide)
            role = self._random.choice([Role.READ, Role.WRITE, Role.ADMIN])
            grants.give(self._connection, self._random.choice(subjects), place, role, None, NOW)

    def _demand(self):
        """Have organizations demand single sign-on, and take some tokens, maybe for what was demanded before."""
        self.tokens = {}
        for account in self.accounts.values():
            new = NewCredential(kind=CredentialKind.TOKEN, name="t", fingerprint=f"f-{account}", hint="wxyz")
            self.tokens[account] = credentials.create(self._connection, account, new, None, NOW)
        for organization in self.organizations.values():
            demands.put(self._connection, organization, self._random.choice([None, *PROVIDERS]))
            for token in self.tokens.values():
                if self._often():
                    provider = self._random.choice(PROVIDERS)
                    demands.authorize(self._connection, token, organization, provider, None, NOW)

    def _suspend(self):
        for number in (*self.accounts.values(), *self.organizations.values(), *self.organizations.values()):
            if self._rarely() and not self._often():
                accounts.change(self._connection, number, {"suspended_at": NOW})
        if self._rarely() and self._rarely():
            gone = accounts.lock(self._connection, "acme")
            accounts.delete_account(self._connection, gone, NOW)


@contextmanager
def nothing_stays(place):
    """Open a transaction that is undone in the end."""
    with place.engine().connect() as connection:
        if place.kind == "sqlite":
            connection.exec_driver_sql("BEGIN")
        yield connection
        connection.rollback()
