# SPDX-License-Identifier: Apache-2.0
"""The protocol's query parameters: read once, strictly, because two readers of one URL must agree."""

import re
from collections.abc import Sequence
from typing import Final, overload
from urllib.parse import parse_qs

from starlette.types import Scope

from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.sentences import Sentence

_MAX_FIELDS: Final = 2_000
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
_ENOUGH_DIGITS: Final = 20
"""A number that has more is larger than every maximum, and so are its first twenty digits."""


class Query:
    """The parameters of a request."""

    __slots__ = ("_values",)

    def __init__(self, scope: Scope) -> None:
        raw: bytes = scope["query_string"]
        self._values: dict[str, list[str]] = {}
        if not raw:
            return
        try:
            self._values = parse_qs(
                raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
            )
        except ValueError as error:  # also what is not ASCII, or not UTF-8 once decoded
            message = Sentence(
                "The query cannot be read: it must be percent-encoded UTF-8 with at most 2000 parameters."
            )
            raise QueryInvalid(message) from error

    def one(self, name: str) -> str | None:
        """Return a parameter that may come once.

        Raises:
            QueryInvalid: it comes more often.
        """
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            message = Sentence(
                "The parameter `%(name)s` comes %(count)s times; once is right.", name=name, count=len(values)
            )
            raise QueryInvalid(message)
        return values[0]

    def every(self, name: str) -> Sequence[str]:
        """Return all values of a parameter that may come several times, without repetitions."""
        return list(dict.fromkeys(self._values.get(name, ())))

    @overload
    def limit(self, *, maximum: int) -> int | None: ...

    @overload
    def limit(self, *, maximum: int, default: int) -> int: ...

    def limit(self, *, maximum: int, default: int | None = None) -> int | None:
        """Return `n`, at most the maximum, however large it is; the default where it is not given.

        Raises:
            QueryInvalid: it is not a number.
        """
        text = self.one("n")
        if text is None:
            return default
        if not _DIGITS.fullmatch(text):
            message = Sentence("`n` must be a whole number, 0 or more; %(text)r is not.", text=text[:40])
            raise QueryInvalid(message)
        return min(int(text.lstrip("0")[:_ENOUGH_DIGITS] or "0"), maximum)
