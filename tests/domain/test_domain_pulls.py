# SPDX-License-Identifier: Apache-2.0
"""What counts as a pull, and of what."""

import pytest

from wharfinger.clock import SECOND, Instant
from wharfinger.domain import pulls
from wharfinger.domain.names import TagName
from wharfinger.domain.pulls import WINDOW, Ledger, Read, is_observer

INDEX, AMD, ARM, OTHER = 1, 2, 3, 4
PARENTS = {AMD: {INDEX}, ARM: {INDEX}}
ANN, BOB = ("192.0.2.1", 7), ("192.0.2.2", 7)
LATEST, STABLE = TagName("latest"), TagName("stable")


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def read(ledger):
    """Return a function that reads, and tells manifests, tags and whether the repository was pulled."""

    def one(manifest, tag=None, *, head=False, at=0, reader=ANN, repository=1, parents=PARENTS):
        moment = Instant(1_000 * SECOND + at * SECOND)
        pull = ledger.count(Read(moment, reader, repository, manifest, tag, not head), parents)
        return None if pull is None else (list(pull.manifests), list(pull.tags), pull.whole)

    return one


def test_docker_fetches_the_index_by_tag_and_the_image_by_digest_in_one_pull(read):
    assert read(INDEX, LATEST) == ([INDEX], [LATEST], True)
    assert read(AMD, at=1) == ([AMD], [], False)


def test_containerd_asks_for_the_tag_first_and_fetches_by_digest_in_one_pull(read):
    assert read(INDEX, LATEST, head=True) is None
    assert read(INDEX, at=1) == ([INDEX], [LATEST], True)
    assert read(AMD, at=2) == ([AMD], [], False)


def test_an_index_that_the_client_has_already_is_pulled_with_its_image(read):
    assert read(INDEX, LATEST, head=True) is None
    assert read(AMD, at=1) == ([AMD, INDEX], [LATEST], True)
    assert read(INDEX, at=2) is None


def test_looking_alone_is_no_pull(read):
    assert [read(INDEX, LATEST, head=True, at=at) for at in (0, 1, 70)] == [None, None, None]


def test_a_pinned_image_is_a_pull_of_its_digest_alone(read):
    assert read(AMD) == ([AMD], [], True)


def test_the_same_again_counts_after_a_minute(read):
    assert read(OTHER, LATEST) == ([OTHER], [LATEST], True)
    assert read(OTHER, LATEST, at=59) is None
    assert read(OTHER, LATEST, at=61) == ([OTHER], [LATEST], True)


def test_what_was_asked_for_more_than_a_minute_ago_has_nothing_to_do_with_it(read):
    read(INDEX, LATEST, head=True)
    assert read(INDEX, at=61) == ([INDEX], [], True)


def test_two_tags_of_one_image_are_two_pulls_of_which_each_counts(read):
    assert read(OTHER, LATEST) == ([OTHER], [LATEST], True)
    assert read(OTHER, STABLE, at=1) == ([], [STABLE], False)


def test_a_tag_that_moved_meanwhile_is_not_of_both_images(read):
    read(OTHER, LATEST, head=True)
    assert read(AMD, at=1) == ([AMD], [], True)


def test_readers_do_not_mix(read):
    read(INDEX, LATEST, head=True, reader=ANN)
    assert read(INDEX, reader=BOB, at=1) == ([INDEX], [], True)
    assert read(INDEX, reader=ANN, at=2) == ([INDEX], [LATEST], True)


def test_a_tag_of_the_same_name_in_another_repository_is_another_tag(read):
    assert read(OTHER, LATEST) == ([OTHER], [LATEST], True)
    assert read(5, LATEST, repository=2, at=1) == ([5], [LATEST], True)


def test_an_index_within_an_index_is_reached_once(read):
    parents = {AMD: {INDEX, 9}, INDEX: {9}}
    read(9, LATEST, head=True, parents=parents)
    read(INDEX, head=True, at=1, parents=parents)
    found = read(AMD, at=2, parents=parents)
    assert (sorted(found[0]), found[1:]) == ([INDEX, AMD, 9], ([LATEST], True))


def test_manifests_that_list_each_other_end(read):
    """No client can push such a pair, because it would need digests of its own; rows that say so must not hang us."""
    assert read(1, LATEST, parents={1: {2}, 2: {1}}) == ([1], [LATEST], True)
    assert read(2, at=1, parents={1: {2}, 2: {1}}) == ([2], [], False)


def test_memory_is_bounded_and_forgets_the_oldest_reader(ledger, read, monkeypatch):
    monkeypatch.setattr(pulls, "MOST_READERS", 3)
    monkeypatch.setattr(pulls, "MOST_THINGS", 5)
    for number in range(20):
        read(INDEX, LATEST, head=True, reader=(f"192.0.2.{number}", None), at=0)
    assert len(ledger._desks) == 3
    for number in range(20):
        read(number, at=1)
        assert len(ledger._desks[ANN].asked) <= 5
    read(1, at=1 + WINDOW // SECOND * 2)
    assert list(ledger._desks) == [ANN]


@pytest.mark.parametrize(
    ("agent", "looks"),
    [
        (b"docker/24.0 go/1.21", False),
        (b"containerd/1.7", False),
        (b"kubelet/v1.30 trivial", False),
        (b"cosign/v2.4 (linux; amd64)", True),
        (b"Renovate/39.1 (https://example.org)", True),
        (b"trivy/0.58", True),
        (b"", False),
        (b"\xff\xfe", False),
    ],
)
def test_programs_that_only_look_are_known_by_name(agent, looks):
    assert is_observer(agent) is looks
