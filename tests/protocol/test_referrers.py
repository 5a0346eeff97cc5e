# SPDX-License-Identifier: Apache-2.0
"""Referrers: what points to a manifest, whether or not that manifest is there.

Of the official conformance suite this covers: the listing of a repository with nothing in it; `OCI-Subject`; every
descriptor with media type, size, artifact type and all annotations; the filter, its header, and nothing else in a
filtered list.
"""

import itertools
import json

import pytest

from tests.protocol.client import refused
from tests.protocol.content import SBOM, SIGNATURE, descriptor, image, index, manifest_descriptor
from tests.support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, as_json, digest_of

ZERO = "sha256:" + "0" * 64


def listing(repository, digest, query=""):
    """Return the whole answer after holding it against what clients compare byte by byte."""
    response = repository.request("GET", f"referrers/{digest}{query}")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == OCI_INDEX
    document = json.loads(response.content)
    assert document["schemaVersion"] == 2
    assert document["mediaType"] == OCI_INDEX
    assert isinstance(document["manifests"], list)
    return response, document["manifests"]


def digests(entries):
    return {entry["digest"] for entry in entries}


@pytest.fixture
def subject(repository, material):
    """Return a pushed image to which others can refer."""
    document = material.image(repository, "subject")
    repository.push(document, "subject")
    return manifest_descriptor(document)


@pytest.mark.parametrize("digest", [ZERO, "sha512:" + "0" * 128, digest_of(b"unknown")])
def test_unknown_digest_has_an_empty_list_even_where_there_is_no_repository(registry, repository, material, digest):
    response, entries = listing(registry.repository("referrers/nowhere"), digest)
    assert entries == []
    assert "OCI-Filters-Applied" not in response.headers
    repository.push(material.image(repository), "v1")
    assert listing(repository, digest)[1] == []


@pytest.mark.parametrize(
    "digest", ["sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "latest", "sha256:" + "G" * 64]
)
def test_malformed_digest_is_400(registry, digest):
    refused(registry.repository("referrers/nowhere").request("GET", f"referrers/{digest}"), 400, "DIGEST_INVALID")


def test_artifact_is_listed_with_its_type_size_and_all_annotations(repository, material, subject):
    annotations = {"org.example.note": 'a \u2192 \U0001f6a2 "quoted" \\ <script>', "org.example.empty": ""}
    document = material.artifact(repository, subject=subject, annotations=annotations)
    response = repository.put(digest_of(as_json(document)), document)
    assert response.status_code == 201
    assert response.headers["OCI-Subject"] == subject["digest"]
    assert listing(repository, subject["digest"])[1] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": digest_of(as_json(document)),
            "size": len(as_json(document)),
            "artifactType": SBOM,
            "annotations": annotations,
        }
    ]


def test_image_without_an_artifact_type_is_listed_with_the_type_of_its_config(repository, material, subject):
    digest = repository.push(material.image(repository, "child", subject=subject))
    [entry] = listing(repository, subject["digest"])[1]
    assert (entry["digest"], entry["artifactType"]) == (digest, OCI_CONFIG)


def test_index_is_listed_with_its_own_artifact_type_or_none(repository, subject):
    typed = repository.push(index(subject=subject, artifactType=SIGNATURE))
    plain = repository.push(index(subject=subject))
    entries = {entry["digest"]: entry for entry in listing(repository, subject["digest"])[1]}
    assert set(entries) == {typed, plain}
    assert entries[typed]["artifactType"] == SIGNATURE
    assert "artifactType" not in entries[plain]
    assert entries[plain]["mediaType"] == OCI_INDEX


def test_referrer_pushed_by_tag_is_listed(repository, material, subject):
    document = material.artifact(repository, subject=subject)
    response = repository.put("signature", document)
    assert response.headers["OCI-Subject"] == subject["digest"]
    assert digests(listing(repository, subject["digest"])[1]) == {digest_of(as_json(document))}


def test_referrer_of_a_missing_subject_is_accepted_and_listed(repository, material):
    missing = descriptor(material.bytes("missing"), OCI_MANIFEST)
    document = material.artifact(repository, subject=missing)
    response = repository.put(digest_of(as_json(document)), document)
    assert response.status_code == 201
    assert response.headers["OCI-Subject"] == missing["digest"]
    assert digests(listing(repository, missing["digest"])[1]) == {digest_of(as_json(document))}


def test_subject_may_be_named_in_sha512(repository, material):
    document = material.image(repository)
    repository.push(document, algorithm="sha512")
    subject = manifest_descriptor(document, "sha512")
    digest = repository.push(material.artifact(repository, subject=subject))
    assert digests(listing(repository, subject["digest"])[1]) == {digest}


def test_each_subject_has_its_own_list(repository, other_repository, material, subject):
    digest = repository.push(material.artifact(repository, "here", subject=subject))
    other_repository.push(material.artifact(other_repository, "there", subject=subject))
    assert digests(listing(repository, subject["digest"])[1]) == {digest}
    assert listing(repository, digest)[1] == []


def test_filter_leaves_only_its_artifact_type_and_says_so(repository, material, subject):
    sbom = repository.push(material.artifact(repository, "sbom", subject=subject))
    repository.push(material.artifact(repository, "signature", kind=SIGNATURE, subject=subject))
    response, entries = listing(repository, subject["digest"], f"?artifactType={SBOM}")
    assert digests(entries) == {sbom}
    assert response.headers["OCI-Filters-Applied"] == "artifactType"


def test_several_filters_answer_their_union(repository, material, subject):
    both = {
        repository.push(material.artifact(repository, kind[-6:], kind=kind, subject=subject))
        for kind in (SBOM, SIGNATURE)
    }
    repository.push(material.artifact(repository, "else", kind="application/vnd.example.else", subject=subject))
    response, entries = listing(repository, subject["digest"], f"?artifactType={SBOM}&artifactType={SIGNATURE}")
    assert digests(entries) == both
    assert response.headers["OCI-Filters-Applied"] == "artifactType"


def test_filter_that_nothing_matches_is_applied_and_empty(repository, material, subject):
    repository.push(material.artifact(repository, subject=subject))
    response, entries = listing(repository, subject["digest"], "?artifactType=application%2Fnone")
    assert entries == []
    assert response.headers["OCI-Filters-Applied"] == "artifactType"


def test_filter_on_the_type_of_a_config_finds_images(repository, material, subject):
    digest = repository.push(material.image(repository, "child", subject=subject))
    query = "?artifactType=" + OCI_CONFIG.replace("+", "%2B")
    assert digests(listing(repository, subject["digest"], query)[1]) == {digest}


def test_list_without_a_filter_claims_none(repository, material, subject):
    repository.push(material.artifact(repository, subject=subject))
    assert "OCI-Filters-Applied" not in listing(repository, subject["digest"])[0].headers


@pytest.mark.parametrize("filtered", [False, True])
def test_pages_hold_every_referrer_once_and_no_page_is_over_four_mebibytes(repository, material, subject, filtered):
    expected = set()
    for number in range(6):
        note = {"org.example.note": f"{number}" * 1_500_000}
        expected.add(repository.push(material.artifact(repository, f"{number}", subject=subject, annotations=note)))
    repository.push(material.artifact(repository, "other", kind=SIGNATURE, subject=subject))
    path = f"{repository.path}/referrers/{subject['digest']}" + (f"?artifactType={SBOM}" if filtered else "")
    pages = repository.client.pages(path, "manifests")
    assert len(pages) > 1
    assert all(page and len(json.dumps(page)) <= 4 * 2**20 for page in pages)
    found = [entry["digest"] for page in pages for entry in page if entry["artifactType"] == SBOM]
    assert sorted(found) == sorted(expected)
    assert len([entry for page in pages for entry in page]) == (6 if filtered else 7)


def test_one_referrer_larger_than_a_page_is_still_listed(repository, material, subject):
    annotations = {f"note-{number}": "x" * 10_000 for number in range(400)}
    digest = repository.push(material.artifact(repository, subject=subject, annotations=annotations))
    assert digests(listing(repository, subject["digest"])[1]) == {digest}


def test_n_limits_a_page(repository, material, subject):
    expected = {repository.push(material.artifact(repository, f"{number}", subject=subject)) for number in range(5)}
    pages = repository.client.pages(f"{repository.path}/referrers/{subject['digest']}?n=2", "manifests")
    assert sorted(entry["digest"] for page in pages for entry in page) == sorted(expected)


def test_deleted_referrer_is_no_longer_listed(repository, material, subject):
    kept = repository.push(material.artifact(repository, "kept", subject=subject))
    gone = repository.push(material.artifact(repository, "gone", subject=subject))
    assert repository.manifest("DELETE", gone).status_code == 202
    assert digests(listing(repository, subject["digest"])[1]) == {kept}


def test_referrers_outlive_their_subject_and_meet_it_again(repository, material, subject):
    digest = repository.push(material.artifact(repository, subject=subject))
    assert repository.manifest("DELETE", subject["digest"]).status_code == 202
    assert digests(listing(repository, subject["digest"])[1]) == {digest}
    assert repository.manifest("GET", digest).status_code == 200
    repository.push(material.image(repository, "subject"), "again")
    assert digests(listing(repository, subject["digest"])[1]) == {digest}


def test_hundred_subjects_in_a_chain_each_know_the_next(repository, material):
    repository.push_blob(b"{}")
    documents = [material.image(repository)]
    repository.push(documents[0])
    for number in range(100):
        link = {"subject": manifest_descriptor(documents[-1]), "annotations": {"org.example.n": str(number)}}
        documents.append(image(descriptor(b"{}", "application/vnd.oci.empty.v1+json"), [], artifactType=SBOM, **link))
        repository.push(documents[-1])
    for document, following in itertools.pairwise(documents):
        assert digests(repository.referrers(digest_of(as_json(document)))) == {digest_of(as_json(following))}


def test_tag_of_the_fallback_scheme_stays_usable(repository, subject):
    tag = subject["digest"].replace(":", "-")
    assert repository.put(tag, index(subject)).status_code == 201
    assert tag in repository.tags()


def test_head_of_the_listing_says_what_get_says(repository, material, subject):
    repository.push(material.artifact(repository, subject=subject))
    get = repository.request("GET", f"referrers/{subject['digest']}")
    head = repository.request("HEAD", f"referrers/{subject['digest']}")
    if head.status_code != 405:
        assert head.status_code == 200
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
