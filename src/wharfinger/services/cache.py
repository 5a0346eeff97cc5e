# SPDX-License-Identifier: Apache-2.0
"""Content in memory, under names that never mean anything else: a digest, or a repository at a revision.

So nothing here is ever stale. What a tag means, or whether a repository has something, is not kept here: that is looked
up for every request, and what a look-up finds is remembered only while nobody has committed anything (ADR 0021).
"""

from collections import OrderedDict


class ContentCache:
    """A bounded set of contents, the longest unused leaving first.

    Args:
        max_bytes: of all contents together.
        max_item: a larger content is not kept.
    """

    def __init__(self, *, max_bytes: int, max_item: int) -> None:
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._max_bytes = max_bytes
        self.max_item = max_item

    def get(self, name: str) -> bytes | None:
        """Return the content if it is here."""
        content = self._contents.get(name)
        if content is not None:
            self._contents.move_to_end(name)
        return content

    def put(self, name: str, content: bytes) -> None:
        """Keep content; under a digest, only what was verified against it."""
        if len(content) > self.max_item or name in self._contents:
            return
        self._contents[name] = content
        self._size += len(content)
        while self._size > self._max_bytes:
            _, dropped = self._contents.popitem(last=False)
            self._size -= len(dropped)
