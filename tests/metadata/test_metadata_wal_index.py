# SPDX-License-Identifier: Apache-2.0
"""What SQLite's look-ups remember, and that they forget it at every commit, whoever commits."""

import asyncio
import subprocess
import sys

import pytest
from sqlalchemy import bindparam, select, text, update

from tests.metadata.rows import REGISTRY, make_repository
from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.metadata import sqlite
from wharfinger.metadata.database import Statement
from wharfinger.metadata.repositories import REPOSITORY
from wharfinger.metadata.schema import repositories
from wharfinger.metadata.sqlite import SqliteDatabase
from wharfinger.metadata.wal_index import WalIndex

PATIENCE = 30
CHANGED = Statement(select(repositories.c.changed_at).where(repositories.c.id == bindparam("id")))


@pytest.fixture
def database(sqlite_place):
    return sqlite_place.open()


@pytest.fixture
def asked(database):
    """Return what the look-ups say to SQLite, as they say it."""
    said = []
    database._lookups.set_trace_callback(said.append)
    return said


async def find(database, name="acme/app"):
    return await database.find(REPOSITORY, registry_id=REGISTRY, repository=name)


async def test_what_was_found_is_not_looked_up_again(database, asked):
    await database.write(make_repository)
    first = await find(database)
    assert first is not None
    assert len(asked) == 1
    assert await find(database) == first
    assert len(asked) == 1


async def test_absence_is_remembered_until_it_ends(database, asked):
    assert [await find(database), await find(database)] == [None, None]
    assert len(asked) == 1
    await database.write(make_repository)
    assert await find(database) is not None


async def test_what_follows_from_look_ups_is_forgotten_with_them(database):
    memory = database.memory()
    memory["what", "follows"] = "an answer"
    assert database.memory()["what", "follows"] == "an answer"
    await database.write(make_repository)
    assert ("what", "follows") not in database.memory()


async def test_what_was_worked_out_while_somebody_committed_is_given_to_nobody(database):
    memory = database.memory()
    await database.write(make_repository)
    await find(database)
    memory["what", "follows"] = "an answer of before"
    assert ("what", "follows") not in database.memory()


async def test_look_ups_with_other_parameters_are_other_look_ups(database):
    ids = [await database.write(lambda c, name=name: make_repository(c, name)) for name in ("a", "b")]
    found = [(await find(database, name))[0] for name in ("a", "b", "a", "b")]
    assert found == ids * 2


async def test_a_transaction_that_fails_changes_nothing(database):
    def work(connection):
        make_repository(connection)
        raise LookupError

    assert await find(database) is None
    with pytest.raises(LookupError):
        await database.write(work)
    assert await find(database) is None


async def test_another_database_of_this_process_is_seen(database, sqlite_place):
    assert await find(database) is None
    await sqlite_place.open().write(make_repository)
    assert await find(database) is not None


WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    connection.execute("UPDATE repositories SET changed_at = ?", (int(line),))
    if int(line) % 20 == 0:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(int(line), flush=True)
"""


@pytest.fixture
def writer(sqlite_place):
    """Return another program that commits the number it is told, and then says it."""
    command = [sys.executable, "-c", WRITER, str(sqlite_place.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        yield program
        program.stdin.close()
        assert program.wait(PATIENCE) == 0


async def test_what_another_process_has_committed_is_seen_at_once(database, writer):
    """Three hundred times: another program commits and says so, and the next look-up must know it."""
    repository = await database.write(make_repository)
    (newest,) = await database.find(CHANGED, id=repository)
    for number in range(300):
        writer.stdin.write(f"{number}\n")
        writer.stdin.flush()
        seen = set()
        while number not in seen:
            assert writer.poll() is None
            seen.update(await database.find(CHANGED, id=repository))
        assert seen <= {newest, number}
        assert int(writer.stdout.readline()) == number
        assert (await database.find(CHANGED, id=repository))[0] == number
        newest = number


async def test_readers_see_numbers_rise_while_several_write(database, sqlite_place):
    """A reader that saw a commit never sees the time before it again, and an acknowledged one is always seen."""
    repository = await database.write(make_repository)
    other = sqlite_place.open()

    def increment(connection):
        connection.execute(update(repositories).values(changed_at=repositories.c.changed_at + 1))

    async def write(one, acknowledged):
        for _ in range(100):
            await one.write(increment)
            acknowledged.append(None)

    done = []
    start = (await database.find(CHANGED, id=repository))[0]
    writers = asyncio.gather(write(database, done), write(other, done))
    newest = start
    while not writers.done():
        for reader in (database, other):
            least = max(newest, start + len(done))
            newest = (await reader.find(CHANGED, id=repository))[0]
            assert newest >= least
        await asyncio.sleep(0)
    await writers
    assert (await database.find(CHANGED, id=repository))[0] == start + 200


async def test_what_is_remembered_is_bounded(database, asked, monkeypatch):
    monkeypatch.setattr(sqlite, "REMEMBERED", 10)
    for number in range(35):
        await find(database, f"name{number}")
        assert len(database._found) <= 10
    assert len(asked) == 35


LOCKED = """
import fcntl, sys
with open(sys.argv[1] + "-shm", "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except BlockingIOError:
        print("locked")
"""
"""Byte 128 is the lock that says that somebody uses the wal-index; who gets it alone starts the file anew."""


def locked(path):
    done = subprocess.run([sys.executable, "-c", LOCKED, str(path)], capture_output=True, text=True, check=True)
    return done.stdout == "locked\n"


async def test_closing_one_database_leaves_the_locks_of_another(sqlite_place):
    """Closing any descriptor of a file drops every POSIX lock that the process has on it."""
    one, other = SqliteDatabase(sqlite_place.path), SqliteDatabase(sqlite_place.path)
    assert locked(sqlite_place.path)
    await one.aclose()
    assert locked(sqlite_place.path)
    assert await find(other) is None
    await other.aclose()


async def test_an_index_is_shared_and_closed_with_its_last_user(sqlite_place):
    database = SqliteDatabase(sqlite_place.path)
    index = WalIndex.of(sqlite_place.path)
    assert index is database._index
    await database.aclose()
    assert len(index.stamp()) == 48
    index.release()
    with pytest.raises(ValueError, match="closed"):
        index.stamp()


async def test_an_unknown_format_is_refused(sqlite_place, monkeypatch):
    monkeypatch.setattr("wharfinger.metadata.wal_index._FORMAT", 3_008_000)
    with pytest.raises(DatabaseUnavailable) as raised:
        SqliteDatabase(sqlite_place.path)
    assert "3007000" in str(raised.value.__cause__)


async def test_a_new_journal_is_waited_for(tmp_path):
    """SQLite does not wait to change the journal of a file that somebody reads; opening one does."""
    path = tmp_path / "new.db"

    def open_one(_number):
        engine = sqlite.open_engine(path, pooled=False)
        with engine.connect() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS t (x)"))
        engine.dispose()

    for _ in range(5):
        await asyncio.gather(*(asyncio.to_thread(open_one, number) for number in range(8)))
        path.unlink()
