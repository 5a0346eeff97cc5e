# SPDX-License-Identifier: Apache-2.0
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from tests.metadata.rows import (
    LATER,
    NOW,
    REGISTRY,
    digest,
    edge,
    every,
    make_blob,
    make_manifest,
    make_repository,
    only,
)
from wharfinger.clock import DAY, HOUR, after
from wharfinger.metadata import blobs as rows
from wharfinger.metadata import manifests
from wharfinger.metadata.blobs import NewBlob
from wharfinger.metadata.schema import blob_reviews, blobs, manifest_references, repository_blobs, tombstones
from wharfinger.metadata.standing import EVERYTHING


@pytest.fixture
def repository(connection):
    return make_repository(connection)


def put(connection, key, content="layer"):
    new = NewBlob(registry_id=REGISTRY, digest=digest(content), size=len(content), store_key=key)
    return rows.put(connection, new, after(NOW, HOUR), bury_at=LATER)


def test_new_bytes_become_a_live_blob(connection):
    blob_id = put(connection, "ab/one")
    row = only(connection, blobs)
    assert (row["id"], row["digest"], row["size"], row["store_key"]) == (blob_id, digest("layer"), 5, "ab/one")
    assert (row["state"], row["verified_at"]) == ("live", after(NOW, HOUR))
    assert every(connection, tombstones) == []


def test_a_live_blob_keeps_its_bytes_and_the_new_ones_are_buried(connection):
    first = put(connection, "ab/one")
    assert put(connection, "cd/two") == first
    assert only(connection, blobs)["store_key"] == "ab/one"
    assert [(row["store_key"], row["not_before"]) for row in every(connection, tombstones)] == [("cd/two", LATER)]


@pytest.mark.parametrize("state", ["missing", "quarantined"])
def test_bytes_that_were_found_bad_give_way_to_the_new_ones(connection, state):
    first = put(connection, "ab/one")
    connection.execute(update(blobs).values(state=state))
    assert put(connection, "cd/two") == first
    row = only(connection, blobs)
    assert (row["store_key"], row["state"], row["size"]) == ("cd/two", "live", 5)
    assert [row["store_key"] for row in every(connection, tombstones)] == ["ab/one"]


def test_the_same_content_may_be_in_two_repositories_and_is_one_blob(connection, repository):
    other = make_repository(connection, "other")
    assert make_blob(connection, repository) == make_blob(connection, other, key="cd/two")
    assert len(every(connection, repository_blobs)) == 2


def test_a_membership_is_made_once_and_renewed(connection, repository):
    blob_id = make_blob(connection, repository)
    rows.join(connection, repository, blob_id, after(NOW, HOUR), after(LATER, HOUR))
    row = only(connection, repository_blobs)
    assert (row["created_at"], row["lease_until"]) == (NOW, after(LATER, HOUR))


def test_joining_clears_the_mark_of_a_deletion(connection, repository):
    blob_id = make_blob(connection, repository)
    assert rows.unlink(connection, repository, blob_id, NOW, LATER)
    make_blob(connection, repository, key="cd/two")
    assert only(connection, repository_blobs)["unlinked_at"] is None


def test_joining_has_the_blob_reviewed_when_its_lease_is_over(connection, repository):
    blob_id = make_blob(connection, repository)
    row = only(connection, blob_reviews)
    assert (row["blob_id"], row["due_at"], row["reason"], row["version"]) == (blob_id, LATER, "joined", 0)


def test_joining_closes_the_open_edges_of_this_repository_only(connection, repository):
    other = make_repository(connection, "other")
    waiting = make_manifest(connection, repository, edges=[edge("layer"), edge("another", 1)])
    elsewhere = make_manifest(connection, other, edges=[edge("layer")])
    blob_id = make_blob(connection, repository)
    found = {(row["manifest_id"], row["position"]): row["blob_id"] for row in every(connection, manifest_references)}
    assert found == {(waiting, 0): blob_id, (waiting, 1): None, (elsewhere, 0): None}


def test_joining_leaves_an_edge_alone_that_leads_to_a_manifest(connection, repository):
    child = make_manifest(connection, repository, "layer")
    make_manifest(connection, repository, "index", [edge("layer", child_id=child)])
    make_blob(connection, repository)
    row = only(connection, manifest_references)
    assert (row["child_id"], row["blob_id"]) == (child, None)


def test_a_membership_that_an_edge_holds_cannot_be_removed(connection, repository):
    blob_id = make_blob(connection, repository)
    make_manifest(connection, repository, edges=[edge("layer", blob_id=blob_id)])
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(repository_blobs.delete())


def test_a_blob_that_a_membership_holds_cannot_be_removed(connection, repository):
    make_blob(connection, repository)
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(blobs.delete())


def test_an_edge_cannot_hold_a_blob_that_another_repository_has(connection, repository):
    blob_id = make_blob(connection, make_repository(connection, "other"))
    with pytest.raises(IntegrityError), connection.begin_nested():
        make_manifest(connection, repository, edges=[edge("layer", blob_id=blob_id)])


def test_members_are_the_live_unmarked_blobs_of_the_repository(connection, repository):
    other = make_repository(connection, "other")
    here = make_blob(connection, repository, "here")
    make_blob(connection, other, "elsewhere")
    rows.unlink(connection, repository, make_blob(connection, repository, "deleted"), NOW, LATER)
    rows.set_missing(connection, make_blob(connection, repository, "missing"), "ab/missing")
    asked = [digest(name) for name in ("here", "elsewhere", "deleted", "missing", "never")]
    assert rows.members(connection, repository, asked) == {digest("here"): (here, 4)}


def test_members_may_be_asked_for_by_the_thousand(connection, repository):
    wanted = {make_blob(connection, repository, f"layer {n}", key=f"ab/{n}") for n in range(3)}
    asked = [digest(f"layer {n}") for n in range(1_700)]
    assert {blob_id for blob_id, _ in rows.members(connection, repository, asked).values()} == wanted


def test_a_blob_elsewhere_is_found_in_the_named_or_in_any_repository(connection, repository):
    other = make_repository(connection, "other")
    blob_id = make_blob(connection, repository)
    assert rows.find_elsewhere(connection, REGISTRY, digest("layer"), None, EVERYTHING) == (blob_id, 5)
    assert rows.find_elsewhere(connection, REGISTRY, digest("layer"), repository, EVERYTHING) == (blob_id, 5)
    assert rows.find_elsewhere(connection, REGISTRY, digest("layer"), other, EVERYTHING) is None


def test_a_blob_that_was_deleted_or_lost_is_found_nowhere(connection, repository):
    blob_id = make_blob(connection, repository)
    rows.unlink(connection, repository, blob_id, NOW, LATER)
    assert rows.find_elsewhere(connection, REGISTRY, digest("layer"), None, EVERYTHING) is None
    rows.join(connection, repository, blob_id, NOW, LATER)
    rows.set_missing(connection, blob_id, "ab/layer")
    assert rows.find_elsewhere(connection, REGISTRY, digest("layer"), None, EVERYTHING) is None


def test_a_deletion_is_remembered_where_it_happened(connection, repository):
    other = make_repository(connection, "other")
    rows.unlink(connection, repository, make_blob(connection, repository), NOW, LATER)
    make_blob(connection, other, key="cd/two")
    assert rows.was_deleted_here(connection, repository, digest("layer"))
    assert not rows.was_deleted_here(connection, other, digest("layer"))


def test_a_lease_is_extended_and_never_shortened(connection, repository):
    blob_id = make_blob(connection, repository)
    rows.extend_lease(connection, repository, blob_id, after(LATER, DAY))
    assert only(connection, repository_blobs)["lease_until"] == after(LATER, DAY)
    rows.extend_lease(connection, repository, blob_id, NOW)
    assert only(connection, repository_blobs)["lease_until"] == after(LATER, DAY)


def test_only_a_live_manifest_counts_as_a_reference(connection, repository):
    blob_id = make_blob(connection, repository)
    assert not rows.is_referenced(connection, repository, blob_id)
    manifest_id = make_manifest(connection, repository, edges=[edge("layer", blob_id=blob_id)])
    assert rows.is_referenced(connection, repository, blob_id)
    manifests.delete(connection, manifest_id, NOW, LATER)
    assert not rows.is_referenced(connection, repository, blob_id)


def test_a_reference_in_another_repository_does_not_count(connection, repository):
    other = make_repository(connection, "other")
    blob_id = make_blob(connection, repository)
    make_blob(connection, other, key="cd/two")
    make_manifest(connection, other, edges=[edge("layer", blob_id=blob_id)])
    assert not rows.is_referenced(connection, repository, blob_id)


def test_a_blob_is_hidden_once(connection, repository):
    blob_id = make_blob(connection, repository)
    assert rows.unlink(connection, repository, blob_id, NOW, LATER)
    assert not rows.unlink(connection, repository, blob_id, LATER, LATER)
    assert only(connection, repository_blobs)["unlinked_at"] == NOW


def test_bytes_that_a_push_has_replaced_do_not_become_missing(connection, repository):
    blob_id = make_blob(connection, repository)
    rows.set_missing(connection, blob_id, "another/key")
    assert only(connection, blobs)["state"] == "live"
    rows.set_missing(connection, blob_id, "ab/layer")
    assert only(connection, blobs)["state"] == "missing"
