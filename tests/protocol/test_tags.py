# SPDX-License-Identifier: Apache-2.0
"""Listing tags: order, pages, and names that are each other's prefixes.

Of the official conformance suite this covers: the list of a repository that does not exist; every pushed tag listed;
`last` leaving out what comes before and nothing else.
"""

import pytest

from tests.protocol.client import next_page, refused
from tests.protocol.content import descriptor, image
from tests.support.images import as_json

AWKWARD = [
    "0.1.2", "0.1.20", "0.1.2-rc", "0.1.2_rc", "0.1.2.rc", "A", "B", "Z", "_", "__", "a", "a-b", "a.b", "a_b", "aB",
    "a-", "a.", "latest", "sha256-abc", "v1", "v1.0", "v10", "v2", "x" * 128, "z",
]  # fmt: skip
"""Tags that a database sorts in another way than by bytes, if one lets it."""


@pytest.fixture(scope="module")
def tagged(registry):
    """Return a repository with one manifest under all the awkward tags."""
    repository = registry.repository("tags/awkward")
    config = b'{"awkward": true}'
    repository.push_blob(config)
    document = image(descriptor(config, "text/plain"), [])
    for start in range(0, len(AWKWARD), 5):
        repository.push(document, *reversed(AWKWARD[start : start + 5]))
    return repository


def test_tags_are_listed_in_byte_order(tagged):
    assert tagged.tags() == sorted(AWKWARD)


@pytest.mark.parametrize("size", [1, 2, 7, len(AWKWARD) - 1, len(AWKWARD), 1000])
def test_following_link_yields_every_tag_once_in_order(tagged, size):
    pages = tagged.client.pages(f"{tagged.path}/tags/list?n={size}", "tags")
    assert [tag for page in pages for tag in page] == sorted(AWKWARD)
    assert all(len(page) == min(size, len(AWKWARD)) for page in pages[:-1])
    assert 0 < len(pages[-1]) <= size


def test_last_page_has_no_link(tagged):
    response = tagged.request("GET", "tags/list", params={"n": len(AWKWARD)})
    assert next_page(response) is None
    response = tagged.request("GET", "tags/list", params={"n": len(AWKWARD) - 1})
    assert next_page(response) is not None


@pytest.mark.parametrize("last", [*AWKWARD, "0", "0.1.2-zz", "a-b-", "zz"])
def test_last_leaves_out_everything_up_to_it_and_nothing_else(tagged, last):
    expected = [tag for tag in sorted(AWKWARD) if tag > last]
    assert tagged.tags(last=last) == expected
    assert tagged.tags(last=last, n=3) == expected[:3]


def test_n_of_zero_is_an_empty_list_without_link(tagged):
    response = tagged.request("GET", "tags/list?n=0")
    assert response.status_code == 200
    assert response.json() == {"name": tagged.name, "tags": []}
    assert "Link" not in response.headers


@pytest.mark.parametrize("size", ["1000", "1001", "99999999999", "9" * 20, "9" * 5_000], ids=len)
def test_large_n_is_clamped_not_refused(tagged, size):
    assert tagged.tags(n=size) == sorted(AWKWARD)


def test_zeros_before_n_say_nothing(tagged):
    assert tagged.tags(n="0" * 30 + "2") == sorted(AWKWARD)[:2]


@pytest.mark.parametrize("size", ["-1", "abc", "1.5", "0x10", "+1", "1_0", " 1", "", "\u0661"])
def test_n_that_is_no_number_is_400(tagged, size):
    refused(tagged.request("GET", "tags/list", params={"n": size}), 400, "UNSUPPORTED")


def test_list_is_json_with_name_and_tags_and_nothing_else(tagged):
    response = tagged.request("GET", "tags/list")
    assert response.headers["Content-Type"] == "application/json"
    assert set(response.json()) == {"name", "tags"}


def test_digests_are_never_listed_as_tags(repository, material):
    repository.push(material.image(repository, "untagged"))
    assert repository.tags() == []
    repository.push(material.image(repository, "tagged"), "v1")
    assert repository.tags() == ["v1"]


def test_list_of_a_repository_that_does_not_exist_is_404(registry):
    refused(registry.get("/v2/tags/nowhere/tags/list"), 404, "NAME_UNKNOWN")


def test_list_shows_a_tag_as_soon_as_it_is_acknowledged_and_no_longer(repository, material):
    document = material.image(repository)
    for number in range(5):
        tag = f"v{number}"
        assert repository.put(tag, document).status_code == 201
        assert tag in repository.tags()
        assert repository.manifest("DELETE", tag).status_code == 202
        assert tag not in repository.tags()


def test_more_than_a_thousand_tags_are_listed_whole_without_n_and_in_pages_with_it(repository, material):
    document = material.image(repository)
    tags = [f"t{number:04}" for number in range(1030)]
    for start in range(0, len(tags), 100):
        repository.push(document, *tags[start : start + 100])
    assert repository.tags() == tags
    pages = repository.client.pages(f"{repository.path}/tags/list?n=5000", "tags")
    assert [len(page) for page in pages] == [1000, 30]
    assert [tag for page in pages for tag in page] == tags


def test_head_of_every_listed_tag_resolves(tagged):
    for tag in tagged.tags():
        head = tagged.manifest("HEAD", tag)
        assert head.status_code == 200
        assert tagged.manifest("GET", head.headers["Docker-Content-Digest"]).status_code == 200


def test_tag_of_128_characters_is_accepted_and_129_is_refused(repository, material):
    document = material.image(repository)
    assert repository.put("t" * 128, document).status_code == 201
    assert repository.manifest("GET", "t" * 128).content == as_json(document)
    refused(repository.put("t" * 129, document), 400, "MANIFEST_INVALID")
    refused(repository.manifest("GET", "t" * 129), 404, "MANIFEST_UNKNOWN")
