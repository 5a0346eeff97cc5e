# SPDX-License-Identifier: Apache-2.0
import pytest
from sqlalchemy import update

from tests.metadata.rows import (
    LATER,
    NOW,
    REGISTRY,
    digest,
    edge,
    make_blob,
    make_manifest,
    make_repository,
    make_tag,
)
from tests.properties.worlds import RandomWorld
from wharfinger.domain.search import read_query
from wharfinger.metadata import descriptions, manifests, repositories, search
from wharfinger.metadata.schema import tags as tag_table
from wharfinger.metadata.standing import EVERYTHING, NOTHING, sight_of

ALL = 100


def find(connection, text, *, limit=ALL, sight=EVERYTHING, registry=REGISTRY):
    """Return the names of what is found, kind by kind."""
    query = read_query(text)
    return (
        [one.name for one in search.find_repositories(connection, registry, query, limit, sight)],
        [f"{one.repository}:{one.name}" for one in search.find_tags(connection, registry, query, limit, sight)],
        [f"{one.repository}@{one.digest}" for one in search.find_digests(connection, registry, query, limit, sight)],
    )


def names(connection, text, **options):
    return find(connection, text, **options)[0]


def tags(connection, text, **options):
    return find(connection, text, **options)[1]


def hide(connection, repository_id, content):
    """Put a manifest into the trash."""
    found = manifests.find(connection, repository_id, digest(content))
    manifests.delete(connection, found, LATER, LATER)


@pytest.fixture
def make(connection):
    """Return what makes a listed repository that changed at a moment, with tags."""

    def call(name, *tag_names, changed=NOW, description=None):
        number = make_repository(connection, name)
        make_manifest(connection, number, f"manifest of {name}")
        repositories.touch(connection, number, changed)
        for tag in tag_names:
            make_tag(connection, number, tag, f"manifest of {name}")
        if description is not None:
            repositories.change(connection, number, {"description": description})
        return number

    return call


def test_the_best_name_comes_first_and_then_what_changed_last(connection, make):
    for name in ("my-webby/x", "x/a-web", "webserver", "acme/web", "web", "x/cobweb"):
        make(name)
    make("x/b-web", changed=LATER)
    assert names(connection, "web") == ["web", "acme/web", "webserver", "x/b-web", "my-webby/x", "x/a-web", "x/cobweb"]
    assert names(connection, "WEB", limit=2) == ["web", "acme/web"]


def test_every_word_must_be_there(connection, make):
    make("acme/web-api")
    make("acme/web")
    assert names(connection, "api acme") == ["acme/web-api"]
    assert names(connection, "web nothing") == []


def test_signs_of_patterns_are_letters_like_others(connection, make):
    make("acme/a_b")
    make("acme/axb")
    assert names(connection, "a_b") == ["acme/a_b"]
    assert names(connection, "a%b") == names(connection, "%") == names(connection, "\\") == names(connection, "'") == []


def test_words_of_both_descriptions_find_and_stop_finding(connection, make):
    number = make("acme/app", description="The shop's Web-Server")
    assert names(connection, "server") == names(connection, "web-ser") == names(connection, "SHOP app") == ["acme/app"]
    assert names(connection, "erver") == []
    descriptions.put(connection, number, "# 컨테이너이미지를 만듭니다\n\nÜber alles", None, NOW)
    assert names(connection, "이미지") == names(connection, "über") == names(connection, "shop") == ["acme/app"]
    descriptions.put(connection, number, "", None, NOW)
    assert names(connection, "이미지") == []
    repositories.change(connection, number, {"description": None})
    assert names(connection, "shop") == []


def test_tags_are_found_by_name_and_by_that_of_their_repository(connection, make):
    make("acme/web", "v1.2", "V1.2-RC1", "latest")
    make("acme/api", "v1.2", "old-v1.2")
    assert tags(connection, "rc1") == ["acme/web:V1.2-RC1"]
    assert tags(connection, "v1.2")[:2] == ["acme/api:v1.2", "acme/web:v1.2"]
    assert tags(connection, "v1.2")[2:] == ["acme/web:V1.2-RC1", "acme/api:old-v1.2"]
    assert tags(connection, "web v1.2") == tags(connection, "web:v1.2") == ["acme/web:v1.2", "acme/web:V1.2-RC1"]
    assert names(connection, "web:v1.2") == []
    assert tags(connection, "acme") == []


def test_a_tag_that_moved_later_comes_first(connection, make):
    make("acme/a", "latest")
    make("acme/b", "latest")
    connection.execute(
        update(tag_table)
        .where(tag_table.c.repository_id == repositories.find(connection, REGISTRY, "acme/b"))
        .values(moved_at=LATER)
    )
    assert tags(connection, "latest") == ["acme/b:latest", "acme/a:latest"]


def test_digests_are_found_by_their_first_digits(connection, make):
    make("acme/app")
    whole = digest("manifest of acme/app")
    found = [f"acme/app@{whole}"]
    for text in (whole, whole[:13], whole[7:13], whole[7:].upper(), f"acme/app@{whole}", f"app@{whole[:20]}"):
        assert find(connection, text)[2] == found, text
    assert find(connection, f"other@{whole}")[2] == []
    assert find(connection, whole[:12])[2] == []


def test_a_blob_leads_to_the_newest_manifest_that_needs_it(connection, make):
    number = make("acme/app")
    blob = make_blob(connection, number, "layer")
    for content in ("old", "new"):
        make_manifest(connection, number, content, [edge("layer", blob_id=blob)])
    query = read_query(digest("layer"))
    (found,) = search.find_digests(connection, REGISTRY, query, ALL, EVERYTHING)
    assert (found.digest, found.manifest) == (digest("layer"), digest("new"))
    for content in ("old", "new"):
        hide(connection, number, content)
    assert search.find_digests(connection, REGISTRY, query, ALL, EVERYTHING) == []


def test_what_is_deleted_or_not_listed_is_not_found(connection, make):
    make_repository(connection, "acme/begun")
    number = make("acme/app", "v1")
    whole = digest("manifest of acme/app")
    hide(connection, number, "manifest of acme/app")
    assert find(connection, whole)[2] == []
    repositories.hide(connection, number, LATER, 1)
    assert find(connection, "acme") == ([], [], [])
    assert tags(connection, "v1") == []


def test_another_registry_is_never_searched(connection, make):
    make("acme/app", "v1")
    whole = digest("manifest of acme/app")
    for text in ("app", "v1", whole):
        assert find(connection, text, registry=REGISTRY + 1) == ([], [], [])


@pytest.mark.parametrize("seed", range(12))
def test_everybody_finds_what_the_catalog_shows_them_and_nothing_else(connection, seed):
    world = RandomWorld(connection, seed)
    for number in world.repositories.values():
        make_manifest(connection, number, "the same")
        repositories.touch(connection, number, NOW)
        make_tag(connection, number, "v1", "the same")
    for principal in (*world.principals(), *world.workloads()):
        sight = sight_of(principal, anonymous_pull=world.anonymous_pull)
        for registry in world.registries:
            listed = list(repositories.list_names(connection, registry, None, ALL, sight))
            found = find(connection, "v1", sight=sight, registry=registry)[1]
            assert sorted(found) == sorted(f"{name}:v1" for name in listed)
            for name in listed:
                assert name in names(connection, name, sight=sight, registry=registry)
            for part in ("a", "p"):
                expected = sorted(name for name in listed if part in name)
                assert sorted(names(connection, part, sight=sight, registry=registry)) == expected
            seen = find(connection, digest("the same"), sight=sight, registry=registry)[2]
            assert sorted(seen) == sorted(f"{name}@{digest('the same')}" for name in listed)
    assert find(connection, "v1", sight=NOTHING) == ([], [], [])
