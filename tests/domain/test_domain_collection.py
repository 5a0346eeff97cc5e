# SPDX-License-Identifier: Apache-2.0
"""What is kept, why, and until when: the judgement alone, without a database."""

import dataclasses

import pytest

from wharfinger.clock import DAY, HOUR, SECOND, Instant
from wharfinger.domain.collection import (
    MOST_WAIT,
    BlobFacts,
    Deletion,
    ManifestFacts,
    Rules,
    judge_blob,
    judge_manifest,
)
from wharfinger.domain.digests import digest_of
from wharfinger.domain.names import RepositoryName, TagName

NOW = Instant(1_700_000_000 * SECOND)
RULES = Rules(window=30 * DAY)
OTHER = digest_of(b"other")
MANIFEST = ManifestFacts(
    id=1,
    repository_id=1,
    registry_id=1,
    repository=RepositoryName("acme/app"),
    digest=digest_of(b"it"),
    size=2,
    media_type="a/b",
    pushed_at=Instant(NOW - 100 * DAY),
)
BLOB = BlobFacts(
    id=1,
    repository_id=1,
    repository=RepositoryName("acme/app"),
    digest=digest_of(b"it"),
    size=2,
    lease_until=Instant(NOW - DAY),
)


def ago(days):
    return Instant(NOW - int(days * DAY))


def manifest(**facts):
    verdict = judge_manifest(dataclasses.replace(MANIFEST, **facts), RULES, NOW)
    return verdict.kept, None if verdict.until is None else (verdict.until - NOW) / DAY


def blob(**facts):
    verdict = judge_blob(dataclasses.replace(BLOB, **facts), RULES, NOW)
    return verdict.kept, None if verdict.until is None else (verdict.until - NOW) / DAY


STAYS, GOES = (True, None), (False, None)


def stays_for(days):
    return True, days


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, STAYS),
        ({"tag": TagName("v1"), "orphaned_at": ago(90), "untagged_after": DAY}, STAYS),
        ({"parent": OTHER, "deleted": Deletion(at=ago(90))}, STAYS),
        ({"subject": OTHER, "untagged_after": DAY}, STAYS),
        ({"subject": OTHER, "deleted": Deletion(at=ago(90))}, GOES),
        ({"deleted": Deletion(at=ago(30))}, GOES),
        ({"deleted": Deletion(at=ago(29))}, stays_for(1)),
        ({"deleted": Deletion(at=ago(1))}, stays_for(MOST_WAIT / DAY)),
        ({"deleted": Deletion(at=ago(1), purged_at=ago(0))}, GOES),
        ({"left_at": ago(1)}, stays_for(7)),
        ({"left_at": ago(31)}, STAYS),
        ({"left_at": ago(28), "untagged_after": DAY}, stays_for(2)),
        ({"left_at": ago(31), "untagged_after": DAY}, GOES),
        ({"left_at": ago(31), "untagged_after": 34 * DAY}, stays_for(3)),
        ({"untagged_after": 100 * DAY}, GOES),
        ({"untagged_after": 101 * DAY}, stays_for(1)),
        ({"untagged_after": 30 * DAY, "pulled_at": ago(29)}, stays_for(1)),
        ({"untagged_after": 30 * DAY, "pulled_at": ago(30)}, GOES),
        ({"orphaned_at": ago(30)}, GOES),
        ({"orphaned_at": ago(30), "pulled_at": ago(31)}, GOES),
        ({"orphaned_at": ago(30), "pulled_at": ago(27)}, stays_for(3)),
        ({"orphaned_at": ago(60), "pulled_at": ago(31)}, GOES),
        ({"orphaned_at": ago(30), "left_at": ago(40)}, STAYS),
        ({"orphaned_at": ago(30), "pushed_at": ago(20)}, STAYS),
        ({"repository_deleted": Deletion(at=ago(29)), "tag": TagName("v1")}, stays_for(1)),
        ({"repository_deleted": Deletion(at=ago(31)), "deleted": Deletion(at=ago(90))}, stays_for(HOUR / DAY)),
    ],
)
def test_a_manifest(facts, expected):
    assert manifest(**facts) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, GOES),
        ({"manifest": OTHER, "unlinked": Deletion(at=ago(90))}, STAYS),
        ({"lease_until": NOW}, GOES),
        ({"lease_until": Instant(NOW + DAY)}, stays_for(1)),
        ({"lease_until": Instant(NOW + DAY), "unlinked": Deletion(at=ago(90), purged_at=ago(1))}, GOES),
        ({"lease_until": Instant(NOW + DAY), "unlinked": Deletion(at=ago(28))}, stays_for(2)),
        ({"unlinked": Deletion(at=ago(29))}, stays_for(1)),
        ({"unlinked": Deletion(at=ago(30))}, GOES),
        ({"unlinked": Deletion(at=ago(2), purged_at=ago(1))}, GOES),
        ({"repository_deleted": Deletion(at=ago(28))}, stays_for(2)),
    ],
)
def test_a_blob(facts, expected):
    assert blob(**facts) == expected


def test_a_shorter_window_ends_what_a_longer_one_kept():
    facts = dataclasses.replace(MANIFEST, deleted=Deletion(at=ago(5)))
    assert judge_manifest(facts, RULES, NOW).kept
    assert not judge_manifest(facts, Rules(window=5 * DAY), NOW).kept


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"tag": TagName("v1")}, "the tag v1 names it"),
        ({"parent": OTHER}, f"{OTHER} lists it"),
        ({"subject": OTHER}, f"it is attached to {OTHER}"),
        ({}, "this registry keeps manifests without a tag"),
        ({"left_at": ago(1)}, "a tag left it on 2023-11-13 and can be put back"),
        ({"deleted": Deletion(at=ago(1))}, "it was deleted on 2023-11-13 and can be restored until 2023-12-13"),
        ({"deleted": Deletion(at=ago(1), purged_at=ago(0))}, "somebody purged it from the trash"),
        ({"orphaned_at": ago(1)}, "what it belonged to is gone"),
        ({"untagged_after": DAY}, "it has no tag, and was last used on 2023-08-06"),
    ],
)
def test_each_verdict_says_why(facts, reason):
    assert judge_manifest(dataclasses.replace(MANIFEST, **facts), RULES, NOW).reason == reason
