# SPDX-License-Identifier: Apache-2.0
"""Answers that the toolkit does not have: a file sent by the server itself, without Python touching its bytes."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_PIECE = 1024 * 1024


class WholeFile(Response):
    """A whole local file, by the server's zero-copy send where it has one.

    Args:
        path: the file; it never changes while it exists.
        size: its length in bytes.
        headers: of the answer.
    """

    def __init__(self, path: Path, size: int, headers: Mapping[str, str]) -> None:
        super().__init__(None, headers={**headers, "Content-Length": str(size)})
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
