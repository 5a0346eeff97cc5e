# SPDX-License-Identifier: Apache-2.0
"""Refusals: one form for all, the right status, the methods that a path takes, and one answer for HEAD and GET.

The form itself (JSON, one of fourteen codes, a sentence, no stack trace) is held against every answer that any
scenario receives: `client.check_every_answer`.
"""

import pytest

from tests.protocol.client import codes, refused
from tests.support.images import digest_of

ZERO = "sha256:" + "0" * 64
PATHS = {
    "/v2/": {"GET", "HEAD"},
    "/v2/_catalog": {"GET", "HEAD"},
    "/v2/errors/app/tags/list": {"GET", "HEAD"},
    "/v2/errors/app/manifests/latest": {"GET", "HEAD", "PUT", "DELETE"},
    f"/v2/errors/app/blobs/{ZERO}": {"GET", "HEAD", "DELETE"},
    "/v2/errors/app/blobs/uploads/": {"POST"},
    "/v2/errors/app/blobs/uploads/some-upload": {"GET", "HEAD", "PATCH", "PUT", "DELETE"},
    f"/v2/errors/app/referrers/{ZERO}": {"GET", "HEAD"},
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_method_that_a_path_does_not_take_is_405_and_says_which_it_takes(registry, path, method):
    if method in PATHS[path]:
        response = registry.request(method, path)
        assert response.status_code != 405 or method == "HEAD"
        return
    response = registry.request(method, path)
    assert response.status_code == 405, response.text
    assert method == "HEAD" or codes(response) == ["UNSUPPORTED"]
    allowed = {one.strip() for one in response.headers["Allow"].split(",")}
    assert method not in allowed
    assert allowed <= PATHS[path] | {"OPTIONS"}
    assert allowed >= PATHS[path] - {"HEAD"}


@pytest.mark.parametrize("path", ["/v2/foo", "/v2/foo/bar", "/v2/foo/tags", "/v2/foo/tags/lists", "/v2/foo/manifests/"])
def test_path_that_is_no_endpoint_is_404(registry, path):
    assert registry.get(path).status_code == 404


def test_answers_to_get_and_head_have_the_same_status(registry, repository, material):
    repository.push(material.image(repository), "v1")
    for path in (
        "/v2/Bad/manifests/latest",
        "/v2/errors/nowhere/manifests/latest",
        f"{repository.path}/manifests/missing",
        f"{repository.path}/manifests/{ZERO}",
        f"{repository.path}/manifests/sha256:bad",
        f"{repository.path}/blobs/{ZERO}",
        f"{repository.path}/blobs/sha256:bad",
        "/v2/unknown-endpoint",
    ):
        assert registry.get(path).status_code == registry.head(path).status_code, path


@pytest.mark.parametrize("size", [1, 10_000, 60_000, 200_000])
def test_refusal_that_left_a_body_unread_says_that_the_connection_ends(registry, material, size):
    for _ in range(3):
        response = registry.repository("Bad").request("POST", "blobs/uploads/", content=material.bytes("body", size))
        refused(response, 400, "NAME_INVALID")
        assert response.headers["Connection"] == "close"
        assert registry.get("/v2/").status_code == 200


def test_refusal_of_a_body_that_was_read_keeps_the_connection(repository, material):
    response = repository.finish(repository.location(), digest_of(b"something else"), material.bytes("body", 100_000))
    refused(response, 400, "DIGEST_INVALID")
    assert "Connection" not in response.headers


def test_malformed_digest_is_refused_before_anything_is_looked_up(registry):
    nowhere = registry.repository("errors/nowhere")
    refused(nowhere.blob("GET", "sha256:bad"), 400, "DIGEST_INVALID")
    refused(nowhere.manifest("GET", "sha256:bad"), 400, "DIGEST_INVALID")
    refused(nowhere.blob("DELETE", "sha256:bad"), 400, "DIGEST_INVALID")
    assert nowhere.blob("GET", digest_of(b"x")).status_code == 404
