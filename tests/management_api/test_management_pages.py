# SPDX-License-Identifier: Apache-2.0
"""What pages of a repository show and change, by the management API: every letter of it, for readers and for admins."""

import pytest

from tests.management_api.test_management_shape import problem

APP = "/repositories/acme/app/-"


def test_a_full_description_is_read_written_and_kept_from_being_overwritten(world):
    empty = world.ask("GET", f"{APP}/description", "rae")
    assert empty.json() == {"markdown": "", "changed_at": None, "changed_by": None}
    made = world.ask("PUT", f"{APP}/description", "wes", json={"markdown": "# <i>App</i>\r\n"})
    assert made.status_code == 200
    found = world.ask("GET", f"{APP}/description", "rae")
    assert found.json() == made.json()
    assert (found.json()["markdown"], found.json()["changed_by"]) == ("# <i>App</i>", "wes")
    late = {"If-Match": empty.headers["ETag"]}
    problem(
        world.ask("PUT", f"{APP}/description", "wes", json={"markdown": "x"}, headers=late), 412, "precondition-failed"
    )
    ready = {"If-Match": found.headers["ETag"]}
    gone = world.ask("PUT", f"{APP}/description", "wes", json={"markdown": ""}, headers=ready)
    assert gone.json() == empty.json()


def test_a_full_description_that_no_page_can_show_is_refused_with_the_field(world):
    for text in ("x" * 25_001, "a\u0000b"):
        found = problem(world.ask("PUT", f"{APP}/description", "wes", json={"markdown": text}), 422, "fields-invalid")
        assert found["errors"][0]["pointer"] == "/markdown"


def test_stars_are_given_counted_listed_and_taken_away(world):
    assert world.ask("PUT", f"{APP}/star", "rae").status_code == 204
    assert world.ask("PUT", f"{APP}/star", "ada").status_code == 204
    assert world.ask("GET", f"{APP}/stars", "rae").json() == {"stars": 2, "is_mine": True}
    (mine,) = world.ask("GET", "/me/stars", "rae").json()["items"]
    assert mine["repository"] == "acme/app"
    assert world.ask("DELETE", f"{APP}/star", "rae").status_code == 204
    assert world.ask("GET", f"{APP}/stars", "rae").json() == {"stars": 1, "is_mine": False}
    assert world.ask("GET", "/me/stars", "rae").json()["items"] == []
    assert world.ask("DELETE", f"{APP}/star", "ada").status_code == 204


def test_who_reaches_a_repository_is_said_with_the_way(world):
    found = world.ask("GET", f"{APP}/people", "ada").json()
    assert (found["visibility"], found["inherits"], found["namespace"], found["owner"]) == (
        "private",
        False,
        "acme",
        "acme",
    )
    lines = {(one["subject"], one["role"], one["way"], one["counts"]) for one in found["people"]}
    assert {
        ("rae", "read", "repository", True),
        ("ada", "admin", "repository", True),
        ("oli", "admin", "owner", True),
        ("acme", "read", "member", False),
        ("reg", "admin", "registry", True),
        ("max", "admin", "deployment", True),
    } <= lines
    assert found["trust"] == []


def test_a_reader_learns_what_was_done_and_nothing_of_roles_or_addresses(world):
    world.ask("PATCH", "/repositories/acme/app", "wes", json={"description": "The app"})
    found = world.ask("GET", f"{APP}/activity?n=500", "rae").json()["items"]
    assert found[0]["detail"] == "description from '' to 'The app'"
    assert found[0]["who"] == "wes"
    assert set(found[0]) == {"id", "at", "action", "who", "tag", "digest", "previous_digest", "detail"}
    assert {one["action"].partition(".")[0] for one in found} <= {"repository", "tag", "manifest", "blob", "retention"}
    everything = world.ask("GET", f"{APP}/events?n=500", "ada").json()["items"]
    assert "grant.given" in {one["action"] for one in everything}
    world.ask("PATCH", "/repositories/acme/app", "wes", json={"description": None})


def test_the_newest_tags_come_in_pages_with_what_they_name(world):
    pages, path = [], f"{APP}/newest-tags?n=1"
    while path:
        answer = world.ask("GET", path, "rae").json()
        pages += answer["items"]
        path = answer["next"] and answer["next"].removeprefix("/api/v1")
    assert [one["name"] for one in pages] == sorted((one["name"] for one in pages), reverse=True) != []
    assert all(one["size"] > 0 and one["pulls"] == 0 for one in pages)
    assert world.ask("GET", f"{APP}/newest-tags?search=nothing-like-it", "rae").json()["items"] == []


@pytest.mark.parametrize("last", ["v1", "1", "1.", "x.v1", "-1.v1", "9" * 30 + ".v1", "1.a b"])
def test_a_place_that_no_page_gave_is_refused(world, last):
    found = problem(world.ask("GET", f"{APP}/newest-tags", "rae", params={"last": last}), 400, "parameters-invalid")
    assert found["errors"][0]["parameter"] == "last"


def test_tags_are_deleted_together_or_not_at_all(world):
    names = [one["name"] for one in world.ask("GET", f"{APP}/tags", "ada").json()["items"]]
    wanted = {"tags": [names[0], "missing"]}
    problem(world.ask("POST", f"{APP}/delete-tags", "ada", json=wanted), 404, "manifest-unknown")
    assert [one["name"] for one in world.ask("GET", f"{APP}/tags", "ada").json()["items"]] == names
    for wrong in ([], ["a b"], ["v1"] * 201):
        problem(world.ask("POST", f"{APP}/delete-tags", "ada", json={"tags": wrong}), 422, "fields-invalid")
    assert world.ask("POST", f"{APP}/delete-tags", "ada", json={"tags": names}).status_code == 204
    assert world.ask("GET", f"{APP}/tags", "ada").json()["items"] == []
    for name in names:
        assert world.ask("POST", f"{APP}/tags/{name}/restore", "ada", json={}).status_code == 200


def test_usage_tells_what_is_unique_and_what_is_shared(world):
    found = world.ask("GET", f"{APP}/usage", "rae").json()
    assert found["size"] == found["unique_size"] + found["shared_size"] > 0
