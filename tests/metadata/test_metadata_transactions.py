# SPDX-License-Identifier: Apache-2.0
"""`write`, `read` and `find`: what every caller of either database relies on."""

import asyncio
import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from tests.metadata.rows import NOW, REGISTRY, count, every, make_repository
from wharfinger.domain.errors import DatabaseUnavailable, NameUnknown
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata import blobs as blob_rows
from wharfinger.metadata.database import MAX_ATTEMPTS
from wharfinger.metadata.repositories import REPOSITORY
from wharfinger.metadata.schema import blobs, repositories

PATIENCE = 20


class Locked(Exception):
    """What a driver raises when somebody else is in the way: the text is SQLite's, the state PostgreSQL's."""

    sqlstate = None

    def __init__(self, kind):
        super().__init__("database is locked")
        if kind == "postgresql":
            self.sqlstate = "40001"


def conflict(place):
    return OperationalError("UPDATE …", {}, Locked(place.kind))


async def names(database):
    return {row["name"] for row in await database.read(lambda c: every(c, repositories))}


async def test_a_write_returns_what_its_function_returns(database):
    assert await database.write(make_repository) == 1
    assert await names(database) == {"acme/app"}


async def test_a_write_that_meets_a_conflict_is_run_again_whole(place, database):
    tries = []

    def work(connection):
        tries.append(make_repository(connection, f"try/{len(tries)}"))
        if len(tries) < 3:
            raise conflict(place)

    await database.write(work)
    assert await names(database) == {"try/2"}


async def test_a_write_that_meets_conflicts_only_is_unavailable_at_last(place, database):
    tries = []

    def work(connection):
        tries.append(make_repository(connection))
        raise conflict(place)

    with pytest.raises(DatabaseUnavailable):
        await database.write(work)
    assert len(tries) == MAX_ATTEMPTS
    assert await names(database) == set()


async def test_a_write_that_breaks_a_rule_of_the_tables_is_not_run_again(database):
    tries = []

    def work(connection):
        tries.append(1)
        connection.execute(text("INSERT INTO accounts (kind, name, created_at) VALUES ('nobody', 'ann', 0)"))

    with pytest.raises(DatabaseUnavailable) as raised:
        await database.write(work)
    assert isinstance(raised.value.__cause__, IntegrityError)
    assert tries == [1]


async def test_the_error_of_a_function_reaches_its_caller_and_undoes_its_changes(database):
    def work(connection):
        make_repository(connection)
        message = "nothing of that name"
        raise NameUnknown(message)

    with pytest.raises(NameUnknown, match="nothing of that name"):
        await database.write(work)
    assert await names(database) == set()


async def test_a_failing_transaction_leaves_its_neighbours_alone(database):
    def good(number):
        return lambda connection: make_repository(connection, f"good/{number}")

    def bad(connection):
        make_repository(connection, "bad/one")
        connection.execute(text("INSERT INTO registries (name, created_at) VALUES ('default', 0)"))

    def odd(connection):
        make_repository(connection, "odd/one")
        raise KeyError

    works = [good(0), bad, good(1), odd, good(2)]
    results = await asyncio.gather(*map(database.write, works), return_exceptions=True)
    assert [type(result) for result in results] == [int, DatabaseUnavailable, int, KeyError, int]
    assert await names(database) == {"good/0", "good/1", "good/2"}


async def test_many_writes_at_once_all_commit(database):
    def add(connection):
        connection.execute(text("UPDATE registries SET created_at = created_at + 1 WHERE id = 1"))

    await database.write(lambda c: c.execute(text("UPDATE registries SET created_at = 0")))
    await asyncio.gather(*(database.write(add, durable=number % 2 == 0) for number in range(300)))
    assert await database.read(lambda c: c.execute(text("SELECT created_at FROM registries")).scalar()) == 300


async def test_writes_of_two_instances_at_once_all_commit(place):
    first, second = place.open(), place.open()
    works = [
        (one, lambda c, n=f"{who}/{n}": make_repository(c, n))
        for who, one in (("first", first), ("second", second))
        for n in range(40)
    ]
    await asyncio.gather(*(one.write(work) for one, work in works))
    assert len(await names(first)) == 80


async def test_a_write_without_durability_is_seen_at_once(place, database):
    await database.write(make_repository, durable=False)
    assert await names(place.open()) == {"acme/app"}
    await database.write(lambda c: make_repository(c, "acme/next"))
    assert await names(place.open()) == {"acme/app", "acme/next"}


async def test_a_write_whose_caller_gave_up_happens_all_the_same(database):
    begun, let_go = threading.Event(), threading.Event()

    def work(connection):
        make_repository(connection)
        begun.set()
        assert let_go.wait(PATIENCE)

    task = asyncio.ensure_future(database.write(work))
    await asyncio.to_thread(begun.wait, PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    let_go.set()
    async with asyncio.timeout(PATIENCE):
        while not await names(database):  # noqa: ASYNC110 - the caller that would be told has gone
            await asyncio.sleep(0.001)
    await database.write(lambda c: make_repository(c, "acme/next"))
    assert await names(database) == {"acme/app", "acme/next"}


async def test_a_read_sees_one_moment(place, database):
    """What another instance commits meanwhile does not appear in the middle of a read."""
    looked, changed = threading.Event(), threading.Event()

    def work(connection):
        before = count(connection, repositories)
        looked.set()
        assert changed.wait(PATIENCE)
        return before, count(connection, repositories)

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.to_thread(looked.wait, PATIENCE)
    await place.open().write(make_repository)
    changed.set()
    assert await reading == (0, 0)


async def test_a_read_cannot_write(database):
    with pytest.raises(DatabaseUnavailable):
        await database.read(make_repository)
    assert await names(database) == set()


async def test_the_error_of_a_reading_function_reaches_its_caller(database):
    def work(_connection):
        message = "no"
        raise NameUnknown(message)

    with pytest.raises(NameUnknown):
        await database.read(work)


async def test_find_sees_what_another_instance_has_committed(place, database):
    wanted = {"registry_id": REGISTRY, "repository": "acme/app"}
    assert await database.find(REPOSITORY, **wanted) is None
    made = await place.open().write(make_repository)
    assert tuple(await database.find(REPOSITORY, **wanted))[:2] == (made, None)


async def test_find_takes_constants_of_a_statement(database):
    """The look-up of a blob says `state = 'live'` itself; a blob that is missing is not found."""

    def work(connection):
        repository_id = make_repository(connection)
        new = blob_rows.NewBlob(registry_id=REGISTRY, digest="sha256:" + "a" * 64, size=1, store_key="ab/cd")
        blob_id = blob_rows.put(connection, new, NOW, bury_at=NOW)
        blob_rows.join(connection, repository_id, blob_id, NOW, NOW)
        return blob_id

    blob_id = await database.write(work)
    wanted = {"registry_id": REGISTRY, "repository": "acme/app", "digest": "sha256:" + "a" * 64}
    found = await database.find(blob_rows.BLOB, **wanted)
    assert tuple(found)[:3] == (blob_id, 1, "ab/cd")
    await database.write(lambda c: c.execute(blobs.update().values(state="missing")))
    assert await database.find(blob_rows.BLOB, **wanted) is None


async def test_names_are_sorted_and_compared_by_bytes(database):
    mixed = ["b", "a-b", "a.b", "a/b", "a0", "a_b", "a__b", "ab"]
    await database.write(lambda c: [make_repository(c, RepositoryName(name)) for name in mixed])
    found = await database.read(
        lambda c: [row.name for row in c.execute(text("SELECT name FROM repositories ORDER BY name"))]
    )
    assert found == sorted(mixed, key=str.encode)
    after = await database.read(
        lambda c: [row.name for row in c.execute(text("SELECT name FROM repositories WHERE name > 'a0' ORDER BY name"))]
    )
    assert after == [name for name in found if name.encode() > b"a0"]


async def test_check_succeeds_and_changes_nothing(database):
    await database.check()
    assert await names(database) == set()


async def test_a_closed_database_says_so_by_every_door(database):
    await database.aclose()
    await database.aclose()
    for ask in (
        database.write(make_repository),
        database.read(lambda c: count(c, repositories)),
        database.find(REPOSITORY, registry_id=1, repository="acme/app"),
        database.check(),
    ):
        with pytest.raises(DatabaseUnavailable):
            await ask


async def test_closing_finishes_what_was_asked_for(place):
    database = place.open()
    writes = [asyncio.ensure_future(database.write(lambda c, n=n: make_repository(c, f"a/{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    await database.aclose()
    await asyncio.gather(*writes)
    assert len(await names(place.open())) == 20


async def test_an_error_of_the_driver_is_no_error_of_the_caller(database):
    def work(connection):
        connection.execute(text("SELECT * FROM nowhere"))

    for ask in (database.read, database.write):
        with pytest.raises(DatabaseUnavailable) as raised:
            await ask(work)
        assert isinstance(raised.value.__cause__, DBAPIError)
        assert "nowhere" not in raised.value.message
