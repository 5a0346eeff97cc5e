# SPDX-License-Identifier: Apache-2.0
"""Style, script and pictures: a handful of files, in memory, under addresses that name their content.

An address that contains the content's digest can be kept for ever, and a new version has a new address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.responses import Response

from wharfinger.domain.digests import digest_of

FOLDER: Final = Path(__file__).parent / "static"
PREFIX: Final = "/static/"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    content: bytes
    media_type: str


class Assets:
    """The files of the console.

    Args:
        prefix: the path under which the whole site lies.
    """

    def __init__(self, prefix: str = "") -> None:
        self._urls: dict[str, str] = {}
        self._by_path: dict[str, Asset] = {}
        for file in sorted(FOLDER.iterdir()):
            content = file.read_bytes()
            path = f"{PREFIX}{file.stem}.{digest_of(content).partition(':')[2][:12]}{file.suffix}"
            self._urls[file.name] = prefix + path
            self._by_path[path] = Asset(content, _TYPES[file.suffix])

    def url(self, name: str) -> str:
        """Return the address of a file, for templates."""
        return self._urls[name]

    def find(self, method: str, path: str) -> Response | None:
        """Return the answer to a request for a file, or nothing if it is for none."""
        asset = self._by_path.get(path) if method in {"GET", "HEAD"} else None
        if asset is None:
            return None
        return Response(asset.content, headers={"Cache-Control": _FOR_EVER}, media_type=asset.media_type)
