# SPDX-License-Identifier: Apache-2.0
"""Style, scripts and pictures: a handful of files, in memory, under addresses that name their content.

An address that contains the content's digest can be kept for ever, and a new version has a new address. All style is
one file as served, joined in the order of `_FIRST` and then of the names. A script is a module of its own; what several
of them import lies in `shared`, and is named by them as if it lay beside them.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.responses import Response

from wharfinger.domain.digests import digest_of

FOLDER: Final = Path(__file__).parent / "static"
STYLE: Final = "console.css"
PREFIX: Final = "/static/"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FIRST: Final = ("tokens.css", "page.css", "parts.css")
_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|\s|$))")
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, and the same packed: it holds no secret, so nothing can be learnt from how well it packs."""

    content: bytes
    packed: bytes
    media_type: str


class Assets:
    """The files of the console.

    Args:
        prefix: the path under which the whole site lies.
    """

    def __init__(self, prefix: str = "") -> None:
        self._urls: dict[str, str] = {}
        self._by_path: dict[str, Asset] = {}
        self.scripts: list[str] = []
        """The addresses of all scripts, for templates."""
        styles = sorted((FOLDER / "styles").glob("*.css"), key=_place)
        self._add(STYLE, b"\n".join(file.read_bytes() for file in styles), prefix)
        for file in sorted((FOLDER / "pictures").iterdir()):
            self._add(file.name, file.read_bytes(), prefix)
        shared = {
            file.name: self._add(file.name, file.read_bytes(), prefix).rpartition("/")[2]
            for file in sorted((FOLDER / "scripts" / "shared").glob("*.js"))
        }
        for file in sorted((FOLDER / "scripts").glob("*.js")):
            script = file.read_text("utf-8")
            for name, served_as in shared.items():
                script = script.replace(f'from "./{name}"', f'from "./{served_as}"')
            self.scripts.append(self._add(file.name, script.encode(), prefix))

    def _add(self, name: str, content: bytes, prefix: str) -> str:
        stem, dot, suffix = name.rpartition(".")
        path = f"{PREFIX}{stem}.{digest_of(content).partition(':')[2][:12]}{dot}{suffix}"
        self._urls[name] = prefix + path
        self._by_path[path] = Asset(content, gzip.compress(content, mtime=0), _TYPES[dot + suffix])
        return prefix + path

    def url(self, name: str) -> str:
        """Return the address of a file, for templates."""
        return self._urls[name]

    def find(self, method: str, path: str, encodings: str = "") -> Response | None:
        """Return the answer to a request for a file, or nothing if it is for none.

        Args:
            method: of the request.
            path: below the site's prefix.
            encodings: what the browser takes, as its `Accept-Encoding` says.
        """
        asset = self._by_path.get(path) if method in {"GET", "HEAD"} else None
        if asset is None:
            return None
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        if not _GZIP.search(encodings):
            return Response(asset.content, headers=headers, media_type=asset.media_type)
        return Response(asset.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type)


def _place(file: Path) -> tuple[int, str]:
    """Return where a style comes: what the others are made of first."""
    return _FIRST.index(file.name) if file.name in _FIRST else len(_FIRST), file.name
