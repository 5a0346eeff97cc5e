# SPDX-License-Identifier: Apache-2.0
"""What an error of the operating system means to a client.

A client learns what kind of trouble it is and whether to come back, never a path: that stays in the chained original,
which the operator finds in the log.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wharfinger.domain.errors import StoreFull, StoreUnavailable, Unavailable
from wharfinger.domain.sentences import Sentence

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SENTENCES: Final = {
    errno.EMFILE: Sentence("The registry has too many files open; try again in a moment."),
    errno.ENFILE: Sentence("The registry's machine has too many files open; try again in a moment."),
    errno.EAGAIN: Sentence("Another request is still writing these bytes; try again in a moment."),
    errno.EACCES: Sentence("The registry has no access to its storage."),
    errno.EPERM: Sentence("The registry has no access to its storage."),
    errno.EROFS: Sentence("The registry's storage is read-only at the moment."),
    errno.EIO: Sentence("The registry's storage reports a fault."),
    errno.ETIMEDOUT: Sentence("The registry's storage did not answer in time."),
}
_OTHERWISE: Final = Sentence("The registry's storage does not work at the moment.")


def store_error(error: OSError) -> Unavailable:
    """Return the error to raise `from` this one."""
    if error.errno in _FULL:
        return StoreFull(Sentence("The registry's storage is full."))
    if error.errno is None and isinstance(error, TimeoutError):
        return StoreUnavailable(_SENTENCES[errno.ETIMEDOUT])
    return StoreUnavailable(_SENTENCES.get(error.errno or 0, _OTHERWISE))


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the operating system says as what it means; facts such as `KeyUnknown` pass."""
    try:
        yield
    except OSError as error:
        raise store_error(error) from error
