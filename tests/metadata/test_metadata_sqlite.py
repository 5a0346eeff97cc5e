# SPDX-License-Identifier: Apache-2.0
"""What only SQLite does: one writer, many transactions in one commit, one file for several processes."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.metadata.rows import REGISTRY, every, make_repository
from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.metadata import sqlite, wal_index
from wharfinger.metadata.repositories import REPOSITORY
from wharfinger.metadata.schema import repositories
from wharfinger.metadata.sqlite import BATCH, EXPECTED_PRAGMAS, SqliteDatabase

PATIENCE = 20


@pytest.fixture
def database(sqlite_place):
    return sqlite_place.open()


@pytest.fixture
def statements(database):
    """Return what the writer says to SQLite, as it says it."""
    said = []
    database._connection.connection.driver_connection.set_trace_callback(said.append)
    return said


async def names(database):
    return {row["name"] for row in await database.read(lambda c: every(c, repositories))}


class Held:
    """A transaction that the writer is busy with until it is let go: what is asked meanwhile waits in the queue."""

    def __init__(self, database):
        self.begun, self._let_go = threading.Event(), threading.Event()
        self.task = asyncio.ensure_future(database.write(self._work))

    def _work(self, _connection):
        self.begun.set()
        assert self._let_go.wait(PATIENCE)

    async def gather(self, *waiting):
        tasks = [asyncio.ensure_future(one) for one in waiting]
        await asyncio.sleep(0)
        self._let_go.set()
        await self.task
        return await asyncio.gather(*tasks, return_exceptions=True)


async def held(database):
    one = Held(database)
    await asyncio.to_thread(one.begun.wait, PATIENCE)
    return one


async def test_what_waits_is_committed_together(database, statements):
    busy = await held(database)
    statements.clear()
    await busy.gather(*(database.write(lambda c, n=n: make_repository(c, f"a/{n}")) for n in range(10)))
    assert statements.count("COMMIT") == 2  # the one that was held, and the ten
    assert statements.count("SAVEPOINT job") == 10
    assert len(await names(database)) == 10


async def test_a_batch_has_a_bound(database, statements):
    busy = await held(database)
    statements.clear()
    await busy.gather(*(database.write(lambda _c: None) for _ in range(BATCH + 1)))
    assert statements.count("COMMIT") == 3


async def test_a_batch_is_durable_if_one_of_it_must_be(database, statements):
    await database.write(lambda _c: None, durable=False)
    busy = await held(database)
    statements.clear()
    await busy.gather(
        database.write(lambda _c: None, durable=False),
        database.write(lambda _c: None, durable=True),
    )
    assert [sql for sql in statements if "synchronous" in sql] == []  # the held one was durable, and so is this batch
    assert await database.write(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar()) == 2


async def test_a_batch_that_need_not_be_durable_is_committed_without_a_sync(database):
    def level(connection):
        return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert await database.write(level, durable=False) == 1
    assert await database.write(level) == 2
    assert await database.write(level, durable=False) == 1


async def test_a_full_disk_undoes_the_whole_batch_and_the_writer_goes_on(database):
    """SQLite ends the transaction itself then, and with it what the neighbours wrote and the savepoint."""

    def fill(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
        try:
            connection.exec_driver_sql("CREATE TABLE filler (bytes BLOB)")
            connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")
        finally:
            connection.exec_driver_sql("PRAGMA max_page_count = 4294967294")

    busy = await held(database)
    before, full, after = await busy.gather(
        database.write(lambda c: make_repository(c, "a/before")),
        database.write(fill),
        database.write(lambda c: make_repository(c, "a/after")),
    )
    assert [type(one) for one in (before, full, after)] == [DatabaseUnavailable] * 3
    await database.write(lambda c: make_repository(c, "a/later"))
    assert await names(database) == {"a/later"}


async def test_a_commit_that_fails_fails_its_own_transactions_only(database):
    """A deferred key is checked by COMMIT itself."""

    def work(connection):
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = 1")
        connection.execute(text("INSERT INTO tags (repository_id, name, manifest_id, moved_at) VALUES (9, 'x', 9, 0)"))

    with pytest.raises(DatabaseUnavailable) as raised:
        await database.write(work)
    assert isinstance(raised.value.__cause__, IntegrityError)
    await database.write(make_repository)
    assert await names(database) == {"acme/app"}


async def test_a_full_disk_fails_the_transaction_and_not_those_that_fit(database):
    def fill(connection):
        connection.exec_driver_sql(
            f"PRAGMA max_page_count = {connection.exec_driver_sql('PRAGMA page_count').scalar()}"
        )
        for number in range(10_000):
            make_repository(connection, f"fill/{number:050}")

    with pytest.raises(DatabaseUnavailable, match="try again"):
        await database.write(fill)
    await database.write(lambda c: c.execute(text("UPDATE registries SET created_at = 5")))
    assert await names(database) == set()


async def test_a_file_that_stays_locked_is_unavailable_and_comes_back(database, sqlite_place):
    await database.write(lambda c: c.exec_driver_sql("PRAGMA busy_timeout = 5"))
    with sqlite_place.engine().connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable):
            await database.write(make_repository)
        assert await names(database) == set()
        other.rollback()
    await database.write(make_repository)
    assert await names(database) == {"acme/app"}


async def test_a_file_that_is_locked_for_a_moment_is_waited_for(database, sqlite_place):
    with sqlite_place.engine().connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(database.write(make_repository))
        await asyncio.sleep(0.01)
        assert not writing.done()
        other.rollback()
    await writing
    assert await names(database) == {"acme/app"}


def test_every_connection_has_the_pragmas_that_correctness_rests_on(sqlite_place):
    for _ in range(2):
        with sqlite_place.engine().connect() as connection:
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in EXPECTED_PRAGMAS}
        assert found == EXPECTED_PRAGMAS


def test_a_database_that_cannot_have_a_write_ahead_log_is_refused():
    with pytest.raises(DatabaseUnavailable, match="journal_mode at 'memory'"):
        SqliteDatabase(Path(":memory:"))


@pytest.mark.parametrize("content", [b"this is not a database, and it is long enough to be seen as none" * 20, None])
def test_a_file_that_is_no_database_is_refused_at_once(tmp_path, content):
    path = tmp_path / "wharfinger.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(DatabaseUnavailable):
        SqliteDatabase(path)


def descriptors():
    """Return the files that this process has open below the folders of tests."""
    held = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return sorted(one for one in held if "wharfinger.db" in one)


@pytest.mark.parametrize("why", ["no database", "no wal-index", "its format", "no room for it"])
def test_a_database_that_cannot_be_opened_leaves_nothing_open(sqlite_place, monkeypatch, why):
    path = sqlite_place.path
    match why:
        case "no database":
            path.write_bytes(b"this is not a database, and it is long enough to be seen as none" * 20)
        case "no wal-index":
            monkeypatch.setattr(wal_index.os, "open", fails(FileNotFoundError()))
        case "its format":
            monkeypatch.setattr(wal_index, "_FORMAT", 3_008_000)
        case "no room for it":
            monkeypatch.setattr(wal_index.mmap, "mmap", fails(OSError("no room")))
    before = descriptors()
    with pytest.raises(DatabaseUnavailable) as raised:  # kept: what it refers to must be closed, not just forgotten
        SqliteDatabase(path)
    assert descriptors() == before
    assert raised


def fails(error):
    def call(*_args, **_more):
        raise error

    return call


@pytest.mark.parametrize("asked", [False, True])
async def test_closing_leaves_the_file_alone_without_a_log(sqlite_place, asked):
    """The log and its index are removed by the last connection, if that one may write."""
    before = descriptors()
    database = SqliteDatabase(sqlite_place.path)
    await database.write(make_repository)
    if asked:
        assert await database.find(REPOSITORY, registry_id=REGISTRY, repository="acme/app") is not None
        assert await names(database) == {"acme/app"}
    await database.aclose()
    assert [one.name for one in sqlite_place.path.parent.iterdir() if "wharfinger.db" in one.name] == ["wharfinger.db"]
    assert descriptors() == before


async def test_a_new_file_is_for_its_account_and_group_alone(tmp_path):
    path = tmp_path / "wharfinger" / "wharfinger.db"
    sqlite.make_place(path)
    engine = sqlite.open_engine(path, pooled=False)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
        found = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    engine.dispose()
    assert found == dict.fromkeys(["wharfinger.db", "wharfinger.db-wal", "wharfinger.db-shm"], 0o640)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_a_file_that_is_there_keeps_its_mode_and_its_content(sqlite_place):
    sqlite_place.path.chmod(0o600)
    before = sqlite_place.path.read_bytes()
    sqlite.make_place(sqlite_place.path)
    assert stat.S_IMODE(sqlite_place.path.stat().st_mode) == 0o600
    assert sqlite_place.path.read_bytes() == before


SCRIPT = """
import asyncio, os, sys
from pathlib import Path
from sqlalchemy import text
from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.metadata.repositories import REPOSITORY
from wharfinger.metadata.sqlite import SqliteDatabase

async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    for ask in (database.check, lambda: database.write(lambda c: c.execute(text("UPDATE registries SET name = 'x'")))):
        try:
            await ask()
        except DatabaseUnavailable as error:
            assert "readonly" in str(error.__cause__), error.__cause__
        else:
            raise AssertionError("written to a file that cannot be written to")
    row = await database.find(REPOSITORY, registry_id=1, repository="acme/app")
    name = await database.read(lambda c: c.execute(text("SELECT name FROM registries")).scalar())
    print(row[0], name)
    await database.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_file_that_cannot_be_written_is_still_read(sqlite_place, folder_too):
    """In a process of its own, which lacks root's privilege to write what nobody may write."""
    with sqlite_place.engine().begin() as connection:
        made = make_repository(connection)
    keeper = sqlite_place.engine().connect()  # as long as somebody has the file open, its log lies beside it
    keeper.exec_driver_sql("SELECT 1 FROM registries")
    sqlite_place.path.chmod(0o444)
    if folder_too:
        sqlite_place.path.parent.chmod(0o555)
    unprivileged = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    try:
        done = subprocess.run(
            [*unprivileged, sys.executable, "-c", SCRIPT, sqlite_place.where],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        sqlite_place.path.parent.chmod(0o755)
        keeper.close()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{made} default\n", "")


WRITER = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import text
from wharfinger.metadata.sqlite import SqliteDatabase

async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    add = text("UPDATE registries SET created_at = created_at + 1")
    await asyncio.gather(*(database.write(lambda c: c.execute(add) and None) for _ in range(100)))
    await database.aclose()

asyncio.run(main())
"""


async def test_two_processes_write_to_one_file(database, sqlite_place):
    await database.write(lambda c: c.execute(text("UPDATE registries SET created_at = 0")) and None)
    command = [sys.executable, "-c", WRITER, sqlite_place.where]
    programs = [await asyncio.create_subprocess_exec(*command) for _ in range(2)]
    async with asyncio.timeout(PATIENCE):
        assert [await program.wait() for program in programs] == [0, 0]
    assert await database.read(lambda c: c.execute(text("SELECT created_at FROM registries")).scalar()) == 200


async def test_a_reader_never_waits_for_the_writer(database):
    busy = await held(database)
    assert await names(database) == set()
    assert await database.find(REPOSITORY, registry_id=REGISTRY, repository="acme/app") is None
    await busy.gather()


def test_a_loop_that_ended_does_not_stop_the_writer(sqlite_place):
    """The transaction of a task that died with its loop happens, and the next one is served."""
    database = sqlite_place.open()
    begun, let_go = threading.Event(), threading.Event()

    def work(connection):
        begun.set()
        assert let_go.wait(PATIENCE)
        return make_repository(connection)

    async def leave():
        left = asyncio.ensure_future(database.write(work))
        await asyncio.to_thread(begun.wait, PATIENCE)
        assert not left.done()

    asyncio.run(leave())
    let_go.set()
    assert asyncio.run(names_after(database)) == {"acme/app", "acme/next"}
    asyncio.run(sqlite_place.aclose())


async def names_after(database):
    await database.write(lambda c: make_repository(c, "acme/next"))
    return await names(database)


def test_the_file_is_never_touched_by_a_look_up(database):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._lookups.execute("UPDATE registries SET name = 'x'")


async def test_file_that_somebody_else_keeps_locked_is_unavailable_after_seconds(sqlite_place, monkeypatch):
    """Not after five times as long, and what waited behind it hears the same."""
    monkeypatch.setattr(sqlite, "LOCKED_SECONDS", 0.1)
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 1_000)
    database = sqlite_place.open()
    with sqlite_place.engine().connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await database.check()
        assert time.monotonic() - began < 3
        assert await database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar()) == 1
    await database.check()
