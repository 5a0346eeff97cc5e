# SPDX-License-Identifier: Apache-2.0
"""Conditional changes: whoever sends back the entity tag of what it read does not overwrite what came between.

`If-Match` is looked at twice: here, against what is there now, and in the transaction, against the same rows.
"""

from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import PreconditionFailed
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api.calls import Call
from wharfinger.management_api.fields import Shown


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
        message = Sentence("It is not as you saw it (If-Match): read it again, and decide again.")
        raise PreconditionFailed(message)
    return True


def _tag(shown: Shown) -> str:
    return f'"{digest_of(shown.model_dump_json().encode()).partition(":")[2][:32]}"'
