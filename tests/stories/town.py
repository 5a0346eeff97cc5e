# SPDX-License-Identifier: Apache-2.0
"""One registry with something of everything in it, people for whom it is different, and hostile words everywhere."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.console.people import form_of
from tests.console.registry import push
from tests.support.accounts import SECRET, Office
from tests.support.images import artifact, image, platforms
from tests.support.memory import data_in_memory
from tests.support.server import Server, Servers
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.accounts import AccountName, MemberRole, TeamName
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.trust import NewRule
from wharfinger.services.repositories import RepositoryChange

PASSWORD = "correct horse battery"
_SIGNED_IN_SECONDS = 300
"""After this, sign in again: some pages ask who signed in long ago for the password, and all files share one town."""
ALARM = "alarm()"
"""What hostile words would call if a browser took them for a program; nothing of that name is there."""
HOSTILE = f"\"><img src=x onerror={ALARM}><script>{ALARM}</script>'{{{{7*7}}}}"
HOSTILE_MARKDOWN = f"""# Shop {HOSTILE}

[link](javascript:{ALARM}) ![picture](x"onerror="{ALARM}) <svg onload={ALARM}></svg>
<iframe srcdoc="<script>parent.{ALARM}</script>"></iframe> [data](data:text/html,<script>{ALARM}</script>)
<style>body {{ display: none }}</style> <form action="https://evil.example"><button>Sign in</button></form>

| what | how |
| --- | --- |
| pull | `docker pull` |

- [x] done
- 한국어 설명
"""
PEOPLE = ("max", "oli", "rae", "sam")
"""The manager of the deployment, the owner of an organization, a reader of one repository, and a stranger to all."""
QUERIES = {
    "/repositories/{name}/-/trash/purge": "?digest={deleted}",
    "/repositories/{name}/-/tags/{tag}/restore": "?to={before}",
    "/repositories/{name}/-/compare": "?from=1.0&to=labels",
    "/registries/{registry}/-/people/removal": "?subject=acme/builders",
    "/search": "?q=acme",
    "/administration/audit/export": "?format=csv",
}
"""What pages are asked about that need to be asked something."""
NUMBERS = {
    "/credentials/": "{credential}",
    "/profile/tokens/": "{token}",
    "/verification/": "{verification}",
    "{name}/-/trust/": "{rule of repository}",
    "{namespace}/-/trust/": "{rule of namespace}",
    "{registry}/-/trust/": "{rule of registry}",
}
"""What a number is the number of; elsewhere it is that of something in the trash."""


@dataclass
class Town:
    """The registry, and what to ask it for."""

    server: Server
    office: Office
    http: httpx.Client
    places: dict = field(default_factory=dict)
    """What stands for each placeholder of a path."""
    cookies: dict = field(default_factory=dict)
    cookies_until: dict = field(default_factory=dict)

    @property
    def url(self):
        return self.server.url

    def run(self, work):
        return self.office._run(work)

    @property
    def services(self):
        return self.office.services

    def ask(self, path, who=None, *, language="en", **options):
        """Ask for a page as somebody."""
        headers = {"Accept-Language": language}
        if who is not None:
            headers["Cookie"] = "; ".join(f"{one['name']}={one['value']}" for one in self.cookies_of(who))
        return self.http.get(path, headers=headers, **options)

    def cookies_of(self, who):
        """Return the cookies of somebody who signed in, as a browser's context takes them."""
        if who not in self.cookies or time.monotonic() > self.cookies_until.get(who, 0):
            with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as http:
                fields = form_of(http.get("/sign-in").text, "/sign-in") | {"name": who, "password": PASSWORD}
                answer = http.post("/sign-in", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
                assert answer.status_code == 303, answer.text
                self.cookies[who] = [
                    {"name": name, "value": value.strip('"'), "url": self.url} for name, value in http.cookies.items()
                ]
            self.cookies_until[who] = time.monotonic() + _SIGNED_IN_SECONDS
        return self.cookies[who]

    def address(self, path):
        """Return the address of a route: its path with the placeholders filled, and the query that it needs."""
        query = QUERIES.get(path, "")
        meant = next((meant for part, meant in NUMBERS.items() if part in path), "{number}")
        path = path.replace("{number}", meant)
        path += query
        for name, value in self.places.items():
            path = path.replace("{" + name + "}", str(value))
        assert "{" not in path, f"say in tests/stories/town.py what stands for the placeholder of {path}"
        return path


def furnish(server, office, http):
    """Put people, images, hostile words, and things that were deleted into an empty registry."""
    town = Town(server, office, http)
    services, run = office.services, town.run
    for name in PEOPLE:
        office.user(name, PASSWORD)
    office.organization("acme", "oli")
    run(services.organizations.put_member(AccountName("acme"), AccountName("rae"), MemberRole.MEMBER, SYSTEM_ACTOR))
    run(services.organizations.create_team(TeamName(AccountName("acme"), "builders"), SYSTEM_ACTOR))
    office.robot("acme+ci")
    key = office.key("acme+ci")
    run(services.grants.give(AccountName("max"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR))
    digests = _push(town)
    _describe(town)
    run(services.authorization.mode())  # accounts switch deletion on
    run(services.repositories.delete(office.registry, RepositoryName("acme/gone"), SYSTEM_ACTOR))
    verified = run(services.verification.order(office.registry, SYSTEM_ACTOR)).run.id
    ((gone,),) = office.rows("SELECT id FROM repositories WHERE name = 'acme/gone'")
    town.places = {
        "name": "acme/app",
        "tag": "1.1",
        **digests,
        "user": "rae",
        "organization": "acme",
        "account": "acme",
        "owner": "acme",
        "namespace": "acme",
        "team": "builders",
        "robot": "acme+ci",
        "registry": "default",
        "number": gone,
        "credential": key.id,
        "token": office.token("max").id,
        "verification": verified,
        **_trust(town),
        "provider": "corp",
    }
    return town


def _push(town):
    auth = ("oli", PASSWORD)
    for tag in ("1.0", "1.0.1"):
        push(town.url, "acme/app", image(f"app {tag}", command=[HOSTILE]), tag, auth=auth)
    before = push(town.url, "acme/app", image("before"), "1.1", auth=auth)
    app = push(town.url, "acme/app", platforms("app"), "1.1", "latest", auth=auth)
    signature = artifact(b"{}", kind="application/vnd.dev.cosign.simplesigning.v1+json", subject=app)
    push(town.url, "acme/app", signature, auth=auth)
    hostile = artifact(HOSTILE.encode(), kind=HOSTILE, annotations={"org.opencontainers.image.title": HOSTILE})
    push(town.url, "acme/app", hostile, "odd", auth=auth)
    push(town.url, "acme/app", image("labels", labels={HOSTILE: HOSTILE}), "labels", auth=auth)
    for name in ("acme/web", "acme/gone"):
        push(town.url, name, image(name), "v1", "latest", auth=auth)
    old = push(town.url, "acme/app", image("old"), "old", auth=auth)
    path = f"/v2/acme/app/manifests/{old.digest}"
    assert httpx.delete(town.url + path, auth=auth, trust_env=False).status_code == 202
    return {"digest": app.digest, "before": before.digest, "deleted": old.digest}


def _trust(town):
    """Make a trust rule at each kind of place."""
    number, made = town.office.registry.id, {}
    for kind, place in (
        ("repository", Place(registry_id=number, repository=RepositoryName("acme/app"))),
        ("namespace", Place(registry_id=number, namespace="acme")),
        ("registry", Place(registry_id=number)),
    ):
        rule = NewRule(
            name="builds",
            issuer="https://issuer.example.com",
            audience="wharfinger",
            conditions={"sub": (HOSTILE,)},
            place=place,
            role=Role.WRITE,
        )
        made[f"rule of {kind}"] = town.run(town.services.trust.create(rule, SYSTEM_ACTOR)).id
    return made


def _describe(town):
    services, registry = town.services, town.office.registry
    app = RepositoryName("acme/app")
    change = RepositoryChange(description=HOSTILE[:100], visibility=Visibility.PRIVATE, immutable_tags="1.0*")
    town.run(services.repositories.change(registry, app, change, SYSTEM_ACTOR))
    town.run(services.descriptions.change(registry, app, HOSTILE_MARKDOWN, SYSTEM_ACTOR))
    public = RepositoryChange(description="상점의 웹 서버", visibility=Visibility.PUBLIC)
    town.run(services.repositories.change(registry, RepositoryName("acme/web"), public, SYSTEM_ACTOR))
    town.office.give("rae", "read", repository="acme/app")
    town.office.give("acme/builders", "read")


@contextmanager
def opened(folder, furnishing=furnish, **more):
    """Open such a registry, with its data in memory.

    Args:
        folder: for its log, and for the storage that no registry has yet.
        furnishing: puts in what is there; returns the town.
        more: variables with which the registry runs besides.
    """
    with data_in_memory() as in_memory:
        servers = Servers(folder)
        try:
            server = servers(environment=in_memory() | environment(folder) | more, deletion=None)
            with (
                Office(server.environment) as office,
                httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http,
            ):
                yield furnishing(server, office, http)
        finally:
            servers.stop()


def environment(folder):
    """Return the settings with which the registry runs, besides where its data are."""
    return {
        "REGISTRY_HTTP_SECRET": SECRET,
        "REGISTRY_STORAGES_0_NAME": "second",
        "REGISTRY_STORAGES_0_ROOTDIRECTORY": str(folder / "second"),
    }
