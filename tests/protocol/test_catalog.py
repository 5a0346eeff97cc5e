# SPDX-License-Identifier: Apache-2.0
"""The catalog: which repositories there are, from their first manifest on, in order and in pages."""

import pytest

from tests.protocol.client import next_page, refused
from tests.protocol.content import descriptor, image

NAMES = ["catalog/a", "catalog/a-b", "catalog/a.b", "catalog/a/b", "catalog/a_b", "catalog/a__b", "catalog/ab"]


@pytest.fixture(scope="module")
def filled(registry):
    """Return the registry with some repositories whose names sort differently by bytes and by words."""
    for name in NAMES:
        repository = registry.repository(name)
        config = b'{"catalog": true}'
        repository.push_blob(config)
        repository.push(image(descriptor(config, "text/plain"), []), "v1")
    return registry


def names(registry, size=1000):
    pages = registry.pages(f"/v2/_catalog?n={size}", "repositories")
    return [name for page in pages for name in page]


def test_catalog_lists_repositories_in_byte_order_once_each(filled):
    found = names(filled)
    assert found == sorted(set(found))
    assert set(NAMES) <= set(found)


@pytest.mark.parametrize("size", [1, 3])
def test_pages_of_any_size_hold_the_same_names(filled, size):
    assert names(filled, size) == names(filled)


def test_last_leaves_out_everything_up_to_it(filled):
    found = filled.get("/v2/_catalog", params={"last": "catalog/a-b", "n": 4}).json()["repositories"]
    assert found == ["catalog/a.b", "catalog/a/b", "catalog/a__b", "catalog/a_b"]


def test_catalog_without_n_holds_at_most_a_hundred_names(filled):
    response = filled.get("/v2/_catalog")
    assert len(response.json()["repositories"]) <= 100
    everything = names(filled)
    assert (next_page(response) is None) == (len(everything) <= 100)


@pytest.mark.parametrize("size", [2**31, 99_999_999_999, 10**18])
def test_large_n_is_clamped_not_refused(filled, size):
    response = filled.get("/v2/_catalog", params={"n": size})
    assert response.status_code == 200
    assert set(response.json()) == {"repositories"}
    assert len(response.json()["repositories"]) <= 1000


def test_n_of_any_number_of_digits_is_clamped_not_refused(filled):
    repositories = filled.get("/v2/_catalog?n=1000").json()
    for size in ("9" * 20, "9" * 5_000):
        assert filled.get(f"/v2/_catalog?n={size}").json() == repositories


@pytest.mark.parametrize("size", ["-1", "many", "1e3", ""])
def test_n_that_is_no_number_is_400(registry, size):
    refused(registry.get("/v2/_catalog", params={"n": size}), 400, "UNSUPPORTED")


def test_n_of_zero_is_an_empty_list_without_link(filled):
    response = filled.get("/v2/_catalog?n=0")
    assert response.json() == {"repositories": []}
    assert "Link" not in response.headers


def test_repository_is_listed_from_its_first_manifest_on_and_stays_when_emptied(repository, material):
    catalog = repository.client
    document = material.image(repository)
    assert repository.name not in names(catalog)
    digest = repository.push(document)
    assert repository.name in names(catalog)
    assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.name in names(catalog)
    assert repository.tags() == []
