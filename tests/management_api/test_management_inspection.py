# SPDX-License-Identifier: Apache-2.0
"""Looking inside through the API: what is in a manifest, what is attached to it, how two differ, and who may know."""

import pytest

from tests.management_api.conftest import PASSWORD
from tests.management_api.test_management_undo import get, refused
from tests.protocol.client import Client
from tests.protocol.content import Material
from tests.support.builds import NOTATION, attach, build, chart, cosign, several
from tests.support.images import digest_of

NAME = "acme/inside"
BASE = f"/repositories/{NAME}/-"
OLD = {"Env": ["PATH=/bin", "MODE=old"], "Labels": {"team": "shop"}, "User": "app"}
NEW = {"Env": ["PATH=/bin", "MODE=new"], "Labels": {}, "Cmd": ["serve"]}


@pytest.fixture(scope="module")
def pushed(world):
    """Push two versions of an image for two platforms; return the digests of their indexes."""
    with Client.of(world.server.url, auth=("oli", PASSWORD)) as client:
        repository = client.repository(NAME)
        digests = {}
        for tag, inside in (("v1", OLD), ("v2", NEW)):
            images = {
                machine: build(
                    repository,
                    ("/bin/sh -c #(nop) ADD rootfs /", b"base " + machine.encode()),
                    ("ENV MODE=x", None),
                    ("RUN /bin/sh -c make # buildkit", f"{tag} {machine}".encode()),
                    architecture=machine,
                    inside=inside,
                    annotations={"org.opencontainers.image.base.name": "golden:1"},
                )
                for machine in ("amd64", "arm64")
            }
            digests[tag] = repository.push(several(repository, images, attested=tag == "v1"), tag)
        attach(repository, digests["v1"], NOTATION, b"jose")
        cosign(repository, digests["v1"])
        chart(repository, "1.2.3", name="shop", version="1.2.3")
    return digests


def test_an_index_shows_its_platforms_and_the_content_of_one(world, pushed):
    found = get(world, f"{BASE}/manifests/{pushed['v1']}")
    assert (found["nature"], found["tags"]) == ("index", ["v1"])
    shown = [one["name"] for one in found["platforms"] if one["attests"] is None]
    assert shown == ["linux/amd64", "linux/arm64"]
    assert {one["attests"] for one in found["platforms"]} == {None, *(one["digest"] for one in found["platforms"][:2])}
    content = found["content"]
    assert [(one["command"], one["size"]) for one in content["layers"]] == [("ADD rootfs /", 10), ("RUN make", 8)]
    assert (content["config"]["env"], content["config"]["labels"]) == (OLD["Env"], OLD["Labels"])
    assert (content["base"], content["config_trouble"]) == ({"name": "golden:1", "digest": None}, None)
    assert len(content["config"]["history"]) == 3
    arm = get(world, f"{BASE}/manifests/{pushed['v1']}?platform=linux/arm64")
    assert arm["content"]["config"]["architecture"] == "arm64"
    assert get(world, f"{BASE}/manifests/{arm['chosen']}")["parents"] == [pushed["v1"]]
    answer = world.ask("GET", f"{BASE}/manifests/{pushed['v1']}?platform=linux/s390x", "oli")
    assert "linux/amd64, linux/arm64" in refused(answer, 400, "query-invalid")


def test_what_is_attached_is_told_with_what_it_is(world, pushed):
    found = get(world, f"{BASE}/manifests/{pushed['v1']}/referrers")
    kinds = {(one["nature"], *one["forms"], one["attached_by"]) for one in found["referrers"]}
    assert kinds == {("signature", "Notation", "subject"), ("signature", "cosign", "tag")}
    amd = get(world, f"{BASE}/manifests/{pushed['v1']}")["chosen"]
    (attested,) = get(world, f"{BASE}/manifests/{amd}/referrers")["referrers"]
    assert (attested["nature"], attested["attached_by"]) == ("attestation", "index")
    assert attested["forms"] == ["SPDX", "SLSA provenance"]


def test_a_chart_is_shown_as_one(world, pushed):
    assert pushed
    digest = get(world, f"{BASE}/tags/1.2.3")["digest"]
    found = get(world, f"{BASE}/manifests/{digest}")
    assert (found["nature"], found["content"]["chart"]["name"], found["content"]["config"]) == ("chart", "shop", None)


def test_two_tags_are_compared_field_by_field(world, pushed):
    found = get(world, f"{BASE}/compare?from=v1&to={pushed['v2']}")
    layers = found["layers"]
    assert [[one["command"] for one in layers[kind]] for kind in ("common", "removed", "added")] == [
        ["ADD rootfs /"],
        ["RUN make"],
        ["RUN make"],
    ]
    assert found["download"] == len(b"v2 amd64")
    assert found["environment"] == [{"name": "MODE", "before": "MODE=old"[5:], "after": "new"}]
    assert found["labels"] == [{"name": "team", "before": "shop", "after": None}]
    assert [one["name"] for one in found["config"]] == ["user", "command"]
    assert [one["name"] for one in found["platforms"]] == ["linux/amd64", "linux/arm64"]
    assert get(world, f"{BASE}/compare?from=v1&to={NAME}:v1&platform=linux/arm64")["is_same"]


def test_a_comparison_with_what_one_may_not_know_is_one_with_what_is_not_there(world, pushed):
    assert pushed
    world.user("cy")
    world.office.give("cy", "read", repository=NAME)
    assert get(world, f"{BASE}/compare?from=v1&to=v2", "cy")["is_same"] is False
    texts = []
    for name in ("acme/app", "acme/apq"):
        for side in (f"from=v1&to={name}:v1", f"from={name}:v1&to=v1"):
            answer = world.ask("GET", f"{BASE}/compare?{side}", "cy")
            texts.append(refused(answer, 404, "name-unknown").replace(name, "NAME"))
    assert len(set(texts)) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("from=v1", 400),
        ("from=v1&to=", 400),
        ("from=v1&to=acme/app", 400),
        ("from=v1&to=none", 404),
        ("from=v1&to=A/b:v1", 400),
        ("from=v1&to=v2&platform=<b>", 400),
        ("from=sha256:1&to=v2", 400),
    ],
)
def test_a_comparison_of_what_cannot_be_is_refused(world, pushed, query, status):
    assert pushed
    assert world.ask("GET", f"{BASE}/compare?{query}", "oli").status_code == status


def test_hostile_content_is_answered_as_it_was_pushed(world):
    words = {"html": "<script>alert(1)</script>", "bidi": "\u202egnp.exe", "nul": "\x00", "half": "\ud800"}
    with Client.of(world.server.url, auth=("oli", PASSWORD)) as client:
        repository = client.repository("acme/hostile")
        document = build(repository, ("RUN <img src=x>", b"layer"), inside={"Labels": words, "Env": 7, "Cmd": [{}]})
        digest = repository.push(document, "v1")
    found = get(world, f"/repositories/acme/hostile/-/manifests/{digest}")["content"]["config"]
    assert found["labels"] == {**words, "half": "?"}
    assert found["passed_over"] == ["config.Env", "config.Cmd"]


def test_a_manifest_that_is_not_here_is_404(world):
    for path in (f"manifests/{digest_of(b'nothing')}", f"manifests/{digest_of(b'nothing')}/referrers"):
        refused(world.ask("GET", f"/repositories/acme/app/-/{path}", "oli"), 404, "manifest-unknown")


def test_an_artifact_without_a_config_of_an_image_is_shown_by_its_type(world):
    with Client.of(world.server.url, auth=("oli", PASSWORD)) as client:
        repository = client.repository("acme/things")
        digest = repository.push(Material("things").artifact(repository), "v1")
    found = get(world, f"/repositories/acme/things/-/manifests/{digest}")
    assert (found["nature"], found["artifact_type"]) == ("artifact", "application/vnd.example.sbom.v1")
    assert [layer["command"] for layer in found["content"]["layers"]] == [None]


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00"])
def test_a_time_outside_of_all_years_is_refused(world, pushed, time):
    assert pushed
    refused(world.ask("GET", f"{BASE}/tags/v1?at={time}", "oli"), 400, "parameters-invalid")
