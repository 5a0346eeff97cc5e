# SPDX-License-Identifier: Apache-2.0
"""What the ways to ask for a token share: the parameters that came, and what every answer with a token says."""

from collections.abc import Sequence

from wharfinger.clock import as_datetime
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.sentences import Sentence
from wharfinger.services.tokens import IssuedToken


class Fields:
    """The parameters of a query or a form."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def every(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return [value for other, value in self._pairs if other == name]

    def one(self, name: str) -> str | None:
        """Return the value of a parameter, or nothing if it is not there.

        Raises:
            QueryInvalid: it comes several times.
        """
        values = self.every(name)
        if len(values) > 1:
            message = Sentence("`%(name)s` comes %(count)s times; it may come once.", name=name, count=len(values))
            raise QueryInvalid(message)
        return values[0] if values else None


def common(issued: IssuedToken) -> dict[str, object]:
    """Return what every answer with a token says."""
    return {
        "access_token": issued.text,
        "expires_in": issued.seconds,  # without it, containerd keeps the token for ever
        "issued_at": as_datetime(issued.issued_at).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
