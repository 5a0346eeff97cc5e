# SPDX-License-Identifier: Apache-2.0
"""Undo, retention, collection and verification through the API, as people use them over a socket."""

import pytest

from tests.management_api.conftest import PASSWORD
from tests.protocol.client import Client
from tests.protocol.content import Material
from tests.support.commands import wait_until

TOKEN = "not.a.token"


def push(world, name, *tags, seed="one", who="oli"):
    """Push an image under some tags; return its digest."""
    with Client.of(world.server.url, auth=(who, PASSWORD)) as client:
        repository = client.repository(name)
        for tag in tags:
            digest = repository.push(Material(f"{name} {seed}").image(repository), tag)
    return digest


def get(world, path, who="oli"):
    answer = world.ask("GET", path, who)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(world, path, who="oli", status=200, **body):
    answer = world.ask("POST", path, who, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def tell(world, path, who="oli", status=200):
    """Send what takes no body."""
    answer = world.ask("POST", path, who)
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer, status, name):
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, name), answer.text
    return answer.json()["detail"]


def test_a_tag_is_shown_as_it_was_and_goes_back_to_what_it_has_named_and_to_nothing_else(world):
    base = "/repositories/acme/history/-/tags/v1"
    first, second = push(world, "acme/history", "v1"), push(world, "acme/history", "v1", seed="two")
    steps = get(world, f"{base}/history")["items"]
    assert [(one["before"], one["after"], one["by"]) for one in steps] == [(first, second, "oli"), (None, first, "oli")]
    page = get(world, f"{base}/history?n=1")
    assert get(world, page["next"].removeprefix("/api/v1"))["items"] == steps[1:]
    assert get(world, "/repositories/acme/history/-/history")["items"] == steps
    then = get(world, f"{base}?at={steps[1]['at']}")
    assert (then["digest"], then["since"], then["is_here"], then["in_trash"]) == (first, steps[1]["at"], True, False)
    assert get(world, base)["digest"] == second
    refused(world.ask("GET", f"{base}?at=2020-01-01", "oli"), 404, "manifest-unknown")
    refused(world.ask("GET", f"{base}?at=yesterday", "oli"), 400, "parameters-invalid")
    assert post(world, f"{base}/restore") == {"name": "v1", "digest": first}
    assert post(world, f"{base}/restore", to=second)["digest"] == second
    refused(world.ask("POST", f"{base}/restore", "oli", json={"to": world.digest}), 404, "manifest-unknown")
    refused(world.ask("POST", f"{base}/restore", "oli", json={"to": "v1"}), 422, "fields-invalid")


def test_a_deleted_manifest_is_in_the_trash_comes_back_with_its_tags_and_not_after_it_was_purged(world):
    base = "/repositories/acme/trashed/-"
    digest = push(world, "acme/trashed", "v1", "v2")
    savings = get(world, f"{base}/manifests/{digest}/savings")
    assert savings["manifests"] == 1
    assert savings["unique"] > 0
    assert savings["kept"] is None
    assert get(world, f"{base}/tags/v1/savings")["kept"] == "the tag v2 names it too"
    assert get(world, f"{base}/savings")["unique"] == savings["unique"]
    assert world.ask("DELETE", f"{base}/manifests/{digest}", "oli").status_code == 204
    (entry,) = [one for one in get(world, f"{base}/trash")["items"] if one["kind"] == "manifest"]
    assert (entry["digest"], entry["by"], entry["repository"]) == (digest, "oli", "acme/trashed")
    assert entry["restorable_until"] > entry["deleted_at"]
    found, path = [], f"{base}/trash?n=1"
    while path is not None:
        body = get(world, path)
        found += body["items"]
        path = body["next"] and body["next"].removeprefix("/api/v1")
    assert found == get(world, f"{base}/trash")["items"]
    assert len(found) == 3
    assert tell(world, f"{base}/trash/{digest}/restore")["tags"] == ["v1", "v2"]
    refused(world.ask("POST", f"{base}/trash/{digest}/restore", "oli"), 404, "blob-unknown")
    assert world.ask("DELETE", f"{base}/manifests/{digest}", "oli").status_code == 204
    assert tell(world, f"{base}/manifests/{digest}/restore")["tags"] == ["v1", "v2"]
    assert world.ask("DELETE", f"{base}/manifests/{digest}", "oli").status_code == 204
    assert world.ask("DELETE", f"{base}/trash/{digest}", "oli").status_code == 204
    refused(world.ask("POST", f"{base}/manifests/{digest}/restore", "oli"), 409, "content-gone")
    assert get(world, f"{base}/trash")["items"] == []


@pytest.mark.parametrize("last", ["x", "1-blob", "1-image-1", f"{2**63}-blob-1", "1-blob-" + "9" * 30])
def test_a_page_of_the_trash_begins_where_one_ended_or_is_refused(world, last):
    refused(world.ask("GET", f"/registries/default/trash?last={last}", "max"), 400, "parameters-invalid")


def test_a_deleted_repository_belongs_to_whom_it_belonged_to_whoever_has_its_name_now(world):
    for name in ("ivy", "jan"):
        world.user(name)
    world.office.organization("gone", "ivy")
    push(world, "gone/app", "v1", who="ivy")
    world.office.give("jan", "admin", repository="gone/app")
    assert world.ask("DELETE", "/repositories/gone/app", "jan").status_code == 204
    (entry,) = get(world, "/trash/repositories", "jan")["items"]
    assert (entry["kind"], entry["repository"], entry["by"]) == ("repository", "gone/app", "jan")
    one = f"/trash/repositories/{entry['number']}"
    assert get(world, one, "jan") == entry
    push(world, "gone/app", "v1", seed="other", who="ivy")
    world.office.give("sam", "admin", repository="gone/app")  # the one that has the name now
    assert entry not in get(world, "/trash/repositories", "sam")["items"]
    answers = [world.ask("GET", f"/trash/repositories/{number}", "sam") for number in (entry["number"], 999_999)]
    texts = [refused(answer, 404, "name-unknown") for answer in answers]
    assert texts[0].replace(str(entry["number"]), "N") == texts[1].replace("999999", "N")
    refused(world.ask("POST", f"{one}/restore", "sam", json={}), 404, "name-unknown")
    refused(world.ask("POST", f"{one}/restore", "jan", json={}), 409, "name-taken")
    refused(world.ask("POST", f"{one}/restore", "jan", json={"name": "acme/stolen"}), 404, "name-unknown")
    world.office.give("jan", "write", namespace="gone")
    assert post(world, f"{one}/restore", "jan", name="gone/old") == {"name": "gone/old"}
    assert get(world, "/repositories/gone/old/-/grants", "jan")["items"]
    refused(world.ask("POST", f"{one}/restore", "max", json={}), 404, "name-unknown")
    assert get(world, "/trash/repositories", "jan")["items"] == []


def test_a_purged_repository_does_not_come_back(world):
    push(world, "acme/purged", "v1")
    assert world.ask("DELETE", "/repositories/acme/purged", "oli").status_code == 204
    (entry,) = [one for one in get(world, "/trash/repositories")["items"] if one["repository"] == "acme/purged"]
    one = f"/trash/repositories/{entry['number']}"
    assert world.ask("DELETE", one, "oli").status_code == 204
    refused(world.ask("DELETE", one, "oli"), 404, "name-unknown")
    refused(world.ask("POST", f"{one}/restore", "oli", json={}), 404, "name-unknown")


def test_what_a_policy_would_do_is_shown_tried_and_done_only_as_it_was_shown(world):
    wait_until(lambda: 'job="retention"' in world.server.log or "job=retention" in world.server.log, why="no first run")
    base = "/repositories/acme/kept/-/retention"  # the background job has run, and comes back in an hour
    push(world, "acme/kept", "v1")
    push(world, "acme/kept", "v2", seed="two")
    assert get(world, base) == {"policy": None, "namespace": None}
    policy = {"rules": [{"name": "releases", "tags": "v*", "newest": 1}], "untagged_days": 7}
    tried = post(world, f"{base}/preview", policy=policy)
    assert {one["tag"]: one["kept"] for one in tried["verdicts"]} == {"v1": False, "v2": True}
    assert all(one["kept"] for one in post(world, f"{base}/preview")["verdicts"])
    assert [world.ask("PUT", base, "oli", json=policy).status_code for _ in range(2)] == [204, 204]
    shown = get(world, base)
    assert shown["policy"]["untagged_days"] == 7
    assert shown["policy"]["rules"][0]["newest"] == 1
    assert world.ask("PUT", base, "oli", json=shown["policy"]).status_code == 204
    refused(world.ask("POST", f"{base}/run", "oli", json={"expected": "another"}), 412, "precondition-failed")
    done = post(world, f"{base}/run", expected=post(world, f"{base}/preview")["fingerprint"])
    assert [one["tag"] for one in done["verdicts"] if not one["kept"]] == ["v1"]
    assert [one["name"] for one in get(world, "/repositories/acme/kept/-/tags")["items"]] == ["v2"]
    for wrong in ({"name": "keeps nothing", "tags": "*"}, {"name": "nothing", "tags": "*"}):
        refused(world.ask("PUT", base, "oli", json={"rules": [wrong]}), 400, "rule-invalid")
    of_namespace = "/namespaces/acme/retention"
    assert world.ask("PUT", of_namespace, "oli", json={"untagged_days": 300}).status_code == 204
    assert world.ask("DELETE", base, "oli").status_code == 204
    assert get(world, base)["namespace"] == "acme"
    assert get(world, of_namespace)["policy"]["untagged_days"] == 300
    assert world.ask("DELETE", of_namespace, "oli").status_code == 204


def test_admin_on_a_namespace_sets_no_policy_for_what_does_not_inherit_from_it(world):
    world.user("nan")
    world.office.give("nan", "admin", namespace="acme")
    detail = refused(world.ask("PUT", "/namespaces/acme/retention", "nan", json={}), 403, "denied")
    assert "you need to own the namespace, or the role manager on the registry" in detail
    assert world.ask("PATCH", "/namespaces/acme", "nan", json={}).status_code == 200


def test_kinds_of_content_are_switched_off_in_a_namespace_by_whoever_governs_it(world):
    world.user("naomi")
    world.office.give("naomi", "admin", namespace="acme")
    path, wanted = "/namespaces/acme", {"kinds_off": ["image", "chart"]}
    detail = refused(world.ask("PATCH", path, "naomi", json=wanted), 403, "denied")
    assert "you need to own the namespace, or the role manager on the registry" in detail
    assert world.ask("PATCH", path, "oli", json=wanted).json()["kinds_off"] == ["chart", "image"]
    assert world.ask("PATCH", path, "oli", json={"default_visibility": "private"}).json()["kinds_off"] == [
        "chart",
        "image",
    ]
    assert world.ask("PATCH", path, "oli", json={"kinds_off": ["layers"]}).status_code == 422
    assert world.ask("PATCH", path, "oli", json={"kinds_off": []}).json()["kinds_off"] == []


def test_a_namespace_is_prepared_before_its_first_repository(world):
    world.office.organization("early", world.user("eva"))
    path, wanted = "/namespaces/early", {"default_visibility": "internal", "kinds_off": ["chart"]}
    world.user("nobody-of-it")
    refused(world.ask("PATCH", path, "nobody-of-it", json=wanted), 404, "namespace-unknown")
    refused(world.ask("PATCH", path, "eva", json={}), 404, "namespace-unknown")
    for seen in ("*", '"0123456789abcdef"'):
        refused(world.ask("PATCH", path, "eva", json=wanted, headers={"If-Match": seen}), 412, "precondition-failed")
    assert world.ask("GET", path, "eva").status_code == 404
    made = world.ask("PATCH", path, "eva", json=wanted)
    assert (made.status_code, made.json()["owner"], made.json()["repositories"]) == (200, "early", 0)
    found = world.ask("GET", path, "eva")
    assert (found.json()["default_visibility"], found.json()["kinds_off"]) == ("internal", ["chart"])
    assert found.headers["ETag"] == made.headers["ETag"]


def test_only_what_can_be_the_first_part_of_a_name_becomes_a_namespace(world):
    wanted = {"default_visibility": "internal"}
    assert world.ask("PATCH", f"/namespaces/{'n' * 250}", "max", json=wanted).status_code == 400
    assert world.ask("PATCH", f"/namespaces/{'n' * 250}", "max", json={}).status_code == 404


def test_a_push_that_is_allowed_is_explained_with_what_is_refused_all_the_same(world):
    query = {"repository": "acme/app", "action": "push"}
    path = "/namespaces/acme"
    assert world.ask("PATCH", path, "oli", json={"kinds_off": ["chart"]}).status_code == 200
    try:
        found = world.ask("GET", "/access/explain", "wes", params=query).json()
    finally:
        assert world.ask("PATCH", path, "oli", json={"kinds_off": []}).status_code == 200
    (one,) = found["refused_kinds"]
    assert (found["allowed"], one["kind"]) == (True, "chart")
    assert one["sentence"].startswith("Pushing Helm charts is switched off in the namespace 'acme'")


def test_kinds_of_content_are_switched_off_for_the_deployment(world):
    assert world.ask("GET", "/deployment/content", "vic").json() == {"kinds_off": []}
    for kinds in (["chart"], ["artifact", "chart"], []):
        put = world.ask("PUT", "/deployment/content", "max", json={"kinds_off": kinds})
        assert (put.status_code, put.json()) == (200, {"kinds_off": kinds})
        assert world.ask("GET", "/deployment/content", "vic").json() == {"kinds_off": kinds}
    assert world.ask("PUT", "/deployment/content", "max", json={}).status_code == 422


def test_immutable_tags_stay_where_they_are_and_the_answer_says_so(world):
    first = push(world, "acme/frozen", "v1")
    push(world, "acme/frozen", "v1", seed="two")
    base = "/repositories/acme/frozen"
    assert world.ask("PATCH", base, "oli", json={"immutable_tags": "v*"}).status_code == 200
    for answer in (
        world.ask("POST", f"{base}/-/tags/v1/restore", "oli", json={"to": first}),
        world.ask("DELETE", f"{base}/-/tags/v1", "oli"),
    ):
        assert "v*" in refused(answer, 409, "tag-immutable")


def test_pulls_are_counted_in_all_by_name_and_by_day(world):
    base = "/repositories/acme/pulled/-/pulls"
    digest = push(world, "acme/pulled", "v1")
    assert get(world, base) == {"pulls": 0, "last_at": None}
    (number,) = world.office.rows("SELECT id FROM repositories WHERE name = 'acme/pulled'")[0]
    for what, count in (("", 5), ("v1", 3), (digest, 5)):
        world.office.execute(
            "INSERT INTO pulls (repository_id, what, day, count, last_at) VALUES (:number, :what, 20000, :count, 1)",
            number=number,
            what=what,
            count=count,
        )
    assert get(world, base)["pulls"] == 5
    counts = get(world, f"{base}/by-name")["items"]
    assert [(one["what"], one["pulls"]) for one in counts] == [(digest, 5), ("v1", 3)]
    page = get(world, f"{base}/by-name?n=1")
    assert get(world, page["next"].removeprefix("/api/v1"))["items"] == counts[1:]
    assert get(world, f"{base}/by-day?what=v1")["items"] == []


def test_collection_is_shown_and_a_round_is_run(world):
    shown = get(world, "/collection", "max")
    assert shown["standing_still"] is None
    assert {one["kind"] for one in shown["waiting"]} == {"manifest", "blob", "burial"}
    for _ in range(50):
        done = tell(world, "/collection/rounds", "max")
        if not done["steps"]:
            break
    assert done["failed"] == 0
    assert not any(one["due"] for one in get(world, "/collection", "max")["waiting"])


def test_a_verification_is_ordered_once_and_shown_with_what_it_found(world):
    base = "/registries/default/verifications"
    ordered = [tell(world, base, "max", status=202) for _ in range(2)]
    assert ordered[0]["scope"] == "background everything"
    listed = get(world, base, "vic")["items"]
    assert ordered[0]["id"] in [one["id"] for one in listed]
    one = f"{base}/{listed[0]['id']}"
    assert get(world, one, "vic")["id"] == listed[0]["id"]
    assert get(world, f"{one}/findings", "vic") == {"items": [], "next": None}
    number = ordered[0]["id"]
    stopped = tell(world, f"{base}/{number}/stop", "max")
    assert stopped["is_stopped"] != (stopped["phase"] == "done")
    assert tell(world, f"{base}/{number}/stop", "max")["is_stopped"] == stopped["is_stopped"]
    assert not tell(world, base, "max", status=202)["is_stopped"]
    refused(world.ask("POST", f"{base}/999999/stop", "max"), 404, "account-unknown")
    refused(world.ask("GET", f"{base}/999999", "vic"), 404, "account-unknown")
    refused(world.ask("GET", f"{base}/999999/findings", "vic"), 404, "account-unknown")


def test_how_long_untagged_manifests_are_kept_is_a_switch_of_the_registry(world):
    for days in (30, None):
        answer = world.ask("PATCH", "/registries/default", "max", json={"untagged_days": days})
        assert answer.json()["untagged_days"] == days
    answer = world.ask("PATCH", "/registries/default", "max", json={"untagged_days": 0})
    refused(answer, 422, "fields-invalid")


def test_a_token_is_tested_against_the_rules_of_the_place_and_no_others(world):
    for base in ("/namespaces/acme", "/repositories/acme/app/-", "/registries/default"):
        answer = world.ask("POST", f"{base}/trust-rules/test", "max", json={"token": TOKEN})
        assert TOKEN not in refused(answer, 400, "account-invalid")
    new = {
        "name": "of a test",
        "issuer": "https://ci.example.com",
        "audience": "https://registry.example.com",
        "conditions": {"sub": ["a"]},
        "role": "read",
    }
    rule = post(world, "/repositories/acme/app/-/trust-rules", status=201, **new)
    claims = {"iss": new["issuer"], "aud": new["audience"], "sub": "b"}
    tested = post(world, "/repositories/acme/app/-/trust-rules/test", claims=claims)
    (verdict,) = [one for one in tested["verdicts"] if one["id"] == rule["id"]]
    assert verdict["reasons"] == ["sub is 'b', and must be 'a'"]
    assert (tested["lets_in"], tested["expires_at"]) == (False, None)
    for neither in ({}, {"token": TOKEN, "claims": claims}):
        answer = world.ask("POST", "/repositories/acme/app/-/trust-rules/test", "max", json=neither)
        assert TOKEN not in refused(answer, 422, "fields-invalid")
    keys = f"/repositories/acme/app/-/trust-rules/{rule['id']}/keys"
    refused(world.ask("PUT", keys, "oli", json={"jwks": "{}"}), 400, "account-invalid")
    assert world.ask("PUT", keys, "oli", json={"jwks": None}).status_code == 200
    elsewhere = f"/namespaces/acme/trust-rules/{rule['id']}/keys"
    refused(world.ask("PUT", elsewhere, "oli", json={"jwks": None}), 404, "account-unknown")
