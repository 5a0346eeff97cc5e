# SPDX-License-Identifier: Apache-2.0
"""Platforms: what an image runs on."""

import re
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.sentences import Sentence

_UNKNOWN: Final = "unknown"
_PLATFORM: Final = re.compile(
    r"(?P<system>[A-Za-z0-9_.-]{1,64})(?:\((?P<version>[A-Za-z0-9_.+-]{1,128})\))?/(?P<architecture>[A-Za-z0-9_.-]{1,64})"
    r"(?:/(?P<variant>[A-Za-z0-9_.-]{1,64}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What an image runs on. Written `linux/arm64/v8`, or `windows(10.0.20348)/amd64`, as containerd writes it."""

    system: str
    architecture: str
    variant: str = ""
    version: str = ""

    def __str__(self) -> str:
        system = f"{self.system}({self.version})" if self.version else self.system
        return "/".join(part for part in (system, self.architecture, self.variant) if part)

    @property
    def is_known(self) -> bool:
        """Whether it names a platform at all: BuildKit marks its attestations as `unknown/unknown`."""
        return bool(self.system or self.architecture) and {self.system, self.architecture} != {_UNKNOWN}

    def answers(self, wanted: "Platform") -> bool:
        """Say whether somebody who asks for a platform gets this one: what they leave out does not count."""
        return (
            (self.system, self.architecture) == (wanted.system, wanted.architecture)
            and wanted.variant in {"", self.variant}
            and wanted.version in {"", self.version}
        )


def parse_platform(text: str) -> Platform:
    """Return the text as a platform.

    Raises:
        QueryInvalid: it is none.
    """
    found = _PLATFORM.fullmatch(text)
    if found is None:
        message = Sentence("%(text)r is not a platform: write it as linux/amd64 or linux/arm64/v8.", text=text[:80])
        raise QueryInvalid(message)
    return Platform(
        system=found["system"],
        architecture=found["architecture"],
        variant=found["variant"] or "",
        version=found["version"] or "",
    )
