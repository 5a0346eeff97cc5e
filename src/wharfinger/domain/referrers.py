# SPDX-License-Identifier: Apache-2.0
"""What is attached to a manifest, as a tree: signatures, bills of materials, attestations, and what is on those."""

from collections.abc import Mapping
from dataclasses import dataclass

from wharfinger.clock import Instant
from wharfinger.domain.artifacts import Artifact
from wharfinger.domain.digests import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """Something that is attached to a manifest.

    Args:
        digest, media_type, artifact_type, size, pushed_at: its manifest.
        artifact: what it is.
        by: how it is attached: its `subject`, a `tag` by cosign's rule, or an entry of the same `index`.
        annotations: what it says of itself.
        parts: media types and sizes of its layers.
        referrers: what is attached to it.
    """

    digest: Digest
    media_type: str
    artifact_type: str | None
    size: int
    pushed_at: Instant
    artifact: Artifact
    by: str
    annotations: Mapping[str, str]
    parts: tuple[tuple[str, int], ...]
    referrers: tuple["Referrer", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Everything that is attached to a manifest, as a tree.

    Args:
        referrers: the first floor, by digest.
        more: whether there is more than was looked at.
    """

    referrers: tuple[Referrer, ...]
    more: bool

    def count(self) -> int:
        """Return how many there are on all floors."""
        level, number = list(self.referrers), 0
        while level:
            number += len(level)
            level = [below for one in level for below in one.referrers]
        return number
