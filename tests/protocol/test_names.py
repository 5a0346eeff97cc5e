# SPDX-License-Identifier: Apache-2.0
"""Names that look like parts of the API, and names that are none."""

import pytest

from tests.protocol.client import refused
from tests.support.images import as_json

ZERO = "sha256:" + "0" * 64
LEGAL = [
    "one", "two/parts", "a.b/c_d/e__f/g-h/i----j", "foo/manifests/bar", "a/blobs/uploads/b", "tags/list", "x/tags/list",
    "x/referrers/y", "manifests", "blobs/uploads", "v2/v2", "x/tag/manifests/y", "a/b/c/d/e/f/g/h/i", "0/1",
    "blobs/sha256", "library/con", "/".join("n" * 16), "x" * 255, "a/manifests/latest/tags/list/blobs/uploads/z",
]  # fmt: skip
ILLEGAL = [
    "Upper", "acme/App", "-a", "a-", "a//b", "a/", ".a", "a..b", "a___b", "a._b", "a/_b", "a b", "a+b", "a@b", "a:b",
    "x" * 256, "/".join("n" * 17), "é", "_a",
]  # fmt: skip


@pytest.mark.parametrize("name", LEGAL, ids=lambda name: name[:40])
def test_every_endpoint_works_for_the_name(registry, material, name):
    repository = registry.repository(name)
    document = material.image(repository)
    digest = repository.push(document, "latest")
    assert repository.manifest("GET", "latest").content == as_json(document)
    assert repository.blob("GET", document["layers"][0]["digest"]).content == material.bytes("image/layer0")
    assert repository.tags() == ["latest"]
    assert repository.referrers(digest) == []
    location = repository.patch(repository.location(), b"abc").headers["Location"]
    assert registry.get(location).headers["Range"] == "0-2"
    assert registry.request("DELETE", location).status_code == 204
    assert name in {found for page in registry.pages("/v2/_catalog?n=1000", "repositories") for found in page}
    assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.tags() == []


@pytest.mark.parametrize("name", ILLEGAL, ids=lambda name: name[:40])
@pytest.mark.parametrize("endpoint", ["tags/list", "manifests/latest", f"blobs/{ZERO}", f"referrers/{ZERO}"])
def test_illegal_name_is_400_at_every_endpoint(registry, name, endpoint):
    refused(registry.get(f"/v2/{name}/{endpoint}"), 400, "NAME_INVALID")


@pytest.mark.parametrize("name", ILLEGAL, ids=lambda name: name[:40])
def test_illegal_name_cannot_be_pushed_to(registry, name):
    refused(registry.request("POST", f"/v2/{name}/blobs/uploads/"), 400, "NAME_INVALID")
    refused(registry.request("PUT", f"/v2/{name}/manifests/latest", content=b"{}"), 400, "NAME_INVALID")


@pytest.mark.parametrize(("name", "hint"), [("acme/App", "acme/app"), ("acme/a b", "' '"), ("acme/x-", "x-")])
def test_refusal_says_what_is_wrong_with_the_name(registry, name, hint):
    message = refused(registry.get(f"/v2/{name}/tags/list"), 400, "NAME_INVALID")
    if "%" not in message:
        assert hint in message
