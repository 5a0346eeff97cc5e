# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest
from sqlalchemy import update

from tests.metadata.rows import (
    LATER,
    NAME,
    NOW,
    REGISTRY,
    SOMEBODY,
    digest,
    edge,
    every,
    make_blob,
    make_manifest,
    make_repository,
    make_tag,
    only,
)
from wharfinger.clock import DAY, HOUR, after
from wharfinger.domain.digests import Algorithm
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata import manifests, uploads
from wharfinger.metadata import repositories as rows
from wharfinger.metadata.repositories import REPOSITORY
from wharfinger.metadata.schema import namespaces, repositories
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.metadata.uploads import UploadRow


def ensure(connection, name):
    return rows.ensure(connection, REGISTRY, RepositoryName(name), SOMEBODY, NOW)


def test_the_registry_is_found_by_name(connection):
    assert rows.find_registry(connection, "default") == REGISTRY
    assert rows.find_registry(connection, "other") is None


def test_a_repository_is_made_once(connection):
    made = ensure(connection, "acme/app")
    assert made[1]
    assert ensure(connection, "acme/app") == (made[0], False)
    assert rows.find(connection, REGISTRY, NAME) == made[0]


def test_a_namespace_is_made_with_its_first_repository(connection):
    ensure(connection, "acme/app")
    ensure(connection, "acme/deep/er")
    ensure(connection, "plain")
    namespace = only(connection, namespaces)
    assert (namespace["name"], namespace["owner_id"], namespace["default_visibility"]) == ("acme", None, "private")
    found = {row["name"]: row["namespace_id"] for row in every(connection, repositories)}
    assert found == {"acme/app": namespace["id"], "acme/deep/er": namespace["id"], "plain": None}


def test_a_repository_takes_the_visibility_of_its_namespace(connection):
    ensure(connection, "acme/app")
    connection.execute(update(namespaces).values(default_visibility="public"))
    ensure(connection, "acme/next")
    assert only(connection, repositories, name="acme/next")["visibility"] == "public"


def test_the_name_of_a_deleted_repository_is_free(connection):
    first, _ = ensure(connection, "acme/app")
    connection.execute(update(repositories).values(deleted_at=NOW))
    assert rows.find(connection, REGISTRY, NAME) is None
    second, made = ensure(connection, "acme/app")
    assert (made, second > first) == (True, True)


def test_a_repository_is_listed_from_its_first_change_on(connection):
    for name in ("acme/b", "acme/a", "acme-x/a", "acme/a-b", "zeta"):
        repository_id, _ = ensure(connection, name)
        if name != "zeta":
            rows.touch(connection, repository_id, NOW)
    ordered = sorted(["acme/b", "acme/a", "acme-x/a", "acme/a-b"], key=str.encode)
    assert list(rows.list_names(connection, REGISTRY, None, 10, EVERYTHING)) == ordered
    assert list(rows.list_names(connection, REGISTRY, ordered[0], 2, EVERYTHING)) == ordered[1:3]
    connection.execute(update(repositories).where(repositories.c.name == ordered[0]).values(deleted_at=NOW))
    assert list(rows.list_names(connection, REGISTRY, None, 10, EVERYTHING)) == ordered[1:]


def test_a_change_is_noted_and_the_listing_dates_from_the_first(connection):
    repository_id, _ = ensure(connection, "acme/app")
    rows.touch(connection, repository_id, NOW)
    rows.touch(connection, repository_id, LATER)
    row = only(connection, repositories)
    assert (row["listed_at"], row["changed_at"]) == (NOW, LATER)


def test_a_summary_counts_live_manifests_and_distinct_blobs(connection):
    repository_id, _ = ensure(connection, "acme/app")
    blob_id = make_blob(connection, repository_id, "layer")
    make_blob(connection, repository_id, "nobody needs this")
    for name in ("one", "two!"):
        make_manifest(connection, repository_id, name, [edge("layer", blob_id=blob_id)])
        make_tag(connection, repository_id, name.strip("!"), name)
    gone = make_manifest(connection, repository_id, "gone", [edge("layer", blob_id=blob_id)])
    manifests.delete(connection, gone, NOW, LATER)
    rows.touch(connection, repository_id, LATER)
    (found,) = rows.summarize(connection, REGISTRY, [NAME])
    assert (found.name, found.tags, found.manifests, found.changed_at) == (NAME, 2, 2, LATER)
    assert found.size == len("one") + len("two!") + len("layer")


def test_summaries_come_in_the_order_of_the_names_and_without_strangers(connection):
    ensure(connection, "b")
    ensure(connection, "a")
    found = rows.summarize(connection, REGISTRY, [RepositoryName(name) for name in ("b", "missing", "a")])
    assert [(one.name, one.size) for one in found] == [("b", 0), ("a", 0)]


def test_what_was_begun_and_came_to_nothing_is_deleted(connection):
    ensure(connection, "empty")
    kept = {
        "listed": lambda one: rows.touch(connection, one, NOW),
        "blob": lambda one: make_blob(connection, one),
        "manifest": lambda one: make_manifest(connection, one),
        "upload": lambda one: _upload(connection, one),
    }
    for name, fill in kept.items():
        fill(ensure(connection, name)[0])
    assert rows.delete_unlisted(connection, REGISTRY, NOW, 10) == 0
    assert rows.delete_unlisted(connection, REGISTRY, after(NOW, 1), 10) == 1
    assert {row["name"] for row in every(connection, repositories)} == set(kept)


def test_unlisted_repositories_are_deleted_a_few_at_a_time(connection):
    for number in range(5):
        ensure(connection, f"a{number}")
    assert [rows.delete_unlisted(connection, REGISTRY, LATER, 2) for _ in range(4)] == [2, 2, 1, 0]


def _upload(connection, repository_id):
    row = UploadRow(
        id="u1",
        registry_id=REGISTRY,
        repository_id=repository_id,
        store_key="u1/u1",
        algorithm=Algorithm.SHA256,
        offset=0,
        writer_state=None,
    )
    uploads.start(connection, row, SOMEBODY, NOW, after(NOW, DAY))


@pytest.mark.parametrize("name", ["acme/app", "plain"])
async def test_many_who_make_one_repository_at_once_get_the_same(place, name):
    instances = [place.open() for _ in range(3)]
    found = await asyncio.gather(*(instances[n % 3].write(lambda c: ensure(c, name)) for n in range(18)))
    assert len({repository_id for repository_id, _ in found}) == 1
    assert [made for _, made in found].count(True) == 1


async def test_the_look_up_of_a_repository_says_whether_it_is_listed(place):
    database = place.open()
    repository_id = await database.write(make_repository)
    wanted = {"registry_id": REGISTRY, "repository": NAME}
    assert tuple(await database.find(REPOSITORY, **wanted)) == (repository_id, None, 0)
    await database.write(lambda c: rows.touch(c, repository_id, after(NOW, HOUR)))
    assert tuple(await database.find(REPOSITORY, **wanted)) == (repository_id, after(NOW, HOUR), 1)
    await database.write(lambda c: c.execute(update(repositories).values(deleted_at=NOW)) and None)
    assert await database.find(REPOSITORY, **wanted) is None


def test_the_digest_of_nothing_is_no_member(connection):
    repository_id = make_repository(connection)
    assert manifests.members(connection, repository_id, []) == {}
    assert manifests.find(connection, repository_id, digest("")) is None
