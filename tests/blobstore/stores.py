# SPDX-License-Identifier: Apache-2.0
"""Short forms, and file systems that record, fail or hang."""

import asyncio
import itertools
import os
import threading
from pathlib import Path

from wharfinger.blobstore.base import StoreKey, checked_key
from wharfinger.blobstore.files import Files
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.domain.errors import StoreUnavailable

_numbers = itertools.count()

PATIENCE = 20
"""Seconds after which a test gives up waiting for a thread."""


def filesystem(root, *, reserve=0, max_threads=2, files=None):
    """Return a store over the folder."""
    return FilesystemBlobStore(root, reserve=reserve, max_threads=max_threads, files=files)


def new_key() -> StoreKey:
    """Return a key that no test had before."""
    return checked_key(f"ab/{next(_numbers):08x}")


async def put(store, content=b"content", key=None):
    """Store finished bytes and return their key."""
    key = new_key() if key is None else key
    writer = await store.begin(key)
    await writer.write([content])
    await writer.commit()
    return key


async def read(store, key, start=0, stop=None):
    """Return the bytes of a range."""
    stop = await store.stat(key) if stop is None else stop
    return b"".join([piece async for piece in store.open(key, start, stop)])


async def listed(store, prefix=""):
    """Return the keys, in order."""
    return sorted([key async for key in store.keys(prefix)])


async def drained(pieces):
    """Return what came before the end, and the error that ended it, if one did."""
    received = []
    try:
        async for piece in pieces:
            received.append(piece)  # noqa: PERF401 - what came before the error counts
    except StoreUnavailable as error:
        return received, error
    return received, None


def descriptors(root) -> list[str]:
    """Return what this process has open below the folder."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(f"{root}/"):
            found.append(target)
    return found


async def eventually(condition) -> None:
    """Wait until the condition holds: what a thread does after its caller has gone has no other end to wait for."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)


class RecordingFiles(Files):
    """Writes down what is called and with which name; makes a call fail where it is told to."""

    def __init__(self):
        self.calls = []
        self.failures = {}
        self._names = {}

    def fail(self, call, error):
        """Let every call of this name raise."""
        self.failures[call] = error

    def names(self):
        """Return the calls without what they were called with."""
        return [call for call, _ in self.calls]

    def _record(self, call, target):
        self.calls.append((call, target))
        if call in self.failures:
            number = self.failures[call]
            raise OSError(number, os.strerror(number), str(target))

    def make_folder(self, folder):
        self._record("make_folder", folder.name)
        super().make_folder(folder)

    def open_part(self, path, *, create):
        self._record("open_part", path.name)
        descriptor = super().open_part(path, create=create)
        self._names[descriptor] = path.name
        return descriptor

    def write(self, descriptor, buffers, offset):
        self._record("write", self._names[descriptor])
        return super().write(descriptor, buffers, offset)

    def truncate(self, descriptor, size):
        self._record("truncate", self._names[descriptor])
        super().truncate(descriptor, size)

    def sync_data(self, descriptor):
        self._record("sync_data", self._names[descriptor])
        super().sync_data(descriptor)

    def sync(self, descriptor):
        self._record("sync", self._names[descriptor])
        super().sync(descriptor)

    def close(self, descriptor):
        super().close(descriptor)
        self._record("close", self._names.get(descriptor, "?"))

    def rename(self, source, target):
        self._record("rename", target.name)
        super().rename(source, target)

    def sync_folder(self, folder):
        self._record("sync_folder", folder.name)
        super().sync_folder(folder)

    def unlink(self, path):
        self._record("unlink", path.name)
        super().unlink(path)


class FewBytesFiles(Files):
    """Takes and gives few bytes at a time, as the system may."""

    def write(self, descriptor, buffers, offset):
        return super().write(descriptor, [bytes(buffers[0])[:21]], offset)

    def read(self, descriptor, length, offset):
        return super().read(descriptor, min(length, 21), offset)


class StallingFiles(Files):
    """A disk that hangs in the given call until it is let go."""

    def __init__(self, call):
        self._call = call
        self.stalls = False
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def _stall(self, call):
        if self.stalls and call == self._call:
            self.reached.set()
            assert self.let_go.wait(PATIENCE)

    def write(self, descriptor, buffers, offset):
        self._stall("write")
        return super().write(descriptor, buffers, offset)

    def read(self, descriptor, length, offset):
        self._stall("read")
        return super().read(descriptor, length, offset)

    def sync(self, descriptor):
        self._stall("sync")
        super().sync(descriptor)

    def open_part(self, path, *, create):
        self._stall("open_part")
        return super().open_part(path, create=create)

    def size(self, path):
        self._stall("size")
        return super().size(path)
