# SPDX-License-Identifier: Apache-2.0
"""Conditional requests, and one manifest under several tags in one request.

Of the official conformance suite this covers: tag parameters with sha256 and sha512, the `OCI-Tag` header, and that
each of those tags lists and pulls.
"""

import pytest

from tests.protocol.client import refused
from tests.support.images import as_json, digest_of

ALGORITHMS = ["sha256", "sha512"]


def tags_in(response):
    return sorted(tag.strip() for value in response.headers.get_list("OCI-Tag") for tag in value.split(","))


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"', '"sha256:other", "{}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match_with_the_digest_answers_304(repository, material, form, method):
    digest = repository.push(material.image(repository), "v1")
    for reference in ("v1", digest):
        response = repository.manifest(method, reference, headers={"If-None-Match": form.format(digest)})
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["ETag"] == f'"{digest}"'


@pytest.mark.parametrize("form", ['"{}"', "{}"])
def test_if_none_match_with_another_digest_answers_the_manifest(repository, material, form):
    old = repository.push(material.image(repository, "old"), "v1")
    document = material.image(repository, "new")
    repository.push(document, "v1")
    response = repository.manifest("GET", "v1", headers={"If-None-Match": form.format(old)})
    assert response.status_code == 200
    assert response.content == as_json(document)


def test_if_none_match_of_a_missing_manifest_is_404(repository, material):
    repository.push(material.image(repository), "v1")
    response = repository.manifest("GET", "v2", headers={"If-None-Match": "*"})
    refused(response, 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("form", ['"{}"', "{}"])
def test_tag_moves_if_it_is_where_the_client_saw_it(repository, material, form):
    old = repository.push(material.image(repository, "old"), "v1")
    document = material.image(repository, "new")
    assert repository.put("v1", document, headers={"If-Match": form.format(old)}).status_code == 201
    assert repository.manifest("GET", "v1").content == as_json(document)


def test_tag_that_moved_meanwhile_is_412_and_stays(repository, material):
    seen = repository.push(material.image(repository, "seen"), "v1")
    current = repository.push(material.image(repository, "current"), "v1")
    response = repository.put("v1", material.image(repository, "new"), headers={"If-Match": f'"{seen}"'})
    refused(response, 412, "DENIED")
    assert repository.manifest("HEAD", "v1").headers["Docker-Content-Digest"] == current


def test_condition_on_a_tag_that_does_not_exist_is_412_and_makes_none(repository, material):
    digest = repository.push(material.image(repository), "v1")
    response = repository.put("v2", material.image(repository), headers={"If-Match": f'"{digest}"'})
    refused(response, 412, "DENIED")
    assert repository.tags() == ["v1"]


@pytest.mark.parametrize("condition", ["*", "yes", '"sha256:short"', ""])
def test_condition_that_cannot_be_read_is_400_and_never_passes(repository, material, condition):
    repository.push(material.image(repository), "v1")
    document = material.image(repository, "new")
    refused(repository.put("v1", document, headers={"If-Match": condition}), 400, "UNSUPPORTED")
    assert repository.manifest("HEAD", digest_of(as_json(document))).status_code == 404


def test_tag_is_made_only_if_it_does_not_exist(repository, material):
    first, second = material.image(repository, "first"), material.image(repository, "second")
    assert repository.put("v1", first, headers={"If-None-Match": "*"}).status_code == 201
    refused(repository.put("v1", second, headers={"If-None-Match": "*"}), 412, "DENIED")
    assert repository.manifest("GET", "v1").content == as_json(first)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("count", [1, 2, 12])
def test_tag_parameters_name_the_manifest(repository, material, algorithm, count):
    document = material.image(repository, algorithm=algorithm)
    tags = sorted(f"v{number}" for number in range(count))
    digest = digest_of(as_json(document), algorithm)
    response = repository.put(digest, document, params={"tag": tags})
    assert response.status_code == 201
    assert response.headers["Docker-Content-Digest"] == digest
    assert tags_in(response) == tags
    assert repository.tags() == tags
    for tag in tags:
        assert repository.manifest("GET", tag).headers["Docker-Content-Digest"] == digest


def test_tag_parameters_add_to_the_tag_in_the_path(repository, material):
    document = material.image(repository)
    response = repository.put("v1", document, params={"tag": ["v2", "v3"]})
    assert response.status_code == 201
    assert {"v2", "v3"} <= set(tags_in(response))
    assert repository.tags() == ["v1", "v2", "v3"]


def test_one_bad_tag_parameter_names_nothing(repository, material):
    old = repository.push(material.image(repository, "old"), "v1")
    document = material.image(repository, "new")
    response = repository.put(digest_of(as_json(document)), document, params={"tag": ["v1", "v2", "-bad"]})
    refused(response, 400, "MANIFEST_INVALID")
    assert repository.tags() == ["v1"]
    assert repository.manifest("HEAD", "v1").headers["Docker-Content-Digest"] == old
    assert repository.manifest("HEAD", digest_of(as_json(document))).status_code == 404


def test_tag_parameters_of_a_refused_manifest_name_nothing(repository, material):
    repository.push(material.image(repository), "v1")
    document = material.image(repository, "new")
    document["layers"][0]["digest"] = digest_of(b"missing here")
    response = repository.put(digest_of(as_json(document)), document, params={"tag": ["v1", "v2"]})
    refused(response, 404, "MANIFEST_BLOB_UNKNOWN")
    assert repository.tags() == ["v1"]


def test_same_tag_twice_in_the_parameters_is_one_tag(repository, material):
    document = material.image(repository)
    assert repository.put(digest_of(as_json(document)), document, params={"tag": ["v1", "v1"]}).status_code == 201
    assert repository.tags() == ["v1"]


def test_put_without_tag_parameters_has_no_tag_header(repository, material):
    document = material.image(repository)
    assert "OCI-Tag" not in repository.put(digest_of(as_json(document)), document).headers
