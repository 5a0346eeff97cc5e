# SPDX-License-Identifier: Apache-2.0
"""Answers that the toolkit does not have: content whose headers are ready, and a file that the server itself sends."""

import asyncio
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_PIECE = 1024 * 1024
RawHeader = tuple[bytes, bytes]


class Content(Response):
    """Bytes whose headers are encoded already: pulls are answered with these, and encoding took a fifth of their time.

    Args:
        content: the body.
        raw_headers: names in lower case and values, complete with the length.
        status_code: of the answer.
    """

    def __init__(self, content: bytes, raw_headers: list[RawHeader], status_code: int = 200) -> None:
        self.status_code = status_code
        self.body = content
        self.raw_headers = raw_headers
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the interface
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


class WholeFile(Response):
    """A whole local file, by the server's zero-copy send where it has one.

    Args:
        path: the file; it never changes while it exists.
        size: its length in bytes.
        raw_headers: names in lower case and values, complete with the length.
    """

    def __init__(self, path: Path, size: int, raw_headers: list[RawHeader]) -> None:
        self.status_code = 200
        self.raw_headers = raw_headers
        self.background = None
        self._path = path
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the interface
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if "http.response.pathsend" in scope.get("extensions", {}):
            await send({"type": "http.response.pathsend", "path": str(self._path), "size": self._size})
            return
        with await asyncio.to_thread(self._path.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
