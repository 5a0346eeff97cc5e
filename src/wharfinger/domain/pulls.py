# SPDX-License-Identifier: Apache-2.0
"""What counts as a pull, and of what.

Clients fetch one image in several steps, each in its own way:

```text
Docker        GET tag (an index)   GET digest (the image for its platform)
containerd    HEAD tag             GET digest (the index)   GET digest (the image)
a second pull HEAD tag             nothing: it has the image already
kubelet       GET digest           of a pinned image
```

So a `HEAD` by itself is no pull. A `GET` is one: of the manifest, of every index that lists it, and of every tag that
names one of these, as far as the same reader asked for them within a minute. What was counted for a reader is not
counted again within that minute, so an image that is fetched in three steps is one pull of its tag.
"""

import functools
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from wharfinger.clock import SECOND, Instant
from wharfinger.domain.names import TagName

WINDOW: Final = 60 * SECOND
_LONG_AGO: Final = Instant(0)
MOST_READERS: Final = 10_000
MOST_THINGS: Final = 1_000
"""Of one reader: who asks for more within a minute looks through a registry, and its pulls are counted one by one."""
_OBSERVERS: Final = ("cosign", "diun", "grype", "notation", "renovate", "syft", "trivy", "watchtower")
"""Programs that fetch manifests to look at them; nobody runs what they fetch."""

Reader = tuple[str, int | None]
"""An address, and the account that was shown: two machines of one robot are two readers."""


class Read(NamedTuple):
    """One manifest that was asked for.

    Args:
        at: when.
        reader: by whom.
        repository_id: where.
        manifest_id: which.
        tag: by which tag; nothing if it was named by its digest.
        fetched: whether its bytes were sent.
    """

    at: Instant
    reader: Reader
    repository_id: int
    manifest_id: int
    tag: TagName | None
    fetched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What one read adds to the counts.

    Args:
        at: when.
        repository_id: where.
        manifests: ids of manifests that were pulled.
        tags: tags that were pulled.
        whole: whether it is a pull of the repository, too, and not a further step of one.
    """

    at: Instant
    repository_id: int
    manifests: Sequence[int]
    tags: Sequence[TagName]
    whole: bool


_Thing = int | tuple[int, TagName]
"""A manifest, or a tag of a repository."""


@dataclass(slots=True)
class _Desk:
    """What one reader asked for lately, and what of it was counted."""

    asked: dict[int, dict[TagName | None, Instant]] = field(default_factory=dict)
    counted: dict[_Thing, Instant] = field(default_factory=dict)
    last: Instant = _LONG_AGO

    def clear_before(self, since: Instant) -> None:
        for manifest_id, names in list(self.asked.items()):
            for name in [name for name, at in names.items() if at < since]:
                del names[name]
            if not names:
                del self.asked[manifest_id]
        for thing in [thing for thing, at in self.counted.items() if at < since]:
            del self.counted[thing]


class Ledger:
    """What readers of one process asked for within the last minute; bounded, and only in memory."""

    def __init__(self) -> None:
        self._desks: OrderedDict[Reader, _Desk] = OrderedDict()

    def recent(self) -> Collection[int]:
        """Return the manifests that were asked for lately: only these can be found above another one."""
        return {manifest_id for desk in self._desks.values() for manifest_id in desk.asked}

    def count(self, read: Read, parents: Mapping[int, Collection[int]]) -> Pull | None:
        """Return what a read adds; nothing for one that is no pull, or a repetition.

        Args:
            read: not older than the one before it.
            parents: of manifests, the indexes that list them.
        """
        desk = self._desk(read)
        desk.asked.setdefault(read.manifest_id, {})[read.tag] = read.at
        if not read.fetched:
            return None
        reached = _climb(read.manifest_id, desk, parents)
        tags = sorted({name for one in reached for name in desk.asked[one] if name is not None})
        tops: Sequence[_Thing] = [(read.repository_id, tag) for tag in tags]
        if not tops:
            tops = [one for one in reached if not any(parent in reached for parent in parents.get(one, ()))]
        things: list[_Thing] = [*reached, *((read.repository_id, tag) for tag in tags)]
        new = {thing for thing in things if thing not in desk.counted}
        if not new:
            return None
        whole = not any(top in desk.counted for top in tops)
        desk.counted.update(dict.fromkeys(new, read.at))
        return Pull(
            at=read.at,
            repository_id=read.repository_id,
            manifests=[one for one in reached if one in new],
            tags=[tag for tag in tags if (read.repository_id, tag) in new],
            whole=whole,
        )

    def _desk(self, read: Read) -> _Desk:
        since = Instant(read.at - WINDOW)
        while self._desks and next(iter(self._desks.values())).last < since:
            self._desks.popitem(last=False)
        desk = self._desks.setdefault(read.reader, _Desk())
        self._desks.move_to_end(read.reader)
        if len(self._desks) > MOST_READERS:
            self._desks.popitem(last=False)
        if len(desk.asked) >= MOST_THINGS:
            desk.asked.clear()
            desk.counted.clear()
        desk.clear_before(since)
        desk.last = read.at
        return desk


def _climb(manifest_id: int, desk: _Desk, parents: Mapping[int, Collection[int]]) -> Sequence[int]:
    """Return the manifest, and the indexes above it that the reader asked for as well."""
    reached = [manifest_id]
    for one in reached:  # which grows on the way
        reached += [parent for parent in sorted(parents.get(one, ())) if parent in desk.asked and parent not in reached]
    return reached


@functools.lru_cache(maxsize=4096)
def is_observer(user_agent: bytes) -> bool:
    """Say whether a program only looks, by the name that it gives itself."""
    name = user_agent.lower().decode("latin-1")
    return any(observer in name for observer in _OBSERVERS)
