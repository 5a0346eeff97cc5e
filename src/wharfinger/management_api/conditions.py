# SPDX-License-Identifier: Apache-2.0
"""Conditional changes: whoever sends back the entity tag of what it read does not overwrite what came between.

`If-Match` is looked at twice: here, against what is there now, and in the transaction, against the same rows.
"""

from typing import Final

from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import PreconditionFailed
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api.calls import Call
from wharfinger.management_api.fields import Shown

_ANOTHER: Final = Sentence("It is not as you saw it (If-Match): read it again, and decide again.")


def mark(call: Call, shown: Shown) -> None:
    """Put the entity tag of what is shown on the answer."""
    call.headers["ETag"] = _tag(shown)


def matches(call: Call, shown: Shown) -> bool:
    """Say whether the caller named what it saw, and that is what is there.

    Raises:
        PreconditionFailed: it named something else.
    """
    wanted = call.visit.header(b"if-match")
    if wanted is None or wanted.strip() == "*":
        return False
    if _tag(shown) not in [one.strip() for one in wanted.split(",")]:
        raise PreconditionFailed(_ANOTHER)
    return True


def require_nothing_seen(call: Call) -> None:
    """Return if the caller named nothing that it saw, where nothing is; `*` means something, too (RFC 9110).

    Raises:
        PreconditionFailed: it named something.
    """
    if call.visit.header(b"if-match") is not None:
        raise PreconditionFailed(_ANOTHER)


def _tag(shown: Shown) -> str:
    return f'"{digest_of(shown.model_dump_json().encode()).partition(":")[2][:32]}"'
