# SPDX-License-Identifier: Apache-2.0
"""Twenty thousand referrers of one subject (L19 of the corpus): pages within 4 MiB that hold every one, once."""

import json

import pytest
from sqlalchemy import insert

from tests.services.world import NAME, push_image
from wharfinger.domain.digests import digest_of
from wharfinger.domain.manifests import OCI_MANIFEST
from wharfinger.metadata import repositories
from wharfinger.metadata.schema import manifests

MANY = 20_000
SUBJECT = digest_of(b"the subject")
PAGE = 4 * 1024 * 1024


@pytest.fixture
async def crowd(node):
    """Return the digests of all referrers; rows are written as a push writes them, but together."""
    await push_image(node)

    def work(connection):
        repository = repositories.find(connection, node.registry.id, NAME)
        digests = [digest_of(b"%d" % number) for number in range(MANY)]
        rows = [
            {
                "repository_id": repository,
                "digest": digest,
                "media_type": OCI_MANIFEST,
                "artifact_type": "a/sbom" if number % 2 else "a/signature",
                "size": 2,
                "content": b"{}",
                "subject_digest": SUBJECT,
                "referrer": json.dumps({"digest": digest, "annotations": {"n": "x" * 300}}),
                "pushed_at": 1,
            }
            for number, digest in enumerate(digests)
        ]
        connection.execute(insert(manifests), rows)
        return digests

    return await node.database.write(work)


@pytest.mark.parametrize("kinds", [(), ("a/sbom",)], ids=["all", "filtered"])
async def test_pages_hold_every_referrer_once_and_stay_within_the_limit(node, crowd, kinds):
    wanted = crowd[1::2] if kinds else crowd
    found, last, pages = [], None, 0
    while True:
        page = await node.manifests.referrers(node.registry, NAME, SUBJECT, kinds, last)
        assert sum(len(descriptor) + 1 for _, descriptor in page.items) <= PAGE
        found += [digest for digest, _ in page.items]
        pages += 1
        if not page.more:
            break
        last = found[-1]
    assert found == sorted(wanted)
    assert pages >= (1 if kinds else 2)  # eight megabytes of descriptors, or half of that
