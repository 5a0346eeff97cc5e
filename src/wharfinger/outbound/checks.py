# SPDX-License-Identifier: Apache-2.0
"""The health checks that an operator adds: a file that must not exist, a port that must listen, a URL that must answer.

Each returns when all is well and raises with a sentence when not.
"""

import asyncio
import http.client
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit


class CheckFailed(Exception):
    """Something that the operator asked to be checked is not as it should be."""


async def absent(file: Path) -> None:
    """Fail while the file exists: an operator takes a node out of service by touching it."""
    if await asyncio.to_thread(file.exists):
        message = f"{file} exists"
        raise CheckFailed(message)


async def listens(host: str, port: int, seconds: float) -> None:
    """Fail unless somebody accepts a connection there."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        message = f"nobody answers at {host}:{port}"
        raise CheckFailed(message) from error
    writer.close()


async def answers(url: str, headers: Mapping[str, str], status: int, seconds: float) -> None:
    """Fail unless a `HEAD` of the URL has the status; redirects are not followed."""
    found = await asyncio.to_thread(_head, url, headers, seconds)
    if found != status:
        message = f"{url} answers {found}, not {status}"
        raise CheckFailed(message)


def _head(url: str, headers: Mapping[str, str], seconds: float) -> int:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(kind(parts.netloc, timeout=seconds)) as connection:
            connection.request("HEAD", target, headers=dict(headers))
            return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        message = f"{url} does not answer"
        raise CheckFailed(message) from error
