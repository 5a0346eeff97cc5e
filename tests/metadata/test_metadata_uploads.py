# SPDX-License-Identifier: Apache-2.0
import asyncio
from dataclasses import replace

import pytest

from tests.metadata.rows import NAME, NOW, REGISTRY, SOMEBODY, every, make_repository, only
from wharfinger.clock import DAY, HOUR, SECOND, after
from wharfinger.domain.digests import Algorithm
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata import uploads as rows
from wharfinger.metadata.schema import uploads
from wharfinger.metadata.uploads import UPLOAD, UploadRow

END = after(NOW, DAY)
SOON = after(NOW, 15 * SECOND)


@pytest.fixture
def upload(connection):
    return start(connection, "u1")


def start(connection, upload_id, expires_at=END):
    row = UploadRow(
        id=upload_id,
        registry_id=REGISTRY,
        repository_id=make_repository(connection),
        store_key=f"u1/{upload_id}",
        algorithm=Algorithm.SHA256,
        offset=0,
        writer_state=None,
    )
    rows.start(connection, row, SOMEBODY, NOW, expires_at)
    return row


def find(connection):
    return rows.find(connection, REGISTRY, NAME, "u1")


def test_an_upload_is_found_as_it_was_started(connection, upload):
    assert find(connection) == upload


def test_an_upload_is_found_in_its_own_repository_only(connection, upload):
    make_repository(connection, "other")
    assert rows.find(connection, REGISTRY, RepositoryName("other"), upload.id) is None
    assert rows.find(connection, REGISTRY, NAME, "u2") is None


def test_a_claim_is_taken_once(connection, upload):
    assert rows.claim(connection, upload, "first", NOW, SOON)
    assert not rows.claim(connection, upload, "second", NOW, SOON)
    assert only(connection, uploads)["claim"] == "first"


def test_a_claim_at_another_offset_is_refused(connection, upload):
    assert not rows.claim(connection, replace(upload, offset=5), "first", NOW, SOON)


def test_a_claim_that_is_over_is_taken_over(connection, upload):
    assert rows.claim(connection, upload, "first", NOW, SOON)
    assert not rows.claim(connection, upload, "second", SOON, after(SOON, SECOND))
    assert rows.claim(connection, upload, "second", after(SOON, 1), after(SOON, SECOND))


def test_a_claim_is_renewed_by_its_holder_only(connection, upload):
    rows.claim(connection, upload, "first", NOW, SOON)
    assert rows.renew(connection, upload.id, "first", after(NOW, HOUR))
    assert not rows.renew(connection, upload.id, "second", after(NOW, DAY))
    assert only(connection, uploads)["claimed_until"] == after(NOW, HOUR)


def test_the_offset_moves_and_the_claim_is_given_back(connection, upload):
    rows.claim(connection, upload, "first", NOW, SOON)
    moved = replace(upload, offset=7)
    assert rows.advance(connection, moved, "first", {"offset": 7, "parts": ["a", "é"]}, after(END, HOUR))
    assert find(connection) == replace(moved, writer_state={"offset": 7, "parts": ["a", "é"]})
    row = only(connection, uploads)
    assert (row["claim"], row["claimed_until"], row["expires_at"]) == (None, None, after(END, HOUR))


def test_an_old_token_changes_nothing(connection, upload):
    rows.claim(connection, upload, "first", NOW, SOON)
    rows.claim(connection, upload, "second", after(SOON, 1), after(SOON, SECOND))
    before = only(connection, uploads)
    assert not rows.advance(connection, replace(upload, offset=7), "first", {}, END)
    assert not rows.renew(connection, upload.id, "first", END)
    assert not rows.end(connection, upload.id, "first")
    rows.release(connection, upload.id, "first")
    assert only(connection, uploads) == before


def test_a_claim_is_given_back(connection, upload):
    rows.claim(connection, upload, "first", NOW, SOON)
    rows.release(connection, upload.id, "first")
    assert rows.claim(connection, upload, "second", NOW, SOON)


def test_every_claim_is_freed_at_once(connection, upload):
    rows.claim(connection, upload, "first", NOW, SOON)
    start(connection, "u2")
    assert rows.release_all(connection) == 1
    assert rows.claim(connection, upload, "second", NOW, SOON)


def test_an_upload_ends_once(connection, upload):
    rows.claim(connection, upload, "first", NOW, SOON)
    assert rows.end(connection, upload.id, "first")
    assert not rows.end(connection, upload.id, "first")
    assert every(connection, uploads) == []


def test_an_upload_can_be_ended_whoever_holds_it(connection, upload):
    rows.claim(connection, upload, "first", NOW, SOON)
    assert rows.end(connection, upload.id)
    assert not rows.advance(connection, replace(upload, offset=7), "first", {}, END)


def test_expired_are_those_that_stand_still_the_oldest_first(connection):
    for number, expires_at in ((1, END), (2, NOW), (3, after(NOW, -DAY)), (4, after(NOW, 1))):
        start(connection, f"u{number}", expires_at)
    assert [row.id for row in rows.expired(connection, REGISTRY, NOW, 10)] == ["u3", "u2"]
    assert [row.id for row in rows.expired(connection, REGISTRY, NOW, 1)] == ["u3"]


def test_what_is_being_written_to_does_not_expire(connection):
    row = start(connection, "u1", NOW)
    rows.claim(connection, row, "first", NOW, SOON)
    assert rows.expired(connection, REGISTRY, NOW, 10) == []
    assert [one.id for one in rows.expired(connection, REGISTRY, after(SOON, 1), 10)] == ["u1"]


async def test_only_one_of_many_claims_at_once_wins(place):
    """Each from an instance of its own, as requests in different processes are."""
    instances = [place.open() for _ in range(4)]
    row = await instances[0].write(lambda c: start(c, "u1"))

    def work(number):
        return lambda connection: rows.claim(connection, row, f"token {number}", NOW, SOON)

    won = await asyncio.gather(*(instances[n % 4].write(work(n), durable=False) for n in range(24)))
    assert won.count(True) == 1
    claim = (await instances[0].read(lambda c: only(c, uploads)))["claim"]
    assert claim == f"token {won.index(True)}"


async def test_the_look_up_of_an_upload_says_where_it_stands(place):
    database = place.open()
    await database.write(lambda c: start(c, "u1"))
    wanted = {"upload_id": "u1", "registry_id": REGISTRY}
    assert tuple(await database.find(UPLOAD, **wanted, repository="acme/app")) == (0,)
    assert await database.find(UPLOAD, **wanted, repository="acme/other") is None
