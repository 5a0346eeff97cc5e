# SPDX-License-Identifier: Apache-2.0
"""What every driver does, in the words of the seam."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.blobstore.stores import descriptors, drained, eventually, listed, new_key, put, read
from wharfinger.blobstore.base import KeyUnknown, checked_key
from wharfinger.blobstore.files import IOV_MAX
from wharfinger.domain.errors import StoreUnavailable

MIB = 1024 * 1024
GONE = {"offset": 3}


async def test_bytes_are_read_back(store):
    key = await put(store, b"some bytes")
    assert await store.stat(key) == 10
    assert await read(store, key) == b"some bytes"


async def test_bytes_are_not_readable_before_commit(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"unfinished"])
    await writer.checkpoint()
    with pytest.raises(KeyUnknown):
        await store.stat(key)
    with pytest.raises(KeyUnknown):
        await anext(store.open(key, 0, 10))
    assert await listed(store) == []
    await writer.commit()
    assert await read(store, key) == b"unfinished"


async def test_zero_bytes(store):
    key = new_key()
    await (await store.begin(key)).commit()
    assert await store.stat(key) == 0
    assert await read(store, key) == b""
    assert await listed(store) == [key]


@pytest.mark.parametrize("pieces", [[], [b""], [b"", b"a", b"", b"b", b""]])
async def test_empty_pieces_add_nothing(store, pieces):
    key = new_key()
    writer = await store.begin(key)
    await writer.write(pieces)
    assert writer.offset == len(b"".join(pieces))
    await writer.commit()
    assert await read(store, key) == b"".join(pieces)


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (3, 7), (9, 10), (10, 10), (0, 10)])
async def test_range_is_half_open(store, start, stop):
    key = await put(store, b"0123456789")
    assert await read(store, key, start, stop) == b"0123456789"[start:stop]


async def test_pieces_are_at_most_a_mebibyte_and_never_empty(store):
    content = bytes(range(256)) * 4096 * 3 + b"rest"
    key = await put(store, content)
    pieces = [piece async for piece in store.open(key, 1, len(content))]
    assert b"".join(pieces) == content[1:]
    assert all(0 < len(piece) <= MIB for piece in pieces)


async def test_short_source_is_an_error_never_an_end(store):
    key = await put(store, b"only this")
    received, error = await drained(store.open(key, 5, 10))
    assert b"".join(received) == b"this"
    assert error is not None


async def test_range_past_the_end_is_an_error(store):
    key = await put(store, b"short")
    with pytest.raises(StoreUnavailable):
        await anext(store.open(key, 100, 101))


@pytest.mark.parametrize("stop", [0, 5])
async def test_unknown_key_is_a_fact_and_not_a_failure(store, stop):
    with pytest.raises(KeyUnknown):
        await store.stat(new_key())
    with pytest.raises(KeyUnknown):
        await anext(store.open(new_key(), 0, stop))
    with pytest.raises(KeyUnknown):
        await anext(store.open_unfinished(new_key(), GONE))
    with pytest.raises(KeyUnknown):
        await store.resume(new_key(), GONE)


async def test_part_of_a_key_is_no_key(store):
    key = await put(store)
    for other in (key[:2], f"{key}/more"):
        with pytest.raises(KeyUnknown):
            await store.stat(other)
        with pytest.raises(KeyUnknown):
            await anext(store.open(other, 0, 1))
        with pytest.raises(KeyUnknown):
            await store.resume(other, GONE)


async def test_read_outlives_delete(store):
    content = b"x" * (3 * MIB)
    key = await put(store, content)
    pieces = store.open(key, 0, len(content))
    received = [await anext(pieces)]
    await store.delete(key)
    received += [piece async for piece in pieces]
    assert b"".join(received) == content


async def test_delete_removes_finished_bytes(store):
    key, other = await put(store), await put(store, b"other")
    await store.delete(key)
    with pytest.raises(KeyUnknown):
        await store.stat(key)
    assert await listed(store) == [other]


async def test_delete_removes_unfinished_bytes(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"abc"])
    state = await writer.checkpoint()
    await writer.close()
    await store.delete(key)
    with pytest.raises(KeyUnknown):
        await store.resume(key, state)


async def test_delete_beneath_a_writer_makes_its_commit_fail(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"abc"])
    await store.delete(key)
    with pytest.raises(StoreUnavailable):
        await writer.commit()
    await writer.close()
    with pytest.raises(KeyUnknown):
        await store.stat(key)


async def test_delete_of_nothing_succeeds(store):
    key = await put(store)
    await store.delete(new_key())
    await store.delete(f"{key}/more")
    await store.delete("zz/no-such-folder")
    await store.delete(key)
    await store.delete(key)


async def test_abort_after_commit_keeps_the_bytes(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"kept"])
    await writer.commit()
    await writer.abort()
    await writer.abort()
    await writer.close()
    assert await read(store, key) == b"kept"


async def test_abort_throws_the_bytes_away(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"gone"])
    state = await writer.checkpoint()
    await writer.abort()
    await writer.abort()
    await writer.close()
    with pytest.raises(KeyUnknown):
        await store.stat(key)
    with pytest.raises(KeyUnknown):
        await store.resume(key, state)


async def test_abort_after_close_keeps_what_can_be_resumed(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"kept"])
    state = await writer.checkpoint()
    await writer.close()
    await writer.abort()
    resumed = await store.resume(key, state)
    await resumed.commit()
    assert await read(store, key) == b"kept"


async def test_commit_twice_is_refused_and_keeps_the_bytes(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"once"])
    await writer.commit()
    with pytest.raises(ValueError, match="closed"):
        await writer.commit()
    assert await read(store, key) == b"once"


async def test_closed_writer_takes_nothing(store):
    writer = await store.begin(new_key())
    await writer.close()
    await writer.close()
    for call in (lambda: writer.write([b"more"]), writer.checkpoint, writer.commit):
        with pytest.raises(ValueError, match="closed"):
            await call()


async def test_finished_key_is_never_written_again(store):
    key = await put(store, b"first")
    with pytest.raises(ValueError, match="already"):
        await store.begin(key)
    with pytest.raises(KeyUnknown):
        await store.resume(key, {"offset": 0})
    assert await read(store, key) == b"first"
    assert await listed(store) == [key]


async def test_begin_again_before_a_checkpoint_starts_from_nothing(store, open_store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"nobody was promised this"])
    await writer.close()
    again = await open_store().begin(key)
    assert again.offset == 0
    await again.write([b"new"])
    await again.commit()
    assert await read(store, key) == b"new"


async def test_resume_drops_what_was_written_after_the_checkpoint(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"kept"])
    state = await writer.checkpoint()
    await writer.write([b"dropped, and longer than what follows"])
    await writer.close()
    resumed = await store.resume(key, state)
    assert resumed.offset == 4
    await resumed.write([b", and more"])
    assert resumed.offset == 14
    await resumed.commit()
    assert await read(store, key) == b"kept, and more"


async def test_resume_in_another_process(store, open_store):
    key = new_key()
    writer = await store.begin(key)
    for number in range(5):
        await writer.write([b"%d" % number])
        state = await writer.checkpoint()
        await writer.close()
        writer = await open_store().resume(key, state)
    await writer.commit()
    assert await read(store, key) == b"01234"


async def test_checkpoint_can_be_resumed_twice(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"base-"])
    state = await writer.checkpoint()
    await writer.close()
    for attempt in (b"first", b"2nd"):
        writer = await store.resume(key, state)
        await writer.write([attempt])
        await writer.checkpoint()
        await writer.close()
    writer = await store.resume(key, state)
    await writer.write([b"third"])
    await writer.commit()
    assert await read(store, key) == b"base-third"


async def test_fewer_bytes_than_the_checkpoint_says_cannot_be_resumed(store):
    key = new_key()
    writer = await store.begin(key)
    await writer.write([b"12345"])
    await writer.checkpoint()
    await writer.close()
    with pytest.raises(KeyUnknown):
        await store.resume(key, {"offset": 6})
    resumed = await store.resume(key, {"offset": 5})
    assert resumed.offset == 5
    await resumed.close()


@pytest.mark.parametrize("state", [{}, {"offset": "5"}, {"offset": -1}, {"offset": None}])
async def test_state_of_another_store_is_refused(store, state):
    writer = await store.begin(key := new_key())
    await writer.close()
    with pytest.raises(ValueError, match="checkpoint"):
        await store.resume(key, state)


async def test_checkpoint_can_be_written_down(store):
    writer = await store.begin(new_key())
    await writer.write([b"123"])
    assert await writer.checkpoint() == {"offset": 3}
    assert await writer.checkpoint() == {"offset": 3}
    await writer.abort()


async def test_unfinished_bytes_are_read_up_to_the_checkpoint(store, open_store):
    key, content = new_key(), b"y" * (2 * MIB + 5)
    writer = await store.begin(key)
    await writer.write([content])
    state = await writer.checkpoint()
    await writer.write([b"not this"])
    found = [piece async for piece in open_store().open_unfinished(key, state)]
    assert b"".join(found) == content
    assert max(map(len, found)) <= MIB
    await writer.abort()


async def test_observer_sees_every_piece_in_order(store):
    key, seen = new_key(), []
    writer = await store.begin(key, seen.append)
    await writer.write([b"a", b"bc"])
    await writer.write([])
    await writer.write([b"d"])
    state = await writer.checkpoint()
    await writer.close()
    resumed = await store.resume(key, state, seen.append)
    await resumed.write([b"e", b"f"])
    await resumed.commit()
    assert seen == [b"a", b"bc", b"d", b"e", b"f"]


async def test_thousand_small_pieces(store):
    key = new_key()
    writer = await store.begin(key)
    for number in range(1000):
        await writer.write([b"%03d" % number])
    assert writer.offset == 3000
    await writer.commit()
    assert await read(store, key) == b"".join(b"%03d" % number for number in range(1000))


@pytest.mark.parametrize("count", [IOV_MAX - 1, IOV_MAX, IOV_MAX + 1, 3 * IOV_MAX + 5])
async def test_more_pieces_at_once_than_the_system_takes(store, count):
    key, pieces = new_key(), [b"%d," % number for number in range(count)]
    writer = await store.begin(key)
    await writer.write(pieces)
    await writer.commit()
    assert await read(store, key) == b"".join(pieces)


async def test_keys_lists_finished_keys_below_a_prefix(store):
    for key in ("aa/1", "aa/2", "aab/3", "b", "aa.b/c/d"):
        await put(store, key=key)
    await (await store.begin("aa/unfinished")).close()
    assert await listed(store) == ["aa.b/c/d", "aa/1", "aa/2", "aab/3", "b"]
    assert await listed(store, "aa/") == ["aa/1", "aa/2"]
    assert await listed(store, "aa") == ["aa.b/c/d", "aa/1", "aa/2", "aab/3"]
    assert await listed(store, "aa/1") == ["aa/1"]
    assert await listed(store, "aa.b/c") == ["aa.b/c/d"]
    assert await listed(store, "c") == []


async def test_keys_lists_more_than_one_batch(store):
    expected = sorted([await put(store, b"") for _ in range(1100)])
    assert await listed(store) == expected


async def test_many_tasks_at_once(store):
    contents = [b"%d" % number * 1000 for number in range(30)]
    keys = await asyncio.gather(*(put(store, content) for content in contents))
    assert await asyncio.gather(*(read(store, key) for key in keys)) == contents


async def test_failing_observer_ends_the_writer(store):
    def fail(_piece):
        raise ArithmeticError

    key = new_key()
    writer = await store.begin(key, fail)
    with pytest.raises(ArithmeticError):
        await writer.write([b"x"])
    with pytest.raises(StoreUnavailable):
        await writer.commit()
    await writer.abort()
    with pytest.raises(KeyUnknown):
        await store.stat(key)


async def test_check_leaves_nothing(store):
    await store.check()
    assert await listed(store) == []


async def test_space_is_less_when_there_is_more(store):
    await store.check()
    before = await store.space()
    if before is None:  # memory has as much as there is
        return
    assert 0 < before.free <= before.total
    await put(store, b"z" * (2 * MIB))
    assert (await store.space()).free <= before.free


async def test_nothing_stays_open(store, tmp_path):
    key = await put(store, b"z" * (2 * MIB + 1))
    for number in range(20):
        writer = await store.begin(new_key())
        await writer.write([b"x"])
        state = await writer.checkpoint()
        await (writer.close() if number % 2 else writer.abort())
        with pytest.raises((KeyUnknown, ValueError)):
            await store.resume(new_key(), state)
        with pytest.raises(ValueError, match="already"):
            await store.begin(key)
        with pytest.raises(StoreUnavailable):
            await read(store, key, 0, 3 * MIB)
        with pytest.raises(KeyUnknown):
            await read(store, new_key(), 0, 1)
        assert await read(store, key) == b"z" * (2 * MIB + 1)
        pieces = store.open(key, 0, 10)
        await anext(pieces)
        await pieces.aclose()
        names = store.keys()
        await anext(names)
        await names.aclose()
    await eventually(lambda: descriptors(tmp_path) == [])


async def test_aclose_is_idempotent(store):
    await put(store)
    await store.aclose()
    await store.aclose()


_STEPS = st.one_of(
    st.lists(st.binary(max_size=50), max_size=5),
    st.sampled_from(["checkpoint", "close and resume", "resume elsewhere"]),
)


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEPS, max_size=20))
async def test_any_order_of_steps_gives_exactly_the_bytes(store, open_store, steps):
    key, expected, seen = new_key(), b"", []
    writer = await store.begin(key, seen.append)
    state, durable = await writer.checkpoint(), b""
    for step in steps:
        if isinstance(step, list):
            await writer.write(step)
            expected += b"".join(step)
        elif step == "checkpoint":
            state, durable = await writer.checkpoint(), expected
        else:
            await writer.close()
            found = [piece async for piece in store.open_unfinished(key, state)]
            assert b"".join(found) == durable
            elsewhere = open_store() if step == "resume elsewhere" else store
            writer, expected = await elsewhere.resume(key, state), durable
        assert writer.offset == len(expected)
    await writer.commit()
    assert await read(store, key) == expected


async def test_keys_that_were_deleted_or_never_there_can_be_settled(store):
    key = await put(store)
    await store.delete(key)
    await store.settle([key, key, new_key(), checked_key("no/such/folder")])
    with pytest.raises(KeyUnknown):
        await store.stat(key)
    await store.settle([])
