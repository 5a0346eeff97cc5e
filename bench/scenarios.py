# SPDX-License-Identifier: Apache-2.0
"""The table of what is measured: each scenario, the servers it runs on, and the targets to reach."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import runs
from bench.peers import ACCOUNTS, DISTRIBUTION, NGINX, WHARFINGER
from bench.samples import Metric, Sample
from bench.verdicts import Bound, Target

SHA256SUM = "sha256sum"
ARGON2 = "argon2"

Run = Callable[[runs.Turn], Sample]
"""Measures one server once."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row.

    Args:
        name: what `--only` and `--profile` call it.
        title: what a reader calls it.
        operation: what one operation is, of which the rate and the CPU are told.
        on: how each server is measured; the order is that of each round.
        targets: what Wharfinger is to reach.
        rounds: how many at the most, where one round is long.
    """

    name: str
    title: str
    operation: str
    on: Mapping[str, Run]
    targets: Sequence[Target]
    rounds: int | None = None

    @property
    def ours(self) -> str:
        """The server of ours that is looked at."""
        return self.targets[0].who if self.targets else WHARFINGER


def _at_least(limit: float, of: str, metric: Metric = Metric.RATE) -> Target:
    return Target(metric, Bound.AT_LEAST, limit, of)


def _at_most(limit: float, metric: Metric, of: str | None = None) -> Target:
    return Target(metric, Bound.AT_MOST, limit, of)


def _of_open(limit: float) -> Target:
    return Target(Metric.RATE, Bound.AT_LEAST, limit, WHARFINGER, ACCOUNTS)


def _all(run: Run) -> Mapping[str, Run]:
    return dict.fromkeys((WHARFINGER, DISTRIBUTION, NGINX), run)


def _registries(run: Run) -> Mapping[str, Run]:
    return dict.fromkeys((WHARFINGER, DISTRIBUTION), run)


SCENARIOS: Sequence[Scenario] = (
    Scenario(
        "startup",
        "From the command to the first answer",
        "start",
        _registries(runs.startup),
        [_at_most(2.0, Metric.FRESH), _at_most(2.0, Metric.AGAIN)],
    ),
    Scenario(
        "manifest-get",
        "GET of a manifest by tag, 16 connections",
        "request",
        _all(runs.manifest_get),
        [_at_least(15, DISTRIBUTION), _at_least(0.15, NGINX)],
    ),
    Scenario(
        "manifest-head",
        "HEAD of a manifest by tag, 16 connections",
        "request",
        _all(runs.manifest_head),
        [_at_least(15, DISTRIBUTION), _at_least(0.15, NGINX)],
    ),
    Scenario(
        "blob-small",
        "GET of a 1 KiB blob, 16 connections",
        "request",
        _all(runs.blob_small),
        [_at_least(20, DISTRIBUTION), _at_least(0.10, NGINX)],
    ),
    Scenario(
        "manifest-signed-in",
        "GET of a private manifest by tag with a registry token, 16 connections",
        "request",
        {ACCOUNTS: runs.manifest_get, WHARFINGER: runs.manifest_get},
        [_of_open(0.8)],
    ),
    Scenario(
        "blob-signed-in",
        "GET of a private 1 KiB blob with a registry token, 16 connections",
        "request",
        {ACCOUNTS: runs.blob_small, WHARFINGER: runs.blob_small},
        [_of_open(0.8)],
    ),
    Scenario(
        "sign-in",
        "First sign-in with a password, one person after the other",
        "sign-in",
        {ACCOUNTS: runs.sign_in, ARGON2: runs.argon2},
        [Target(Metric.CPU, Bound.AT_MOST, 1.5, ARGON2, ACCOUNTS)],
    ),
    Scenario(
        "sign-in-beside",
        "GET of a manifest while two people at a time sign in: nobody waits for a hash of others",
        "request",
        {ACCOUNTS: runs.pulls_beside_sign_ins, ARGON2: runs.argon2},
        [Target(Metric.P99, Bound.AT_MOST, 1.0, ARGON2, ACCOUNTS)],
    ),
    Scenario(
        "blob-large",
        "GET of a 100 MiB blob, 4 at a time",
        "GiB",
        _all(runs.blob_large),
        [_at_most(0.6, Metric.CPU, DISTRIBUTION), _at_most(1.7, Metric.CPU, NGINX)],
    ),
    Scenario(
        "push-layer",
        "Push of a 100 MiB layer",
        "layer",
        {**_registries(runs.push_layer), SHA256SUM: runs.sha256sum},
        [
            _at_most(1.0, Metric.P50, DISTRIBUTION),
            _at_most(1.0, Metric.CPU, DISTRIBUTION),
            _at_most(1.6, Metric.CPU, SHA256SUM),
        ],
    ),
    Scenario(
        "push-images",
        "Push of 500 small images by 8 clients",
        "image",
        _registries(runs.push_images),
        [_at_least(1.5, DISTRIBUTION)],
    ),
    Scenario(
        "tags",
        "All 10,000 tags of a repository, 4 connections",
        "list",
        _registries(runs.tags),
        [_at_least(10, DISTRIBUTION)],
    ),
    Scenario(
        "tags-moving",
        "All 10,000 tags after each move of a tag, 1 connection; latency is that of the list alone",
        "move and list",
        _registries(runs.tags_moving),
        [],
    ),
    Scenario(
        "tags-page",
        "The last 100 of 10,000 tags, 4 connections (docker-registry sends all: it knows no pages)",
        "page",
        _registries(runs.tags_page),
        [_at_most(1.25, Metric.GROWTH)],
    ),
    Scenario(
        "catalog",
        "All 10,000 repositories by pages of 100 in mixed order, 4 connections",
        "page",
        _registries(runs.catalog),
        [_at_least(10, DISTRIBUTION)],
    ),
    Scenario(
        "catalog-page",
        "The last 100 of 10,000 repositories, 4 connections",
        "page",
        _registries(runs.catalog_page),
        [_at_most(1.25, Metric.GROWTH)],
    ),
    Scenario(
        "collection",
        "Collection of blobs that nothing needs, their bytes too, while one client pulls and one pushes",
        "blob",
        _registries(runs.collect),
        [_at_most(1.5, Metric.PULLS), _at_most(1.5, Metric.PUSHES)],
        rounds=1,
    ),
    Scenario(
        "collection-growth",
        "Collection among many blobs that stay, and among a hundredth of them",
        "blob",
        {WHARFINGER: runs.collect_among},
        [_at_most(1.25, Metric.AMONG)],
        rounds=1,
    ),
    Scenario(
        "memory",
        "64 pulls and 16 pushes of 100 MiB at the same time",
        "transfer",
        _registries(runs.crowd),
        [_at_most(150 << 20, Metric.MEMORY)],
        rounds=2,
    ),
)
