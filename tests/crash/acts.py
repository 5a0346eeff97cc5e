# SPDX-License-Identifier: Apache-2.0
"""What a process does when it is ended at a named point, how it is repeated, and what must be true afterwards."""

import signal
import subprocess
import time

import pytest

from tests.crash.clients import CONFIG, Broken, Busy, Client, digest_of, image
from tests.crash.ledger import ABSENT, Fact, Ledger
from tests.crash.leftovers import leftovers
from tests.metadata.databases import Place
from tests.support.commands import clean_environment, tail, wait_until
from tests.support.server import COMMAND, Server
from wharfinger.failpoints import VARIABLE

REPOSITORY, OTHER = "acme/app", "acme/other"
LAYER, NEW = b"a layer that was there before", bytes(range(256)) * 40
OLD = digest_of(image(LAYER))


class Act:
    """A request that meets the point, and how a client repeats it afterwards.

    Args:
        once: does it on a client.
        again: repeats it after the restart; the same if not given.
    """

    def __init__(self, once, again=None, environment=None, prepare=None, prepare_rows=None):
        self.once = once
        self.again = again or once
        self.environment = environment or {}
        self.prepare = prepare or (lambda _client: None)
        self.prepare_rows = prepare_rows


class Command(Act):
    """A command of the operator beside the server, which meets the point in a process of its own.

    Args:
        words: of the command.
        changes: what the ledger has to expect of it, by fact.
        prepare: what clients do before.
        prepare_rows: what only time does; the server is stopped for it.
    """

    def __init__(self, *words, changes=lambda _ledger: {}, prepare=None, prepare_rows=None):
        super().__init__(_nothing, prepare=prepare, prepare_rows=prepare_rows)
        self.words = words
        self.changes = changes

    def run(self, server, **environment):
        """Run it, and return its status."""
        command = [COMMAND[0], *self.words]
        environment = clean_environment(server.environment | environment)
        return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False).returncode


def _push_tag(client):
    client.push_manifest(REPOSITORY, "v2", image(LAYER))


def _in_chunks(client):
    client.push_in_chunks(REPOSITORY, NEW)


class Uploading:
    """An upload that the client remembers over the restart, as docker does with a layer."""

    def __init__(self):
        self.location, self.told = None, 0

    def begin(self, client):
        self.location = client.begin(REPOSITORY)
        for start, stop in ((0, 4_000), (4_000, 8_000)):
            self.location = client.append(NEW, self.location, start, stop)
            self.told = stop
        client.complete(REPOSITORY, NEW, self.location, 8_000)

    def go_on(self, client):
        """Go on where the registry says; start anew only if it knows of no such upload any more."""
        if not (self.location and self._resumed(client)):
            client.push_in_chunks(REPOSITORY, NEW)

    def _resumed(self, client):
        """Resume, once the claim of the request that died has run out."""
        end = time.monotonic() + 30
        while True:
            try:
                return client.resume(REPOSITORY, NEW, self.location, self.told)
            except Busy:
                assert time.monotonic() < end
                time.sleep(0.5)


def _cancel(client):
    client.cancel(client.begin(REPOSITORY))


def _begin_other(client):
    client.push_at_once(OTHER, b"something else")


def _mount(client):
    assert client.mount(OTHER, REPOSITORY, digest_of(LAYER))


def _link(client):
    assert client.head(OTHER, digest_of(LAYER))


def _delete_tag(client):
    client.delete_tag(REPOSITORY, "v1")


def _delete_manifest(client):
    client.delete_manifest(REPOSITORY, OLD)


def _delete_blob(client):
    client.delete_blob(REPOSITORY, digest_of(b"nobody needs it"))


def _loose_blob(client):
    client.push_at_once(REPOSITORY, b"nobody needs it")


def _left_upload(client):
    location = client.begin(REPOSITORY)
    client.append(NEW, location, 0, 4_000)


def _second_copy(client):
    client.push_at_once(OTHER, LAYER)


def _nothing(_client):
    """The background jobs come by on their own."""


SOON = {
    "REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE": "1s",
    "REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_INTERVAL": "1s",
}


def at_once():
    return Act(lambda client: client.push_at_once(REPOSITORY, NEW))


def in_two():
    return Act(lambda client: client.push_in_two(REPOSITORY, NEW))


def resumed():
    upload = Uploading()
    return Act(upload.begin, upload.go_on)


def mount():
    return Act(_mount)


def link():
    return Act(_link, prepare=_begin_other)


def tag():
    return Act(_push_tag)


def delete_tag():
    return Act(_delete_tag)


def delete_manifest():
    return Act(_delete_manifest)


def delete_blob():
    return Act(_delete_blob, prepare=_loose_blob)


def cancel():
    return Act(_cancel)


def expire():
    return Act(_nothing, prepare=_left_upload, environment=SOON)


def bury():
    return Act(_nothing, prepare=_second_copy, prepare_rows=("UPDATE tombstones SET not_before = 0",))


def _back(*facts):
    """These are there again."""
    return lambda _ledger: dict.fromkeys((Fact(kind, REPOSITORY, name) for kind, name in facts), OLD)


def restore_tag():
    words = ("tag", "restore", f"{REPOSITORY}:v1", "--to", OLD)
    return Command(*words, prepare=_delete_tag, changes=_back(("tag", "v1")))


def restore_manifest():
    changes = _back(("tag", "v1"), ("manifest", OLD))
    return Command("trash", "restore", f"{REPOSITORY}@{OLD}", prepare=_delete_manifest, changes=changes)


def delete_repository():
    def gone(ledger):
        return {fact: ABSENT for fact in ledger.facts() if fact.repository == REPOSITORY}

    return Command("repository", "delete", "--yes", REPOSITORY, changes=gone)


class RestoreRepository(Command):
    """Brings back a repository that was deleted before the point was set."""

    def __init__(self):
        super().__init__("repository", "restore", REPOSITORY, changes=self._back)
        self._everything = None

    def _back(self, ledger):
        """All of the repository is gone, or back."""
        if self._everything is None:
            facts = [fact for fact in ledger.facts() if fact.repository == REPOSITORY]
            self._everything = {fact: value for fact in facts for value in ledger.may(fact)}
            ledger.intend(dict.fromkeys(facts, ABSENT))
        return self._everything

    def run(self, server, **environment):
        if environment:
            assert delete_repository().run(server) == 0
        return super().run(server, **environment)


def restore_repository():
    return RestoreRepository()


def _delete_loose_blob(client):
    _loose_blob(client)
    _delete_blob(client)


def collect():
    due = (
        "UPDATE repository_blobs SET unlinked_at = 1, lease_until = 1 WHERE unlinked_at IS NOT NULL",
        "UPDATE blob_reviews SET due_at = 1",
    )
    return Command("gc", "--run", prepare=_delete_loose_blob, prepare_rows=due)


class Retain(Command):
    """Runs a policy that keeps the newest tag alone; it was set before the point was."""

    def __init__(self):
        gone = {Fact("tag", REPOSITORY, "v1"): ABSENT}
        super().__init__("retention", "run", REPOSITORY, prepare=_push_tag, changes=lambda _ledger: gone)

    def run(self, server, **environment):
        if environment:
            assert Command("retention", "set", REPOSITORY, "--rule", "new: *: newest 1").run(server) == 0
        return super().run(server, **environment)


def retain():
    return Retain()


def purge():
    words = ("trash", "purge", "--yes", f"{REPOSITORY}@{digest_of(b'nobody needs it')}")
    return Command(*words, prepare=_delete_loose_blob)


def restore_blob():
    digest = digest_of(b"nobody needs it")
    changes = {Fact("blob", REPOSITORY, digest): digest}
    words = ("trash", "restore", f"{REPOSITORY}@{digest}")
    return Command(*words, prepare=_delete_loose_blob, changes=lambda _ledger: changes)


def collect_repository():
    due = ("UPDATE repositories SET deleted_at = 1 WHERE name = 'acme/other'",)
    return Command("gc", "--run", prepare=_begin_other, prepare_rows=due, changes=_nothing_of_other)


def _nothing_of_other(ledger):
    return {fact: ABSENT for fact in ledger.facts() if fact.repository == OTHER}


class BackUp(Command):
    """Makes a backup in a folder where there is none; what a restoration would take has to be whole.

    A backup that died holds burials back for ten minutes, and the next one too: the test does not wait for it.
    """

    def __init__(self):
        super().__init__("backup")

    def run(self, server, **environment):
        folder = str(server.folder / "backups")
        if not environment:
            _change_rows(server, None, ["DELETE FROM holds"])
        status = self._command(server, environment, "backup", folder)
        point = environment.get(VARIABLE, "").partition(":")[0]
        is_whole = not environment or point in {"backup.noted", "backup.pruned"}
        assert (self._command(server, {}, "restore", folder, "--check") == 0) is is_whole
        return status

    def _command(self, server, environment, *words):
        command = [COMMAND[0], *words]
        environment = clean_environment(server.environment | environment)
        return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False).returncode


def back_up():
    return BackUp()


BEFORE = 2
"""How many blobs are pushed, in one request each, before the act."""
STORED = BEFORE + 1
"""How much is stored before the act: those, and the mark of the storage."""
TABLE = (
    # what is done, at which visit it meets the point, and the points
    (at_once, BEFORE + 1, ("upload.start.committing", "upload.start.committed", "upload.opened", "upload.written")),
    (at_once, STORED + 1, ("store.commit.synced", "store.commit.renamed", "store.commit.named")),
    (at_once, BEFORE + 1, ("upload.hashed", "upload.stored", "blob.publish.committing", "blob.publish.committed")),
    (in_two, 1, ("upload.claimed",)),
    (in_two, STORED + 1, ("store.commit.renamed",)),
    (in_two, BEFORE + 1, ("blob.publish.committed",)),
    (resumed, 2, ("upload.claimed", "store.checkpoint.synced", "upload.checkpointed")),
    (resumed, 2, ("upload.advance.committing", "upload.advance.committed")),
    (resumed, STORED + 1, ("store.commit.renamed",)),
    (resumed, BEFORE + 1, ("upload.stored", "blob.publish.committing")),
    (mount, 1, ("blob.mount.committing", "blob.mount.committed")),
    (link, 1, ("blob.link.committing", "blob.link.committed")),
    (tag, 2, ("manifest.push.committing", "manifest.push.committed")),
    (delete_tag, 1, ("tag.delete.committing", "tag.delete.committed")),
    (delete_manifest, 1, ("manifest.delete.committing", "manifest.delete.committed")),
    (delete_blob, 1, ("blob.delete.committing", "blob.delete.committed")),
    (cancel, 1, ("upload.discard.committing", "upload.discard.committed", "upload.discard.removed")),
    (delete_repository, 1, ("repository.delete.committing", "repository.delete.committed")),
    (restore_tag, 1, ("tag.restore.committing", "tag.restore.committed")),
    (restore_manifest, 1, ("manifest.restore.committing", "manifest.restore.committed")),
    (restore_repository, 1, ("repository.restore.committing", "repository.restore.committed")),
    (restore_blob, 1, ("blob.restore.committing", "blob.restore.committed")),
    (retain, 1, ("retention.committing", "retention.committed")),
    (purge, 1, ("trash.purge.committing", "trash.purge.committed")),
    (collect, 1, ("review.claimed", "review.committing", "review.committed")),
    (collect_repository, 1, ("repository.collect.committing", "repository.collect.committed")),
    (back_up, 1, ("backup.held", "backup.listed", "backup.copied", "backup.noted", "backup.pruned")),
    (expire, 1, ("expiry.found",)),
    (bury, 1, ("bury.found", "store.delete.unlinked", "bury.removed", "bury.committing", "bury.committed")),
)
MEETINGS = [(act, visit, point) for act, visit, points in TABLE for point in points]
OF_REQUESTS = [row for row in MEETINGS if not isinstance(row[0](), Command)]
OF_COMMANDS = [row for row in MEETINGS if isinstance(row[0](), Command)]
OF_A_SERVER = {
    (at_once, "upload.start.committing"),
    (at_once, "blob.publish.committing"),
    (at_once, "blob.publish.committed"),
    (resumed, "upload.claimed"),
    (tag, "manifest.push.committing"),
    (tag, "manifest.push.committed"),
    (delete_manifest, "manifest.delete.committing"),
    (restore_repository, "repository.restore.committing"),
    (collect, "review.claimed"),
    (collect, "review.committing"),
    (collect_repository, "repository.collect.committing"),
    (bury, "bury.removed"),
}
"""What a database with a process of its own may do otherwise: a connection breaks off within a transaction that holds
locks, or after its commit, and a claim is held by nobody. One of each kind; the statements are the same as SQLite's."""
MEETINGS_WITH_A_SERVER = [row for row in MEETINGS if (row[0], row[2]) in OF_A_SERVER]


def _prepared(server, ledger, act):
    """Push what is acknowledged before the act."""
    client = Client(server.url, ledger)
    client.push_at_once(REPOSITORY, LAYER)
    client.push_at_once(REPOSITORY, CONFIG)
    client.push_manifest(REPOSITORY, "v1", image(LAYER))
    act.prepare(client)
    return client


def _change_rows(server, url, statements):
    """Do to the rows of a stopped server what only time does."""
    place = Place("sqlite", str(server.data / "wharfinger" / "wharfinger.db")) if url is None else Place("pg", url)
    engine = place.engine()
    with engine.begin() as connection:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0, statement
    engine.dispose()


def named(value):
    return value.__name__ if callable(value) else str(value)


async def end_at(tmp_path, url, act, visit, point):
    act, ledger = act(), Ledger()
    armed = {VARIABLE: f"{point}:{visit}", **act.environment}
    is_command = isinstance(act, Command)
    jobs = act.once is _nothing and not is_command
    at_once = not is_command and not act.prepare_rows
    server = Server(tmp_path / "server", database=url, jobs=jobs, environment=armed if at_once else {})
    try:
        client = _prepared(server.start(), ledger, act)
        if act.prepare_rows:
            server.kill()
            _change_rows(server, url, act.prepare_rows)
            server.environment.update({} if is_command else armed)
            server.start()
        _meet(act, server, client, armed)
        if not is_command:  # a command ends alone, and the server goes on beside it
            server.kill()
            for name in armed:
                server.environment.pop(name, None)
            server.start()
        assert client.audit() == []
        _do_again(act, server, client)
        assert client.audit() == []
        assert client.ledger.acknowledged > BEFORE
        client.close()
        server.stop()
        assert await leftovers(server.data, url) == []
    finally:
        server.kill()


def _meet(act, server, client, armed):
    """Let a process come by the point, and see it end there."""
    if isinstance(act, Command):
        client.ledger.intend(act.changes(client.ledger))
        assert act.run(server, **armed) == -signal.SIGKILL
    elif act.once is _nothing:
        _wait_for_the_end_of_the_jobs(server)
    else:
        with pytest.raises(Broken):
            act.once(client)


def _do_again(act, server, client):
    """What was interrupted is done again: if it had been done, a command says so, and nothing else changes."""
    if not isinstance(act, Command):
        act.again(client)
        return
    changes = act.changes(client.ledger)
    was_done = all(client.ledger.may(fact) == {value} for fact, value in changes.items())
    assert act.run(server) == 0 or was_done
    client.ledger.settle(changes)


def _wait_for_the_end_of_the_jobs(server):
    ended = "a process ended by itself"
    wait_until(lambda: ended in server.log, within=30, why=lambda: f"the point was not met:\n{tail(server.log_path)}")
