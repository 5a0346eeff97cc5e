# SPDX-License-Identifier: Apache-2.0
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

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
    only,
)
from wharfinger.clock import HOUR, after
from wharfinger.domain.manifests import EdgeKind
from wharfinger.metadata import manifests as rows
from wharfinger.metadata.manifests import BY_DIGEST, CONTENT, Arrival, NewManifest
from wharfinger.metadata.schema import manifest_references, manifest_reviews, manifests


@pytest.fixture
def repository(connection):
    return make_repository(connection)


def put(connection, repository_id, content=b"manifest", now=NOW):
    new = NewManifest(
        repository_id=repository_id,
        digest=digest(content.decode("latin-1")),
        media_type="application/json",
        artifact_type=None,
        content=content,
        subject=None,
        referrer=None,
    )
    return rows.put(connection, new, SOMEBODY, now)


def test_a_manifest_is_new_then_present_then_revived(connection, repository):
    manifest_id, arrival = put(connection, repository)
    assert arrival is Arrival.NEW
    assert put(connection, repository) == (manifest_id, Arrival.PRESENT)
    rows.delete(connection, manifest_id, NOW, LATER)
    assert put(connection, repository, now=after(NOW, HOUR)) == (manifest_id, Arrival.REVIVED)
    row = only(connection, manifests)
    assert (row["deleted_at"], row["pushed_at"]) == (None, after(NOW, HOUR))


def test_the_bytes_are_kept_as_they_came(connection, repository):
    content = bytes(range(256)) + b"\r\n \x00"
    put(connection, repository, content)
    row = only(connection, manifests)
    assert (bytes(row["content"]), row["size"]) == (content, 260)


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("found", [b"manifesT", b"", b"manifest and more"])
def test_stored_bytes_that_differ_are_replaced(connection, repository, found, deleted):
    manifest_id, _ = put(connection, repository)
    if deleted:
        rows.delete(connection, manifest_id, NOW, LATER)
    connection.execute(update(manifests).values(content=found, size=len(found)))
    assert put(connection, repository) == (manifest_id, Arrival.REVIVED if deleted else Arrival.PRESENT)
    row = only(connection, manifests)
    assert (bytes(row["content"]), row["size"]) == (b"manifest", 8)


def test_the_same_manifest_may_be_in_two_repositories(connection, repository):
    other = make_repository(connection, "other")
    assert put(connection, repository)[0] != put(connection, other)[0]


def test_edges_are_kept_in_the_order_of_the_manifest(connection, repository):
    second = make_blob(connection, repository, "b")
    first = make_blob(connection, repository, "a")
    edges = [edge("a", 0, kind=EdgeKind.CONFIG, blob_id=first), edge("b", 1, blob_id=second), edge("c", 2)]
    make_manifest(connection, repository, edges=edges)
    found = [
        (row["position"], row["kind"], row["digest"], row["blob_id"]) for row in every(connection, manifest_references)
    ]
    assert found == [
        (0, "config", digest("a"), first),
        (1, "layer", digest("b"), second),
        (2, "layer", digest("c"), None),
    ]


def test_a_manifest_without_edges_is_a_manifest(connection, repository):
    make_manifest(connection, repository, edges=[])
    assert every(connection, manifest_references) == []


def test_one_content_may_be_referred_to_twice(connection, repository):
    blob_id = make_blob(connection, repository)
    make_manifest(connection, repository, edges=[edge("layer", blob_id=blob_id), edge("layer", 1, blob_id=blob_id)])
    assert len(every(connection, manifest_references)) == 2


def test_an_arriving_manifest_closes_the_open_edges_to_it(connection, repository):
    make_manifest(connection, repository, "index", [edge("image", kind=EdgeKind.CHILD)])
    child = make_manifest(connection, repository, "image")
    assert only(connection, manifest_references)["child_id"] == child


def test_an_arriving_manifest_closes_no_edges_of_another_repository(connection, repository):
    make_manifest(connection, make_repository(connection, "other"), "index", [edge("image", kind=EdgeKind.CHILD)])
    make_manifest(connection, repository, "image")
    assert only(connection, manifest_references)["child_id"] is None


def test_a_revived_manifest_closes_the_open_edges_to_it(connection, repository):
    child = make_manifest(connection, repository, "image")
    rows.delete(connection, child, NOW, LATER)
    make_manifest(connection, repository, "index", [edge("image", kind=EdgeKind.CHILD)])
    assert only(connection, manifest_references)["child_id"] is None
    assert make_manifest(connection, repository, "image") == child
    assert only(connection, manifest_references)["child_id"] == child


def test_a_child_that_an_edge_holds_cannot_be_removed(connection, repository):
    child = make_manifest(connection, repository, "image")
    make_manifest(connection, repository, "index", [edge("image", child_id=child)])
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(manifests.delete().where(manifests.c.id == child))


def test_the_edges_of_a_removed_manifest_go_with_it(connection, repository):
    blob_id = make_blob(connection, repository)
    manifest_id = make_manifest(connection, repository, edges=[edge("layer", blob_id=blob_id)])
    connection.execute(manifests.delete().where(manifests.c.id == manifest_id))
    assert every(connection, manifest_references) == []


def test_members_are_the_live_manifests_of_the_repository(connection, repository):
    here = make_manifest(connection, repository, "here")
    make_manifest(connection, make_repository(connection, "other"), "elsewhere")
    rows.delete(connection, make_manifest(connection, repository, "deleted"), NOW, LATER)
    asked = [digest(name) for name in ("here", "elsewhere", "deleted", "never")]
    assert rows.members(connection, repository, asked) == {digest("here"): (here, 4)}
    assert rows.find(connection, repository, digest("here")) == here
    assert rows.find(connection, repository, digest("deleted")) is None


def test_parents_are_the_live_indexes_that_list_it(connection, repository):
    child = make_manifest(connection, repository, "image")
    for name in ("index a", "index b"):
        make_manifest(connection, repository, name, [edge("image", child_id=child)])
    assert set(rows.parents(connection, repository, child, 10)) == {digest("index a"), digest("index b")}
    assert len(rows.parents(connection, repository, child, 1)) == 1
    rows.delete(connection, rows.find(connection, repository, digest("index a")), NOW, LATER)
    assert list(rows.parents(connection, repository, child, 10)) == [digest("index b")]


def test_a_deleted_manifest_is_hidden_and_reviewed(connection, repository):
    manifest_id = make_manifest(connection, repository)
    rows.delete(connection, manifest_id, NOW, LATER)
    assert only(connection, manifests)["deleted_at"] == NOW
    row = only(connection, manifest_reviews)
    assert (row["manifest_id"], row["due_at"], row["reason"]) == (manifest_id, LATER, "deleted")


def test_referrers_are_live_and_come_by_digest_in_pages(connection, repository):
    subject = digest("image")
    names = [f"signature {number}" for number in range(5)]
    for name in names:
        make_manifest(connection, repository, name, subject=subject)
    make_manifest(connection, repository, "of another", subject=digest("other"))
    rows.delete(connection, rows.find(connection, repository, digest(names[0])), NOW, LATER)
    ordered = sorted(digest(name) for name in names[1:])

    def listed(last, limit):
        return [one for one, _ in rows.referrers(connection, repository, subject, [], last, limit)]

    assert listed(None, 10) == ordered
    assert listed(None, 2) == ordered[:2]
    assert listed(ordered[1], 2) == ordered[2:]
    assert rows.referrers(connection, repository, subject, [], None, 1)[0][1] == f'{{"digest":"{ordered[0]}"}}'


def test_referrers_are_filtered_by_any_of_the_artifact_types(connection, repository):
    subject = digest("image")
    for kind in ("a/a", "b/b", "c/c"):
        make_manifest(connection, repository, f"of {kind}", subject=subject, artifact_type=kind)
    make_manifest(connection, repository, "of none", subject=subject)
    found = rows.referrers(connection, repository, subject, ["a/a", "c/c", "x/x"], None, 10)
    assert {one for one, _ in found} == {digest("of a/a"), digest("of c/c")}


async def test_the_look_up_by_digest_passes_over_what_was_deleted(place):
    database = place.open()

    def work(connection):
        return make_manifest(connection, make_repository(connection), "image")

    manifest_id = await database.write(work)
    wanted = {"registry_id": REGISTRY, "repository": NAME, "reference": digest("image")}
    row = await database.find(BY_DIGEST, **wanted)
    assert tuple(row) == (manifest_id, digest("image"), "application/vnd.oci.image.manifest.v1+json", 5)
    assert bytes((await database.find(CONTENT, manifest_id=manifest_id))[0]) == b"image"
    await database.write(lambda c: rows.delete(c, manifest_id, NOW, LATER))
    assert await database.find(BY_DIGEST, **wanted) is None
