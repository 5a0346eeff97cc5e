# SPDX-License-Identifier: Apache-2.0
"""Content that is deep: chains of subjects (M31 of the corpus), indexes in indexes (M33)."""

import itertools
import json

from tests.protocol.content import manifest_descriptor
from tests.support.images import OCI_INDEX, as_json, digest_of

CHAIN = 100
LEVELS = 33


def test_a_chain_of_subjects_is_stored_link_by_link(repository, material):
    """M31 of the corpus."""
    document = material.image(repository)
    chain = [document]
    for number in range(CHAIN):
        subject = manifest_descriptor(chain[-1])
        chain.append({**document, "subject": subject, "annotations": {"org.example.link": str(number)}})
    for link in chain:
        assert repository.put(digest_of(as_json(link)), link).status_code == 201
    for subject, referrer in itertools.pairwise(chain):
        found = json.loads(repository.request("GET", f"referrers/{digest_of(as_json(subject))}").content)
        assert [entry["digest"] for entry in found["manifests"]] == [digest_of(as_json(referrer))]


def test_indexes_in_indexes_are_stored_to_any_depth(repository, material):
    """M33 of the corpus."""
    nested = material.image(repository)
    repository.push(nested)
    for _ in range(LEVELS):
        nested = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [manifest_descriptor(nested)]}
        assert repository.put(digest_of(as_json(nested)), nested).status_code == 201
    assert repository.put("deep", nested).status_code == 201
    reference = "deep"
    for _ in range(LEVELS):
        (child,) = json.loads(repository.manifest("GET", reference).content)["manifests"]
        reference = child["digest"]
    assert "layers" in json.loads(repository.manifest("GET", reference).content)
