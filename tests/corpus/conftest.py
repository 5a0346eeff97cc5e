# SPDX-License-Identifier: Apache-2.0
"""The registries that the corpus is thrown at, what they hold, and how one sees that nothing changed or leaked."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.protocol.client import Client
from tests.protocol.content import Material, descriptor, index, manifest_descriptor
from tests.protocol.test_accounts import tampered
from tests.support.accounts import SECRET, Office
from tests.support.images import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, as_json, digest_of
from tests.support.memory import data_in_memory
from tests.support.server import Server

CANARY = "canary-c0ffee-4711"
CREDENTIALS = base64.b64encode(f"robot:{CANARY}".encode()).decode()
LIMITS = {
    "REGISTRY_VALIDATION_BLOBS_MAXSIZE": str(6 * 2**20),
    "REGISTRY_HTTP_TIMEOUTS_HEADER": "2s",
    "REGISTRY_HTTP_TIMEOUTS_BODY": "2s",
}
"""Small ones, so that the rows that reach them do it soon."""


class Facts(dict):
    """What `${…}` in a case may stand for. `location` starts an upload when it is first asked for."""

    def __init__(self, client):
        repository, other = client.repository("acme/app"), client.repository("acme/other")
        material = Material("corpus")
        document = material.image(repository, subject=descriptor(b"no such subject", OCI_MANIFEST))
        self.config, self.layer = document["config"], document["layers"][0]
        lonely, elsewhere = material.bytes("lonely"), material.bytes("elsewhere")
        child = material.image(repository, "child")
        parent = index(manifest_descriptor(child))
        repository.push(document, "v1", "v2")
        repository.push(child)
        other.push(material.image(other, "other"), "latest")
        self.repository = repository
        super().__init__(
            R=repository.name,
            OTHER=other.name,
            D=self.layer["digest"],
            C=self.config["digest"],
            M=digest_of(as_json(document)),
            CHILD=digest_of(as_json(child)),
            INDEX=repository.push(parent, "index"),
            LONELY=repository.push_blob(lonely),
            EMPTY=repository.push_blob(b""),
            ELSEWHERE=other.push_blob(elsewhere),
            UNKNOWN=digest_of(b"unknown"),
            HEX="0123456789abcdef" * 4,
            SIZE=self.layer["size"],
            SUBJECT=document["subject"]["digest"],
            HOST=f"{client.http.base_url.host}:{client.http.base_url.port}",
            CREDENTIALS=CREDENTIALS,
            HELLO=digest_of(b"hello"),
            HELLO512=digest_of(b"hello", "sha512"),
            MANIFEST=OCI_MANIFEST,
            INDEX_TYPE=OCI_INDEX,
            LAYER_TYPE=OCI_LAYER,
        )

    def __missing__(self, name):
        if name == "ID":
            self[name] = self["location"].rpartition("/")[2].partition("?")[0]
        elif name == "location":
            self[name] = self.repository.location()
        else:
            raise KeyError(name)
        return self[name]


class AccountFacts(Facts):
    """The same of a registry with accounts, where `ann` owns everything, with credentials of each kind.

    `TOKEN` is a registry token for pulling from `R`, a fresh one for each row, and `T:…` that token with one thing
    changed.
    """

    def __init__(self, client, office):
        super().__init__(client)
        self.client = client
        ids = dict(office.rows("SELECT name, id FROM repositories"))
        for name in ("reader", "gone"):
            office.user(name)
            office.give(name, "read", repository=self["R"])
        revoked, gone = office.token("ann"), office.token("gone")
        limited = office.token("ann", repositories=frozenset({ids[self["OTHER"]]}))
        self["PAT"], self["READER"] = (office.token(name).secret for name in ("ann", "reader"))
        office.revoke("ann", revoked)
        office.suspend("gone")
        self |= {"REVOKED": revoked.secret, "SUSPENDED": gone.secret, "LIMITED": limited.secret}
        self["NARROW"] = office.token("ann", "read:packages").secret
        # The first who signs in by a form, and by a password, loads what the others find there.
        for password in (self["PAT"], "wrong"):
            client.request("POST", "/token", data={"grant_type": "password", "username": "ann", "password": password})
        for name in ("PAT", "REVOKED", "SUSPENDED"):
            self[f"READER:{name}"] = base64.b64encode(f"reader:{self[name]}".encode()).decode()
        for name in ("ann", "nobody"):
            self[f"WRONG:{name}"] = base64.b64encode(f"{name}:wrong {CANARY}".encode()).decode()

    def __missing__(self, name):
        if name == "TOKEN":
            scope = f"repository:{self['R']}:pull"
            self[name] = self.client.get("/token", params={"scope": scope}).json()["token"]
            return self[name]
        if not name.startswith("T:"):
            return super().__missing__(name)
        (jwk,) = self.client.get("/.well-known/jwks.json").json()["keys"]
        return dict(tampered(self["TOKEN"], jwk))[name.removeprefix("T:")]


@dataclass
class Target:
    """One registry under fire."""

    server: Server
    client: Client
    facts: Facts
    log_read: int = 0
    memory_at_start: int = 0
    known_state: str = ""
    """The state after the last row; nobody else writes to this registry."""

    def begin(self):
        """Note what there is before the first row; doors that load with the first request for them are loaded."""
        for path in ("/", "/api/v1/"):
            httpx.get(self.server.url + path, trust_env=False, timeout=60)
        self.new_log()
        self.memory_at_start = self.memory()

    @property
    def address(self):
        return self.client.http.base_url.host, self.client.http.base_url.port

    def state(self):
        """Return one digest of everything that clients can see: names, tags, what they name, blobs, referrers."""
        seen = []
        for page in self.client.pages("/v2/_catalog?n=1000", "repositories"):
            for name in page:
                repository = self.client.repository(name)
                tags = repository.tags()
                heads = [repository.manifest("HEAD", tag).headers["Docker-Content-Digest"] for tag in tags]
                seen.append([name, tags, heads])
        repository = self.facts.repository
        blobs = ("D", "C", "LONELY", "EMPTY", "ELSEWHERE", "HELLO", "HELLO512", "UNKNOWN")
        seen += [repository.manifest("HEAD", self.facts[fact]).status_code for fact in ("M", "CHILD", "INDEX")]
        seen += [repository.blob("GET", self.facts[fact]).status_code for fact in blobs]
        seen.append(repository.referrers(self.facts["SUBJECT"]))
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()

    def new_log(self):
        """Return what was logged since the last time."""
        log = self.server.log
        fresh, self.log_read = log[self.log_read :], len(log)
        return fresh

    def memory(self):
        """Return the resident memory of all its processes, in bytes."""
        return sum(_resident(status) for status in Path("/proc").glob("[0-9]*/status") if self._is_ours(status))

    def _is_ours(self, status):
        try:
            fields = status.with_name("stat").read_text().rpartition(")")[2].split()
        except OSError:
            return False
        return int(fields[3]) == self.server.process.pid


def _resident(status):
    try:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    except OSError:
        return 0
    return int(lines.get("VmRSS", "0 kB").split()[0]) * 1024


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def targets(request, postgres, tmp_path_factory):
    """Return the registries by name: one that deletes, one that keeps, one with accounts."""
    folder = tmp_path_factory.mktemp("corpus")
    found = {}
    with data_in_memory() as environment:
        for name, deletion in (("deleting", True), ("keeping", False)):
            database = postgres.database() if request.param == "postgresql" else None
            settings = LIMITS | environment()
            server = Server(folder / name, database=database, deletion=deletion, environment=settings).start()
            client = Client.of(server.url)
            found[name] = Target(server, client, Facts(client))
            found[name].begin()
        database = postgres.database() if request.param == "postgresql" else None
        settings = LIMITS | environment() | {"REGISTRY_HTTP_SECRET": SECRET}
        server = Server(folder / "accounts", database=database, deletion=None, environment=settings).start()
        with Office(server.environment) as office:
            office.user("ann")
            office.organization("acme", "ann")
            client = Client.of(server.url, auth=("ann", office.token("ann").secret))
            found["accounts"] = Target(server, client, AccountFacts(client, office))
        found["accounts"].begin()
        yield found
        for target in found.values():
            target.client.http.close()
            target.server.stop()
