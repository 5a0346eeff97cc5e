# SPDX-License-Identifier: Apache-2.0
"""Registries with accounts over a socket, one on each database, and whoever has to do with them."""

import base64
from dataclasses import dataclass, field

import httpx
import pytest

from tests.management_api.access import PEOPLE, SCOPES
from tests.protocol.client import Client
from tests.protocol.content import Material
from tests.support.accounts import SECRET, Office
from tests.support.memory import data_in_memory
from tests.support.server import Server, Servers
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName, MemberRole, TeamName
from wharfinger.domain.grants import DEPLOYMENT
from wharfinger.domain.identity import SYSTEM_ACTOR, Scope

PASSWORD = "canary correct horse"
PRIVATE = "acme/app"
PROVIDER = {
    "REGISTRY_ACCOUNTS_OIDC_0_NAME": "corp",
    "REGISTRY_ACCOUNTS_OIDC_0_ISSUER": "https://login.example.com",
    "REGISTRY_ACCOUNTS_OIDC_0_CLIENTID": "registry",
}
"""One that nobody asks: here, nobody signs in through it."""
DELETED = "acme/gone"


@dataclass
class World:
    """A registry with an organization, a private repository, and somebody for each right."""

    server: Server
    office: Office
    http: httpx.Client
    digest: str = ""
    deleted: int = 0
    """The number of a repository in the trash, with the same roles as the private one."""
    tokens: dict = field(default_factory=dict)
    secrets: list = field(default_factory=list)
    """Everything that no log, list or event may show."""

    def ask(self, method, path, who=None, **options):
        """Ask as somebody: a name that signs in with a password, a scope of the manager's tokens, or nobody."""
        headers = dict(options.pop("headers", {}))
        if who in self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        elif who not in {None, "nobody"}:
            pair = base64.b64encode(f"{who}:{PASSWORD}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return self.http.request(method, f"/api/v1{path}", headers=headers, **options)

    def bearer(self, method, path, secret, **options):
        return self.ask(method, path, headers={"Authorization": f"Bearer {secret}"}, **options)

    def user(self, name):
        self.office.user(name, PASSWORD)
        return name


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def world(request, tmp_path_factory, postgres):
    """Return a registry that tests share: what one of them changes, it makes for itself."""
    with data_in_memory() as environment:
        servers = Servers(tmp_path_factory.mktemp("management"))
        url = postgres.database() if request.param == "postgresql" else None
        more = {"REGISTRY_LOG_LEVEL": "debug", "REGISTRY_HTTP_SECRET": SECRET, **PROVIDER}
        server = servers(database=url, environment=environment() | more, deletion=None)
        with (
            Office(server.environment) as office,
            httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http,
        ):
            yield furnish(World(server, office, http, secrets=[PASSWORD]))
        servers.stop()


def furnish(made):
    """Put people, an organization, a private repository and a deleted one into a registry."""
    office = made.office
    for name in (*PEOPLE[1:], "una"):
        made.user(name)
    office.organization("acme", "oli")
    run, services = office._run, office.services
    run(services.organizations.put_member(AccountName("acme"), AccountName("mia"), MemberRole.MEMBER, SYSTEM_ACTOR))
    run(services.organizations.create_team(TeamName(AccountName("acme"), "builders"), SYSTEM_ACTOR))
    office.robot("acme+ci")
    with Client.of(made.server.url, auth=("oli", PASSWORD)) as oli:
        repository = oli.repository(PRIVATE)
        made.digest = repository.push(Material("management").image(repository), "v1")
    for name, role in (("rae", "read"), ("wes", "write"), ("ada", "admin")):
        office.give(name, role, repository=PRIVATE)
    made.deleted = _delete(made)
    for name, role in (("vic", Role.READ), ("max", Role.ADMIN)):
        run(services.grants.give(AccountName(name), DEPLOYMENT, role, SYSTEM_ACTOR))
    office.give("reg", "admin")
    for scope in SCOPES:
        made.tokens[scope] = office.token("max", Scope(scope)).secret
    made.secrets += made.tokens.values()
    return made


def _delete(made):
    """Make a repository with roles for the same people, delete it, and return its number."""
    with Client.of(made.server.url, auth=("oli", PASSWORD)) as oli:
        repository = oli.repository(DELETED)
        repository.push(Material("deleted").image(repository), "v1")
    for name, role in (("rae", "read"), ("wes", "write"), ("ada", "admin")):
        made.office.give(name, role, repository=DELETED)
    assert made.ask("DELETE", f"/repositories/{DELETED}", "ada").status_code == 204
    ((number,),) = made.office.rows(f"SELECT id FROM repositories WHERE name = '{DELETED}'")
    return number
