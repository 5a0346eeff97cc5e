# SPDX-License-Identifier: Apache-2.0
"""The version check, and the discovery of extensions.

Of the official conformance suite this covers: the ping.
"""

import pytest


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_version_check_is_200_with_an_empty_object(registry, path):
    response = registry.get(path)
    assert response.status_code == 200
    assert response.json() == {}
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert "WWW-Authenticate" not in response.headers


def test_version_check_by_head_has_the_headers_and_no_body(registry):
    response = registry.head("/v2/")
    assert response.status_code == 200
    assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize("header", ["Basic bm9ib2R5OndoYXRldmVy", "Bearer abc.def.ghi", "Nonsense"])
def test_open_registry_ignores_an_authorization_header(registry, header):
    assert registry.get("/v2/", headers={"Authorization": header}).status_code == 200


def test_each_answer_has_its_own_request_id(registry):
    ids = {registry.get("/v2/").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_extensions_of_the_registry_are_listed_with_their_endpoints(registry):
    response = registry.get("/v2/_oci/ext/discover")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    for extension in response.json()["extensions"]:
        assert extension["name"].startswith("_")
        assert extension["url"].startswith("https://")
        assert extension["endpoints"]


def test_extensions_of_a_repository_are_listed_once_it_exists(repository, material):
    repository.push(material.image(repository), "v1")
    response = repository.request("GET", "_oci/ext/discover")
    assert response.status_code == 200
    assert isinstance(response.json()["extensions"], list)
