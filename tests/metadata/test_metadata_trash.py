# SPDX-License-Identifier: Apache-2.0
"""Nothing that is asked of the trash or of a history goes through all of a repository, or of the registry."""

import pytest
from sqlalchemy import event

from tests.metadata.rows import (
    NOW,
    REGISTRY,
    change,
    digest,
    edge,
    every,
    make_blob,
    make_manifest,
    make_repository,
    make_tag,
    only,
)
from wharfinger.clock import DAY, HOUR, Instant, after
from wharfinger.domain.names import TagName
from wharfinger.domain.trash import TrashKind
from wharfinger.metadata import blobs, manifests, tag_history, tags, trash, trash_lists
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata.schema import manifests as manifest_table
from wharfinger.metadata.schema import repositories, repository_blobs
from wharfinger.metadata.schema import tag_history as history_table
from wharfinger.metadata.trash_lists import TrashScope

V1 = TagName("v1")
ALL = TrashScope(registry_id=REGISTRY, repository_id=None, since=NOW)
HERE = TrashScope(registry_id=REGISTRY, repository_id=1, since=NOW)
LAST = (after(NOW, HOUR), TrashKind.TAG, 3)
ASKED = {
    "history of a tag": (lambda c: tag_history.movements(c, 1, V1, 5, 10), "ix_tag_history_name"),
    "history of a repository": (lambda c: tag_history.movements(c, 1, None, 5, 10), "ix_tag_history_repository_id"),
    "tag at a time": (lambda c: tag_history.last(c, 1, V1, NOW), "ix_tag_history_name"),
    "tags that went with a manifest": (lambda c: tag_history.deleted_with(c, 1, "x", 3), "ix_tag_history_left"),
    "whole trash: repositories": (lambda c: trash_lists.entries(c, ALL, LAST, 9), "ix_repositories_deleted_at"),
    "whole trash: tags": (lambda c: trash_lists.entries(c, ALL, LAST, 9), "ix_tag_history_deleted"),
    "whole trash: manifests": (lambda c: trash_lists.entries(c, ALL, LAST, 9), "ix_manifests_deleted_at"),
    "whole trash: blobs": (lambda c: trash_lists.entries(c, ALL, LAST, 9), "ix_repository_blobs_unlinked_at"),
    "trash of a repository: tags": (lambda c: trash_lists.entries(c, HERE, LAST, 9), "ix_tag_history_trash"),
    "trash of a repository: manifests": (lambda c: trash_lists.entries(c, HERE, LAST, 9), "ix_manifests_trash"),
    "trash of a repository: blobs": (lambda c: trash_lists.entries(c, HERE, LAST, 9), "ix_repository_blobs_trash"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_asked_is_found_by_an_index(sqlite_place, asked):
    ask, index = ASKED[asked]
    engine, statements = sqlite_place.engine(), []
    event.listen(engine, "before_cursor_execute", lambda _c, _x, sql, values, *_: statements.append((sql, values)))
    with engine.connect() as connection:
        ask(connection)
        driver = connection.connection.driver_connection
        plans = [
            row[3]
            for sql, values in statements
            if sql.startswith("SELECT")
            for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    assert any(f"USING INDEX {index} " in step for step in plans), plans
    tables = {"manifests", "tag_history", "repository_blobs", "blobs", "events", "repositories"}
    assert not [step for step in plans if step.split()[0] == "SCAN" and step.split()[1] in tables]


@pytest.fixture
def repository(connection):
    found = make_repository(connection)
    make_manifest(connection, found, "one")
    make_manifest(connection, found, "two")
    return found


def test_each_step_of_a_tag_is_later_than_the_one_before_whatever_the_clock_says(connection, repository):
    for content, now in (("one", NOW), ("two", NOW), ("one", Instant(NOW - DAY)), ("two", after(NOW, HOUR))):
        make_tag(connection, repository, "v1", content, now)
    assert [row["at"] for row in every(connection, history_table)] == [NOW, NOW + 1, NOW + 2, NOW + HOUR]
    make_tag(connection, repository, "v2", "one", Instant(NOW - DAY))
    assert tag_history.last(connection, repository, TagName("v2")).at == NOW - DAY


def test_a_push_takes_a_manifest_and_a_blob_out_of_the_trash_and_out_of_what_was_purged(connection, repository):
    blob = make_blob(connection, repository)
    found = manifests.find(connection, repository, digest("one"))
    manifests.delete(connection, found, NOW, NOW, 7)
    trash.purge_manifest(connection, found, NOW)
    blobs.unlink(connection, repository, blob, NOW, NOW)
    trash.purge_blob(connection, repository, blob, NOW)
    assert trash.find_manifest(connection, repository, digest("one")) == (found, NOW, 7, True)
    assert trash.find_blob(connection, repository, digest("layer")) == (blob, NOW, None, True)
    make_manifest(connection, repository, "one")
    make_blob(connection, repository)
    row = only(connection, manifest_table, digest=digest("one"))
    assert (row["deleted_at"], row["deletion_id"], row["purged_at"]) == (None, None, None)
    row = only(connection, repository_blobs)
    assert (row["unlinked_at"], row["purged_at"]) == (None, None)


def test_what_manifests_need_is_what_was_deleted_or_damaged_of_it(connection, repository):
    there, gone, bad = (make_blob(connection, repository, content) for content in ("there", "gone", "bad"))
    child = manifests.find(connection, repository, digest("two"))
    edges = [edge("there", blob_id=there), edge("gone", 1, blob_id=gone), edge("bad", 2, blob_id=bad)]
    parent = make_manifest(connection, repository, "parent", [*edges, edge("two", 3, child_id=child), edge("open", 4)])
    assert trash.needs(connection, [parent]) == trash.Needs(children=[], blobs=frozenset(), broken=[])
    blobs.unlink(connection, repository, gone, NOW, NOW)
    blobs.set_missing(connection, bad, "ab/bad")
    manifests.delete(connection, child, NOW, NOW)
    expected = trash.Needs(children=[(child, digest("two"))], blobs=frozenset({gone}), broken=[digest("bad")])
    assert trash.needs(connection, [parent]) == expected


def test_only_a_repository_in_the_trash_is_purged(connection, repository):
    assert not trash.begin_purge(connection, repository, NOW)
    repository_rows.hide(connection, repository, NOW, 7)
    assert repository_rows.lock(connection, repository) is None
    assert trash.begin_purge(connection, repository, NOW)
    assert trash.begin_purge(connection, repository, after(NOW, HOUR))
    assert only(connection, repositories)["purged_at"] == NOW
    assert trash.find_repository(connection, REGISTRY, "acme/app") == (repository, NOW, 7, True)


def test_tags_that_the_history_knows_and_the_tables_do_not_are_lost(connection, repository):
    for name in ("v1", "v2", "v3"):
        make_tag(connection, repository, name, "one")
    tags.remove(connection, change(repository), TagName("v3"))
    assert tag_history.lost(connection, repository) == []
    connection.exec_driver_sql("DELETE FROM tags WHERE name = 'v2'")
    assert tag_history.lost(connection, repository) == ["v2"]
