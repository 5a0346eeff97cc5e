# SPDX-License-Identifier: Apache-2.0
"""Secret material of a deployment: what everything that is sealed at rest is sealed with."""

import os
import secrets
from pathlib import Path
from typing import Final

from wharfinger.security.envelope import LEAST_MATERIAL

_BYTES: Final = 32


class MaterialUnusable(Exception):
    """There is no secret material, or too little of it; the message says what would be right."""


def from_text(text: str, name: str) -> bytes:
    """Return an operator's secret as material.

    Raises:
        MaterialUnusable: it is too short.
    """
    content = text.encode()
    if len(content) < LEAST_MATERIAL:
        message = f"{name} has {len(content)} bytes; accounts need {LEAST_MATERIAL} random ones or more"
        raise MaterialUnusable(message)
    return content


def from_file(path: Path) -> bytes:
    """Return what the file holds, making it with random content if it is not there: durable, and for its owner only.

    Several processes may ask at once; they all get what the first one wrote.

    Raises:
        MaterialUnusable: the file cannot be made or read, or holds too little.
    """
    try:
        content = _read(path) or _make(path) or _read(path)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise MaterialUnusable(message) from error
    if len(content) < LEAST_MATERIAL:
        message = f"{path} has {len(content)} bytes instead of {_BYTES}; restore it from a backup"
        raise MaterialUnusable(message)
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _make(path: Path) -> bytes:
    """Write the file whole under another name and link it; nothing if somebody else was first."""
    content, draft = secrets.token_bytes(_BYTES), path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
        path.hardlink_to(draft)
    except FileExistsError:
        return b""
    finally:
        os.close(descriptor)
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return content
