# SPDX-License-Identifier: Apache-2.0
"""Requests at the same time, over connections of their own, answered by two workers over either database.

INV-13: of concurrent chunks at one offset one is taken. INV-14: concurrent pushes of one thing are all acknowledged.
INV-15, INV-16: a tag that several clients move names what one of them put. INV-03: a manifest that was acknowledged
has its blobs, also when somebody deletes them meanwhile. INV-18's mechanism: a condition holds for one client only.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.properties.model import image, index, sha256
from tests.protocol.client import OCTETS, Client, with_digest
from tests.protocol.content import Material

AT_ONCE = 6
ROUNDS = 6


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, url_over):
    return url_over(request.param)


@pytest.fixture
def client(url):
    with Client.of(url) as found:
        yield found


@pytest.fixture
def repository(client, request):
    return client.repository(f"concurrency/{sha256(request.node.nodeid.encode())[7:23]}")


@pytest.fixture
def material(request):
    return Material(request.node.nodeid)


def together(url, *calls):
    """Make every call at the same moment, each with a client of its own, and return the answers in order."""
    barrier = threading.Barrier(len(calls))

    def make(call):
        with Client.of(url) as client:
            client.get("/v2/")
            barrier.wait(30)
            return call(client)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


def statuses(answers):
    return sorted(answer.status_code for answer in answers)


def push_image(repository, material, label, **more):
    """Push the blobs of an image, and return its manifest."""
    config, layer = material.bytes(f"{label}/config"), material.bytes(f"{label}/layer")
    for content in (config, layer):
        repository.push_blob(content)
    return image(config, [layer], **more)


def putting(repository, reference, document, **options):
    return lambda client: client.repository(repository.name).put(
        reference, document.content, document.media_type, **options
    )


@pytest.mark.parametrize("spread", [False, True], ids=["one-repository", "many-repositories"])
def test_every_push_of_one_blob_is_acknowledged_and_readable(url, repository, material, spread):
    content = material.bytes("blob", 300_000)
    names = [f"{repository.name}/{number if spread else 0}" for number in range(AT_ONCE)]
    calls = [
        lambda client, name=name: client.repository(name).finish(
            client.repository(name).location(), sha256(content), content
        )
        for name in names
    ]
    assert statuses(together(url, *calls)) == [201] * AT_ONCE
    for name in names:
        assert repository.client.repository(name).blob("GET", sha256(content)).content == content


def test_every_push_of_one_blob_in_one_request_is_acknowledged(url, repository, material):
    for number in range(ROUNDS):
        content = material.bytes(f"blob/{number}", 20_000)
        target = with_digest(f"{repository.path}/blobs/uploads/", sha256(content))
        call = lambda client: client.request("POST", target, content=content, headers=OCTETS)  # noqa: E731, B023
        assert statuses(together(url, *[call] * AT_ONCE)) == [201] * AT_ONCE
        assert repository.blob("GET", sha256(content)).content == content


def test_every_push_of_one_manifest_is_acknowledged(url, repository, material):
    document = push_image(repository, material, "image")
    calls = [putting(repository, reference, document) for reference in ("v1", "v1", "v2", document.digest) * 2]
    assert statuses(together(url, *calls)) == [201] * len(calls)
    assert repository.tags() == ["v1", "v2"]
    assert repository.manifest("GET", document.digest).content == document.content


def test_first_pushes_into_a_new_repository_are_all_acknowledged(url, repository, material):
    documents = [index([], salt=material.bytes(str(number)).hex()) for number in range(AT_ONCE)]
    calls = [putting(repository, f"v{number}", document) for number, document in enumerate(documents)]
    assert statuses(together(url, *calls)) == [201] * AT_ONCE
    assert repository.tags() == [f"v{number}" for number in range(AT_ONCE)]
    names = [name for page in repository.client.pages("/v2/_catalog?n=100", "repositories") for name in page]
    assert names.count(repository.name) == 1


def test_tag_put_by_several_clients_names_what_one_of_them_put(url, repository, material):
    documents = [push_image(repository, material, f"image/{number}") for number in range(AT_ONCE)]
    for _ in range(ROUNDS):
        calls = [putting(repository, "latest", document) for document in documents]
        assert statuses(together(url, *calls)) == [201] * AT_ONCE
        found = repository.manifest("GET", "latest").content
        assert found in [document.content for document in documents]
        assert repository.tags() == ["latest"]
    for document in documents:
        assert repository.manifest("GET", document.digest).content == document.content


def test_condition_on_a_tag_holds_for_one_of_several_clients(url, repository, material):
    old = push_image(repository, material, "old")
    documents = [push_image(repository, material, f"image/{number}") for number in range(AT_ONCE)]
    for _ in range(ROUNDS):
        assert repository.put("v1", old.content, old.media_type).status_code == 201
        headers = {"If-Match": f'"{old.digest}"'}
        answers = together(url, *(putting(repository, "v1", document, headers=headers) for document in documents))
        assert statuses(answers) == [201] + [412] * (AT_ONCE - 1)
        winner = documents[[answer.status_code for answer in answers].index(201)]
        assert repository.manifest("GET", "v1").content == winner.content


def test_one_of_several_clients_makes_a_tag_that_must_not_exist(url, repository, material):
    documents = [push_image(repository, material, f"image/{number}") for number in range(AT_ONCE)]
    for number in range(ROUNDS):
        headers = {"If-None-Match": "*"}
        calls = [putting(repository, f"v{number}", document, headers=headers) for document in documents]
        assert statuses(together(url, *calls)) == [201] + [412] * (AT_ONCE - 1)


def test_one_of_several_chunks_at_one_offset_is_taken(url, repository, material):
    for number in range(ROUNDS):
        begin = material.bytes(f"{number}/begin", 1000)
        location = repository.patch(repository.location(), begin, 0).headers["Location"]
        chunks = [material.bytes(f"{number}/chunk/{rival}", 2000) for rival in range(AT_ONCE)]
        under_way = threading.Barrier(AT_ONCE)

        def halves(chunk, under_way=under_way):
            yield chunk[:1000]
            under_way.wait(30)
            yield chunk[1000:]

        headers = OCTETS | {"Content-Range": "1000-2999"}
        calls = [
            lambda client, chunk=chunk: client.request("PATCH", location, content=halves(chunk), headers=headers)  # noqa: B023
            for chunk in chunks
        ]
        answers = together(url, *calls)
        assert statuses(answers) == [202] + [416] * (AT_ONCE - 1)
        taken = chunks[[answer.status_code for answer in answers].index(202)]
        assert repository.client.get(location).headers["Range"] == "0-2999"
        assert repository.finish(location, sha256(begin + taken)).status_code == 201


def test_upload_completed_by_two_clients_is_one_blob(url, repository, material):
    for number in range(ROUNDS):
        content = material.bytes(f"blob/{number}", 5000)
        location = repository.patch(repository.location(), content).headers["Location"]
        call = lambda client: client.repository(repository.name).finish(location, sha256(content))  # noqa: E731, B023
        found = statuses(together(url, call, call))
        assert found[0] == 201
        assert found[1] in {201, 404, 416}
        assert repository.blob("GET", sha256(content)).content == content
        assert repository.client.get(location).status_code == 404


def test_upload_that_is_cancelled_and_completed_at_once_is_one_or_the_other(url, repository, material):
    for number in range(ROUNDS):
        content = material.bytes(f"blob/{number}", 5000)
        location = repository.patch(repository.location(), content).headers["Location"]
        finish = lambda client: client.repository(repository.name).finish(location, sha256(content))  # noqa: E731, B023
        cancel = lambda client: client.request("DELETE", location)  # noqa: E731, B023
        finished, cancelled = together(url, finish, cancel)
        # 416 is what a client hears whose claim came while the upload went: it looks again, and hears 404.
        assert (finished.status_code, cancelled.status_code) in {(201, 404), (404, 204), (201, 204), (416, 204)}
        readable = repository.blob("GET", sha256(content)).status_code == 200
        assert readable == (finished.status_code == 201)
        assert repository.client.get(location).status_code == 404


def test_upload_cancelled_in_the_middle_of_a_chunk_is_gone(url, repository, material):
    content = material.bytes("content", 2000)
    location = repository.location()
    begun, cancelled = threading.Event(), threading.Event()

    def halves():
        yield content[:1000]
        begun.set()
        assert cancelled.wait(30)
        yield content[1000:]

    def cancel(client):
        assert begun.wait(30)
        answer = client.request("DELETE", location)
        cancelled.set()
        return answer

    patched, deleted = together(
        url, lambda client: client.request("PATCH", location, content=halves(), headers=OCTETS), cancel
    )
    assert deleted.status_code == 204
    assert patched.status_code in {404, 202}
    assert repository.client.get(location).status_code == 404
    assert repository.finish(location, sha256(content)).status_code == 404
    assert repository.blob("GET", sha256(content)).status_code == 404


def test_manifest_and_the_deletion_of_its_layer_never_both_succeed(url, repository, material):
    for number in range(2 * ROUNDS):
        document = push_image(repository, material, f"image/{number}")
        layer = sha256(material.bytes(f"image/{number}/layer"))
        delete = lambda client: client.repository(repository.name).blob("DELETE", layer)  # noqa: E731, B023
        put, deleted = together(url, putting(repository, f"v{number}", document), delete)
        assert (put.status_code, deleted.status_code) in {(201, 405), (404, 202)}
        assert (repository.blob("GET", layer).status_code == 200) == (put.status_code == 201)


def test_tag_put_and_deleted_at_once_is_there_or_not_but_never_half(url, repository, material):
    document = push_image(repository, material, "image")
    for _ in range(2 * ROUNDS):
        delete = lambda client: client.repository(repository.name).manifest("DELETE", "v1")  # noqa: E731
        put, deleted = together(url, putting(repository, "v1", document), delete)
        assert put.status_code == 201
        assert deleted.status_code in {202, 404}
        found = repository.manifest("GET", "v1").status_code == 200
        assert repository.tags() == (["v1"] if found else [])
        assert found or deleted.status_code == 202


def test_manifest_put_and_deleted_at_once_is_there_or_not_with_its_tag(url, repository, material):
    document = push_image(repository, material, "image")
    for _ in range(2 * ROUNDS):
        delete = lambda client: client.repository(repository.name).manifest("DELETE", document.digest)  # noqa: E731
        put, deleted = together(url, putting(repository, "v1", document), delete)
        assert put.status_code == 201
        assert deleted.status_code in {202, 404}
        by_digest = repository.manifest("GET", document.digest).status_code
        assert by_digest == repository.manifest("GET", "v1").status_code
        assert repository.tags() == (["v1"] if by_digest == 200 else [])


def test_layer_linked_by_several_clients_at_once_is_linked(url, repository, material):
    content = material.bytes("layer")
    repository.push_blob(content)
    for number in range(ROUNDS):
        name = f"{repository.name}/{number}"
        assert repository.client.repository(name).start().status_code == 202
        head = lambda client: client.repository(name).blob("HEAD", sha256(content))  # noqa: E731, B023
        mount = lambda client: client.repository(name).start(mount=sha256(content))  # noqa: E731, B023
        assert statuses(together(url, head, mount, head, mount)) == [200, 200, 201, 201]
        assert repository.client.repository(name).blob("GET", sha256(content)).content == content
