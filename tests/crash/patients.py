# SPDX-License-Identifier: Apache-2.0
"""A server that something happens to: what it answers meanwhile, and whether it is well again afterwards."""

import json
import os
import random
import sqlite3
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.crash.clients import CONFIG, OCI_MANIFEST, Client, digest_of, image
from tests.crash.ledger import ABSENT, Fact, Ledger
from tests.support.commands import run, tail, wait_until
from tests.support.processes import listeners

REPOSITORY = "acme/app"
LAYER = random.Random("layer").randbytes(1_500_000)
NEW = random.Random("new").randbytes(1_200_000)
LOOKS_EVERY = 2.5
"""Seconds after which the registry asks its disk and its database again for `/readyz`: the answer before is kept."""
FAULTY = Path(__file__).parent / "faulty"
PROBES = ("pull a manifest", "pull a layer", "push a layer", "push a manifest", "delete a tag", "`/readyz`")
"""What is asked while the fault is there, in this order: the columns of the table."""


class Patient:
    """One server with an image that was acknowledged before anything happened.

    Args:
        server: it; running.
    """

    def __init__(self, server):
        self.server = server
        self._looked = time.monotonic()
        """When `/readyz` was last asked: at the start at the latest."""
        self.ledger = Ledger()
        self.client = Client(server.url, self.ledger)
        for content in (LAYER, CONFIG):
            self.client.push_at_once(REPOSITORY, content)
        for tag in ("v1", "old"):
            self.client.push_manifest(REPOSITORY, tag, image(LAYER))
        self._client = httpx.Client(base_url=server.url, trust_env=False, timeout=60)
        self._client.get("/livez")  # the connection is there before the fault is

    def probe(self):
        """Ask for one of everything and return the answers as the table shows them."""
        return {name: self._cell(name, self._ask(name)) for name in PROBES}

    def recovers(self):
        """The fault is over: what was refused succeeds now, without a restart, and nothing acknowledged is lost."""
        wait_until(self.server.is_ready, within=30, why=lambda: f"it stays unwell:\n{tail(self.server.log_path)}")
        self.client.push_at_once(REPOSITORY, NEW)
        self.client.push_manifest(REPOSITORY, "v2", image(LAYER, NEW))
        self.client.delete_tag(REPOSITORY, "old")
        assert self.client.audit() == []
        assert "Traceback" not in self.server.log, tail(self.server.log_path)

    def close(self):
        self._client.close()
        self.client.close()

    def _ask(self, name):
        match name:
            case "pull a manifest":
                return self._client.get(f"/v2/{REPOSITORY}/manifests/v1", headers={"accept": OCI_MANIFEST})
            case "pull a layer":
                return self._client.get(f"/v2/{REPOSITORY}/blobs/{digest_of(LAYER)}")
            case "push a layer":
                self._intend(Fact("blob", REPOSITORY, digest_of(NEW)), digest_of(NEW))
                url = f"/v2/{REPOSITORY}/blobs/uploads/?digest={digest_of(NEW)}"
                return self._client.post(url, content=NEW)
            case "push a manifest":
                digest = digest_of(image(LAYER))
                self._intend(Fact("tag", REPOSITORY, "v3"), digest)
                headers = {"content-type": OCI_MANIFEST}
                return self._client.put(f"/v2/{REPOSITORY}/manifests/v3", content=image(LAYER), headers=headers)
            case "delete a tag":
                self._intend(Fact("tag", REPOSITORY, "old"), ABSENT)
                return self._client.delete(f"/v2/{REPOSITORY}/manifests/old")
            case _:
                time.sleep(max(0.0, self._looked + LOOKS_EVERY - time.monotonic()))
                self._looked = time.monotonic()
                return self._client.get("/readyz")

    def _intend(self, fact, value):
        self.ledger.intend({fact: value})

    @staticmethod
    def _cell(name, answer):
        """Status, and the code of an error; what is a promise to come back has to say when."""
        expected = {"pull a manifest": image(LAYER), "pull a layer": LAYER}
        if answer.status_code == 200 and name in expected:
            assert answer.content == expected[name]
        if answer.status_code < 400 or name == "`/readyz`":
            return str(answer.status_code)
        assert answer.status_code != 500, answer.text
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0, f"{name} does not say when to come back"
        (error,) = answer.json()["errors"]
        return f"{answer.status_code} `{error['code']}`"


@contextmanager
def small_disk(folder, mebibytes):
    """A file system of its own at the folder, which the test may fill."""
    folder.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", folder)
    try:
        yield folder
    finally:
        run("umount", "--lazy", folder)


def fill(folder, leave):
    """Fill the file system up to so many free bytes; returns the file that is in the way."""
    filler = folder / "filler"
    with filler.open("wb") as file, suppress(OSError):
        while (left := _free(folder) - leave) > 0:
            file.write(bytes(min(left, 65_536)))
            file.flush()
    return filler


def _free(folder):
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@contextmanager
def no_more_files(server):
    """The workers may open nothing more than they have open."""
    workers = listeners(server.process.pid, server.port)
    before = [run("prlimit", "--pid", pid, "--nofile", "--raw", "--noheadings", "-o", "SOFT,HARD") for pid in workers]
    for pid in workers:
        most = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1  # noqa: PTH208 - names are numbers
        run("prlimit", "--pid", pid, f"--nofile={most}:")
    try:
        yield
    finally:
        for pid, said in zip(workers, before, strict=True):
            run("prlimit", "--pid", pid, f"--nofile={said.stdout.split()[0]}:")


@contextmanager
def locked(server):
    """Somebody else holds the write lock of the SQLite file."""
    connection = sqlite3.connect(server.data / "wharfinger" / "wharfinger.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


class FaultyDisk:
    """The disk of a server whose environment it gives: sound, until it is told otherwise.

    Args:
        folder: where the order to fail is written.
        deadline: seconds after which the server takes the disk for gone; nothing for its own.
    """

    def __init__(self, folder, deadline=None):
        self._order = folder / "faults.json"
        ours = {"FAULTS": str(self._order), "PYTHONPATH": f"{FAULTY}:{os.environ.get('PYTHONPATH', '')}"}
        self.environment = ours | ({} if deadline is None else {"FAULTS_DEADLINE": str(deadline)})

    @contextmanager
    def fails(self, *calls, errno=None, seconds=None):
        """Let these calls fail with the error, or hang for so long."""
        fault = {"seconds": seconds} if errno is None else {"errno": errno}
        written = self._order.with_suffix(".new")
        written.write_text(json.dumps(dict.fromkeys(calls, fault)))
        written.rename(self._order)
        try:
            yield
        finally:
            self._order.unlink()
