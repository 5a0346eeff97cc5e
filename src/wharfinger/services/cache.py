# SPDX-License-Identifier: Apache-2.0
"""Content in memory, by digest: what is found under a digest never changes, so nothing here is ever stale.

Only what *is* something is cached, never what a name means or whether a repository has it: that is asked of the
database for every request.
"""

from collections import OrderedDict

from wharfinger.domain.digests import Digest


class ContentCache:
    """A bounded set of contents, the longest unused leaving first.

    Args:
        max_bytes: of all contents together.
        max_item: a larger content is not kept.
    """

    def __init__(self, *, max_bytes: int, max_item: int) -> None:
        self._contents: OrderedDict[Digest, bytes] = OrderedDict()
        self._size = 0
        self._max_bytes = max_bytes
        self.max_item = max_item

    def get(self, digest: Digest) -> bytes | None:
        """Return the content if it is here."""
        content = self._contents.get(digest)
        if content is not None:
            self._contents.move_to_end(digest)
        return content

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep content that was verified against its digest."""
        if len(content) > self.max_item or digest in self._contents:
            return
        self._contents[digest] = content
        self._size += len(content)
        while self._size > self._max_bytes:
            _, dropped = self._contents.popitem(last=False)
            self._size -= len(dropped)
