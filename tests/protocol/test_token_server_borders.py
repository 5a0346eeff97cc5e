# SPDX-License-Identifier: Apache-2.0
"""What a token for one repository gives of another one: nothing, by whatever way it is asked for.

The holder may pull, push and delete in `mine`, and knows every name, digest and upload of `secret`.
"""

import contextlib
import http.client

import pytest

from tests.protocol.client import OCTETS, Client, codes, refused
from tests.protocol.content import descriptor, image, index, manifest_descriptor
from tests.support.images import EMPTY, OCI_CONFIG, OCI_LAYER, digest_of
from tests.support.token_server import TokenServer

MINE, SECRET, ABSENT = "team/mine", "team/secret", "team/absent"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    with TokenServer(tmp_path_factory.mktemp("tokens")) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def holder_of(request, start, tokens):
    """Return a function that gives a client with a token for exactly this."""
    server = start(request.param, more=tokens.settings)
    clients = []

    def holder_of(*access, **claims):
        client = Client.of(server.url)
        client.http.headers["Authorization"] = f"Bearer {tokens.token(*access, **claims)}"
        clients.append(client)
        return client

    yield holder_of
    for client in clients:
        client.http.close()


@pytest.fixture(scope="module")
def mine(holder_of):
    repository = holder_of(f"repository:{MINE}:pull,push,delete", user="mallory").repository(MINE)
    repository.push(image(descriptor(b"{}", EMPTY), [descriptor(repository_seed(repository), OCI_LAYER)]), "v1")
    return repository


def repository_seed(repository):
    """Push what the first manifest of a repository needs, and return the layer."""
    repository.push_blob(b"{}")
    repository.push_blob(b"a layer of my own")
    return b"a layer of my own"


@pytest.fixture
def secret(holder_of):
    return holder_of(f"repository:{SECRET}:pull,push,delete").repository(SECRET)


@pytest.fixture
def layer(secret, material):
    """Return a blob that only the other repository has."""
    content = material.bytes("layer", 1000)
    secret.push_blob(content)
    return content


def test_head_neither_shows_nor_links_a_layer_of_another_repository(mine, secret, layer):
    digest = digest_of(layer)
    for _ in range(2):
        assert mine.blob("HEAD", digest).status_code == 404
    refused(mine.blob("GET", digest), 404, "BLOB_UNKNOWN")
    assert secret.blob("HEAD", digest).status_code == 200


@pytest.mark.parametrize("source", [SECRET, ABSENT, MINE, None], ids=["secret", "absent", "mine", "anywhere"])
def test_mount_of_a_layer_that_the_token_does_not_reach_is_the_start_of_an_upload(mine, layer, source):
    digest = digest_of(layer)
    response = mine.start(mount=digest, **({"from": source} if source else {}))
    assert response.status_code == 202
    assert "Docker-Content-Digest" not in response.headers
    assert mine.blob("HEAD", digest).status_code == 404


@pytest.mark.parametrize(
    "source", [f"{SECRET}/", f"/{SECRET}", "team/../team/secret", "TEAM/secret", f"{SECRET},{MINE}", ""]
)
def test_mount_from_another_spelling_of_the_name_is_the_start_of_an_upload(mine, layer, source):
    response = mine.start(mount=digest_of(layer), **{"from": source})
    assert response.status_code == 202
    assert mine.blob("HEAD", digest_of(layer)).status_code == 404


def test_mount_from_two_sources_gives_nothing_of_the_second(mine, layer):
    digest = digest_of(layer)
    mine.request("POST", f"blobs/uploads/?mount={digest}&from={MINE}&from={SECRET}")
    mine.request("POST", f"blobs/uploads/?mount={digest}&from={SECRET}&from={MINE}")
    assert mine.blob("HEAD", digest).status_code == 404


def test_mount_from_a_repository_that_the_token_names_is_201(holder_of, layer):
    both = holder_of(f"repository:{MINE}/copy:pull,push", f"repository:{SECRET}:pull").repository(f"{MINE}/copy")
    assert both.start(mount=digest_of(layer), **{"from": SECRET}).status_code == 201
    assert both.blob("GET", digest_of(layer)).content == layer


@pytest.mark.parametrize("actions", ["push", "delete", "push,delete"])
def test_mount_needs_pull_of_the_source(holder_of, layer, actions):
    name = f"{MINE}/without-pull"
    both = holder_of(f"repository:{name}:pull,push", f"repository:{SECRET}:{actions}").repository(name)
    assert both.start(mount=digest_of(layer), **{"from": SECRET}).status_code == 202
    assert both.blob("HEAD", digest_of(layer)).status_code == 404


def test_mount_into_a_repository_needs_push_there(holder_of, mine, layer):
    reader = holder_of(f"repository:{SECRET}:pull", f"repository:{MINE}:pull").repository(MINE)
    refused(reader.start(mount=digest_of(layer), **{"from": SECRET}), 401, "UNAUTHORIZED")
    assert mine.blob("HEAD", digest_of(layer)).status_code == 404


def test_token_that_lists_everything_links_nothing(holder_of, layer):
    """The catalog tells names; content is asked for by name."""
    name = f"{MINE}/lister"
    lister = holder_of(f"repository:{name}:pull,push", "registry:catalog:*").repository(name)
    assert lister.location()
    assert lister.blob("HEAD", digest_of(layer)).status_code == 404
    assert lister.start(mount=digest_of(layer)).status_code == 202


def test_manifest_over_layers_of_another_repository_is_answered_as_over_layers_of_nobody(mine, layer, material):
    unknown = material.bytes("nobody has this", 1000)

    def answer(content):
        document = image(descriptor(b"{}", EMPTY), [descriptor(content, OCI_LAYER)])
        response = mine.put("stolen", document)
        return response.status_code, response.text.replace(digest_of(content), "DIGEST")

    assert answer(layer) == answer(unknown)
    assert answer(layer)[0] == 404
    refused(mine.manifest("GET", "stolen"), 404, "MANIFEST_UNKNOWN")


def test_manifest_whose_config_is_a_layer_of_another_repository_is_refused(mine, layer):
    document = image(descriptor(layer, OCI_CONFIG), [descriptor(b"a layer of my own", OCI_LAYER)])
    refused(mine.put("stolen", document), 404, "MANIFEST_BLOB_UNKNOWN")


def test_manifest_of_another_repository_is_not_read_through_mine(mine, secret, material):
    document = material.image(secret)
    digest = secret.push(document, "v9")
    assert secret.manifest("GET", digest).status_code == 200  # warm, wherever it is kept
    for reference in (digest, "v9"):
        refused(mine.manifest("GET", reference), 404, "MANIFEST_UNKNOWN")
        assert mine.manifest("HEAD", reference, headers={"If-None-Match": f'"{digest}"'}).status_code == 404
    refused(mine.blob("GET", digest), 404, "BLOB_UNKNOWN")
    refused(mine.blob("GET", digest, headers={"If-None-Match": f'"{digest}"'}), 404, "BLOB_UNKNOWN")


def test_index_over_images_of_another_repository_shows_nothing_of_them(mine, secret, material):
    document = material.image(secret)
    digest = secret.push(document)
    mine.put("index", index(manifest_descriptor(document)))
    refused(mine.manifest("GET", digest), 404, "MANIFEST_UNKNOWN")
    assert secret.manifest("DELETE", digest).status_code == 202


def test_referrers_of_another_repository_are_not_listed_through_mine(mine, secret, material):
    subject = material.image(secret)
    digest = secret.push(subject)
    secret.push(material.artifact(secret, subject=manifest_descriptor(subject)))
    assert len(secret.referrers(digest)) == 1
    assert mine.referrers(digest) == []
    mine.push(material.artifact(mine, "mine", subject=manifest_descriptor(subject)))
    assert len(secret.referrers(digest)) == 1
    assert len(mine.referrers(digest)) == 1


def test_upload_of_another_repository_is_unknown_in_mine(mine, secret, material):
    content = material.bytes("half a layer")
    location = secret.patch(secret.location(), content).headers["Location"]
    below = location.removeprefix(f"{secret.path}/")
    digest = digest_of(content)
    refused(mine.request("GET", below), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(mine.request("PATCH", below, content=b"x", headers=OCTETS), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(mine.request("PUT", f"{below}?digest={digest}", headers=OCTETS), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(mine.request("DELETE", below), 404, "BLOB_UPLOAD_UNKNOWN")
    assert secret.finish(location, digest).status_code == 201


def test_deleting_an_upload_needs_push_and_not_delete(holder_of, secret):
    below = secret.location().removeprefix(f"{secret.path}/")
    for actions in ("pull", "delete", "pull,delete"):
        holder = holder_of(f"repository:{SECRET}:{actions}").repository(SECRET)
        response = holder.request("DELETE", below)
        assert (
            'scope="repository:team/secret:pull,push",error="insufficient_scope"'
            in response.headers["WWW-Authenticate"]
        )
    pusher = holder_of(f"repository:{SECRET}:push").repository(SECRET)
    assert pusher.request("DELETE", below).status_code == 204


def test_deletion_in_mine_leaves_the_other_repository_as_it_was(mine, secret, layer):
    digest = digest_of(layer)
    refused(mine.blob("DELETE", digest), 404, "BLOB_UNKNOWN")
    mine.push_blob(layer)
    assert mine.blob("DELETE", digest).status_code == 202
    assert secret.blob("GET", digest).content == layer


@pytest.mark.parametrize(
    "path",
    [
        f"/v2/{MINE}/../secret/tags/list",
        f"/v2/{MINE}/%2e%2e/secret/tags/list",
        f"/v2/{MINE}%2f..%2fsecret/tags/list",
        f"/v2//{SECRET}/tags/list",
        f"//v2/{SECRET}/tags/list",
        f"/v2/{SECRET}/tags/list/",
        f"/v2/{SECRET}%2ftags/list",
        f"/v2/{SECRET}/tags%2flist",
        f"/v2/{SECRET};{MINE}/tags/list",
        f"/v2/{MINE}?/../secret/tags/list",
        f"/v2/{SECRET}%00{MINE}/tags/list",
        "/v2/team%2fsecret/tags/list",
    ],
)
def test_other_spellings_of_a_path_do_not_reach_another_repository(mine, secret, layer, path):
    secret.put("a-secret-tag", image(descriptor(layer, OCI_CONFIG), [descriptor(layer, OCI_LAYER)]))
    url, token = mine.client.http.base_url, mine.client.http.headers["Authorization"]
    with contextlib.closing(http.client.HTTPConnection(url.host, url.port, timeout=20)) as connection:
        connection.request("GET", path, headers={"Authorization": token})
        response = connection.getresponse()
        status, content = response.status, response.read()
    assert status in {400, 401, 404}
    assert b"a-secret-tag" not in content


def test_name_that_begins_or_ends_like_mine_is_another_one(mine):
    for name in (f"{MINE}/manifests", f"{MINE}2", "team", f"library/{MINE}", "mine"):
        repository = mine.client.repository(name)
        for response in (
            repository.request("GET", "tags/list"),
            repository.start(),
            repository.blob("GET", "sha256:" + "0" * 64),
        ):
            assert codes(response) == ["UNAUTHORIZED"], name


@pytest.mark.parametrize(
    "subject",
    ["", "a\x00b", "\ud800", "x" * 4000, "root\r\nSet-Cookie: a=b", "anonymous", "system"],
    ids=["empty", "zero", "half-a-character", "long", "lines", "anonymous", "system"],
)
def test_whatever_a_token_calls_its_holder_it_opens_what_it_names_and_no_more(holder_of, material, subject):
    holder = holder_of(f"repository:{MINE}/named:pull,push", user=subject)
    repository = holder.repository(f"{MINE}/named")
    digest = repository.push(material.image(repository), "v1")
    assert repository.manifest("GET", digest).content
    refused(holder.repository(SECRET).request("GET", "tags/list"), 401, "UNAUTHORIZED")


def test_entries_with_strange_names_open_nothing(holder_of, layer):
    access = [
        {"type": "repository", "name": name, "actions": ["pull", "push"]}
        for name in (
            "",
            "*",
            "team/*",
            "team/.*",
            "team/",
            "TEAM/SECRET",
            " team/secret",
            "team/secret\n",
            "/team/secret",
        )
    ]
    strange = holder_of(access=access).repository(SECRET)
    refused(strange.blob("GET", digest_of(layer)), 401, "UNAUTHORIZED")
    other_types = [
        {"type": kind, "name": SECRET, "actions": ["pull", "push"]}
        for kind in ("registry", "Repository", "repository(plugin)", "namespace", "")
    ]
    refused(holder_of(access=other_types).repository(SECRET).blob("GET", digest_of(layer)), 401, "UNAUTHORIZED")
    refused(holder_of(access=[]).repository(SECRET).blob("GET", digest_of(layer)), 401, "UNAUTHORIZED")


def test_ids_in_entries_of_another_server_mean_nothing(holder_of, layer):
    """They are words of our own tokens; here the name alone counts."""
    entry = {"type": "repository", "name": MINE, "actions": ["pull"], "repository_id": 1, "namespace_id": 1}
    holder = holder_of(access=[entry])
    refused(holder.repository(SECRET).blob("GET", digest_of(layer)), 401, "UNAUTHORIZED")
