# SPDX-License-Identifier: Apache-2.0
"""Linked sources: where the code of a repository's images comes from, and when two addresses mean the same place."""

import re
from typing import Final, NamedTuple

from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence

_TEMPLATE: Final = re.compile(
    r"(https?://[a-z0-9][a-z0-9.:-]*/(?:[A-Za-z0-9._-]+/)*)\{([A-Za-z0-9_./~-]+)\}()", re.ASCII
)
_ADDRESS: Final = re.compile(r"https?://[^/\s]+/(?P<path>\S+)", re.IGNORECASE)


class Source(NamedTuple):
    """An address of source code, in the one form in which addresses are compared."""

    address: str
    """ASCII in lower case, without `.git` and without a slash at its end: forges do not tell capitals apart."""

    @classmethod
    def parse(cls, text: str) -> "Source | None":
        """Return an address as it is compared; nothing for what is no address, or holds more than ASCII."""
        address = text.lower().rstrip("/").removesuffix(".git")
        return cls(address) if text.isascii() and _ADDRESS.fullmatch(address) else None

    @property
    def path(self) -> list[str]:
        """The parts of its path: `acme`, `app`."""
        found = _ADDRESS.fullmatch(self.address)
        return [] if found is None else found["path"].split("/")

    def spellings(self) -> tuple[str, str, str]:
        """Return the ways in which the same place is written, in lower case."""
        return self.address, f"{self.address}/", f"{self.address}.git"

    def is_at(self, text: str | None) -> bool:
        """Say whether an address that somebody wrote means this place."""
        return text is not None and text.isascii() and text.lower() in self.spellings()

    def owns(self, name: RepositoryName, *, in_namespace: bool) -> bool:
        """Say whether a name begins as the path does: `OWNER/REPOSITORY`, alone or with an image's name after it.

        Args:
            name: of a repository, which is free.
            in_namespace: whether the name's first part was compared already, with that of a namespace; the owner's
                name may be another there.
        """
        path, parts = self.path, name.split("/")
        if in_namespace:
            path, parts = path[1:], parts[1:]
        return bool(path) and parts[: len(path)] == path


def parse_template(text: str) -> tuple[str, str]:
    """Return what stands before the claim in a template such as `https://github.com/{repository}`, and the claim.

    Raises:
        AccountInvalid: it is none.
    """
    found = _TEMPLATE.fullmatch(text)
    if found is None:
        message = Sentence(
            "The source is the address of a forge, and at its end, in braces, the claim that holds the "
            "path of the code: https://github.com/{repository}"
        )
        raise AccountInvalid(message)
    return found[1], found[2]
