# SPDX-License-Identifier: Apache-2.0
"""A disk in memory that knows what a power failure may leave of it.

A file system promises little: bytes are durable after a sync of the file, names after a sync of the folder, and a
rename happens at one stroke, some time. Between two syncs the disk may write in any order, so after a failure

- each write since the file's last sync is there, or not, or half of it, or as zeros of its length;
- each truncation since then happened or did not;
- each new, removed or changed name since the folder's last sync is there or not, each for itself. A rename is one such
  change: the file is under the old name, or under the new one, and never under both or neither because of it;
- what was in a folder whose own name is lost is lost with it.

`Disk.after_power_failure` yields every combination. Two that look the same to a reader are yielded once.
"""

import copy
import errno
import itertools
import os
import threading
from pathlib import Path

from wharfinger.blobstore.files import Files

PENDING = 6
"""More changes than this in one place are not multiplied out: a scenario that has them is to be cut shorter."""


class File:
    """Bytes as a program sees them, and what of them is durable."""

    def __init__(self, content=b""):
        self.content = content
        self._durable = content
        self._since = []

    def write(self, data, offset):
        self.content = _written(self.content, data, offset)
        self._since.append(("write", data, offset))

    def truncate(self, size):
        self.content = self.content[:size].ljust(size, b"\0")
        self._since.append(("truncate", size))

    def sync(self):
        self._durable, self._since = self.content, []

    def after_power_failure(self):
        """Every content that the disk may hold."""
        found = {self._durable}
        assert len(self._since) <= PENDING
        for change in self._since:
            found |= {after for before in found for after in _outcomes(before, change)}
        return found


def _outcomes(before, change):
    match change:
        case ("truncate", size):
            yield before[:size].ljust(size, b"\0")
        case ("write", data, offset):
            yield _written(before, data, offset)
            yield _written(before, data[: len(data) // 2], offset)
            yield _written(before, bytes(len(data)), offset)


def _written(content, data, offset):
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :] if data else content


class Folder:
    """Names as a program sees them, and which of them are durable."""

    def __init__(self, names=()):
        self.names = dict(names)
        self._durable = dict(names)
        self._since = []

    def change(self, removed=None, added=None, node=None):
        """One change at one stroke: a name goes, a name comes, or both."""
        self._since.append((removed, added, node))
        self.names = _changed(self.names, self._since[-1])

    def sync(self):
        self._durable, self._since = dict(self.names), []

    def after_power_failure(self):
        """Every set of names that the disk may hold; each subset of the changes, in their order."""
        assert len(self._since) <= PENDING
        found = []
        for kept in itertools.product((False, True), repeat=len(self._since)):
            names = self._durable
            for change in itertools.compress(self._since, kept):
                names = _changed(names, change)
            if names not in found:
                found.append(names)
        return found


def _changed(names, change):
    removed, added, node = change
    after = {name: found for name, found in names.items() if name != removed}
    return after | {added: node} if added is not None else after


class Disk:
    """Folders and files by path; `nodes[0]` is the root of everything, and there from the beginning."""

    def __init__(self, nodes=None):
        self.nodes = [Folder()] if nodes is None else nodes

    @classmethod
    def of(cls, files, folders=()):
        """Make a disk of these files and folders, all of them durable."""
        disk = cls()
        for path in [*folders, *files]:
            here, above = disk.nodes[0], Path("/")
            for part in path.parts[1:]:
                above /= part
                if part not in here.names:
                    disk.nodes.append(File(files[above]) if above in files else Folder())
                    here.change(added=part, node=len(disk.nodes) - 1)
                    here.sync()
                here = disk.nodes[here.names[part]]
        return disk

    def copy(self):
        return Disk(copy.deepcopy(self.nodes))

    def find(self, path):
        """Return the file or folder of that path, or nothing."""
        here = self.nodes[0]
        for part in Path(path).parts[1:]:
            if not isinstance(here, Folder) or part not in here.names:
                return None
            here = self.nodes[here.names[part]]
        return here

    def files(self):
        """Content of every file, by path."""
        return dict(self._files(0, Path("/"), {at: node.names for at, node in self._folders()}, self._contents()))

    def folders(self):
        """Every folder that has a path."""
        return sorted(self._paths(0, Path("/"), {at: node.names for at, node in self._folders()}))

    def after_power_failure(self):
        """Yield every disk that may be found, as durable as it stands; what cannot be told apart once."""
        seen = set()
        places = list(self._folders())
        for names in itertools.product(*(node.after_power_failure() for _, node in places)):
            tree = dict(zip((at for at, _ in places), names, strict=True))
            folders = sorted(self._paths(0, Path("/"), tree))
            where = dict(self._files(0, Path("/"), tree, {at: at for at, _ in self._contents().items()}))
            for contents in itertools.product(*(self.nodes[at].after_power_failure() for at in where.values())):
                files = dict(zip(where, contents, strict=True))
                key = (tuple(folders), tuple(sorted(files.items())))
                if key not in seen:
                    seen.add(key)
                    yield Disk.of(files, folders)

    def _folders(self):
        return ((at, node) for at, node in enumerate(self.nodes) if isinstance(node, Folder))

    def _contents(self):
        return {at: node.content for at, node in enumerate(self.nodes) if isinstance(node, File)}

    def _files(self, at, path, tree, contents):
        for name, below in tree[at].items():
            if below in tree:
                yield from self._files(below, path / name, tree, contents)
            else:
                yield path / name, contents[below]

    def _paths(self, at, path, tree):
        yield path
        for name, below in tree[at].items():
            if below in tree:
                yield from self._paths(below, path / name, tree)


class DiskFiles(Files):
    """The narrow file interface of the driver over a disk in memory.

    Args:
        disk: what it works on.
        changed: called with a few words after everything that a power failure could undo, and after every sync.
    """

    def __init__(self, disk, changed=lambda _what: None):
        self.disk = disk
        self._changed = changed
        self._lock = threading.RLock()
        self._open = {}
        self._numbers = itertools.count(1_000_000)
        self._writing = set()

    def make_folder(self, folder):
        with self._lock:
            parent = self._folder(folder.parent)
            if folder.name in parent.names:
                raise _error(errno.EEXIST, folder)
            self._add(parent, folder.name, Folder())
            self._changed(f"make folder {folder.name}")

    def open_part(self, path, *, create):
        with self._lock:
            parent = self._folder(path.parent)
            if path.name not in parent.names:
                if not create:
                    raise _error(errno.ENOENT, path)
                self._add(parent, path.name, File())
                self._changed(f"create {path.suffix or path.name}")
            node = self.disk.nodes[parent.names[path.name]]
            if id(node) in self._writing:
                raise _error(errno.EAGAIN, path)
            self._writing.add(id(node))
            return self._opened(node)

    def write(self, descriptor, buffers, offset):
        with self._lock:
            data = b"".join(bytes(buffer) for buffer in buffers)
            self._open[descriptor].write(data, offset)
            self._changed(f"write {len(data)} at {offset}")
            return len(data)

    def truncate(self, descriptor, size):
        with self._lock:
            if len(self._open[descriptor].content) != size:
                self._open[descriptor].truncate(size)
                self._changed(f"truncate to {size}")

    def sync_data(self, descriptor):
        with self._lock:
            self._open[descriptor].sync()
            self._changed("sync data")

    def sync(self, descriptor):
        with self._lock:
            self._open[descriptor].sync()
            self._changed("sync")

    def close(self, descriptor):
        with self._lock:
            self._writing.discard(id(self._open.pop(descriptor)))

    def rename(self, source, target):
        assert source.parent == target.parent, "between folders, a rename is two changes"
        with self._lock:
            parent = self._folder(source.parent)
            if source.name not in parent.names:
                raise _error(errno.ENOENT, source)
            parent.change(removed=source.name, added=target.name, node=parent.names[source.name])
            self._changed("rename")

    def sync_folder(self, folder):
        with self._lock:
            self._folder(folder).sync()
            self._changed(f"sync folder {folder.name}")

    def unlink(self, path):
        with self._lock:
            parent = self._folder(path.parent)
            if path.name not in parent.names:
                raise _error(errno.ENOENT, path)
            parent.change(removed=path.name)
            self._changed(f"unlink {path.suffix or path.name}")

    def open_to_read(self, path):
        with self._lock:
            return self._opened(self._file(path))

    def read(self, descriptor, length, offset):
        return self._open[descriptor].content[offset : offset + length]

    def size(self, path):
        return len(self._file(path).content)

    def length(self, descriptor):
        return len(self._open[descriptor].content)

    def modified(self, path):
        """Say that everything was written long ago, but for what is being written."""
        return float(id(self._file(path)) in self._writing) * 1_000_000

    def exists(self, path):
        return self.disk.find(path) is not None

    def entries(self, folder):
        for name, at in sorted(self._folder(folder).names.items()):
            yield name, isinstance(self.disk.nodes[at], Folder)

    def free(self, folder):
        self._folder(folder)
        return 1 << 40

    def _add(self, parent, name, node):
        self.disk.nodes.append(node)
        parent.change(added=name, node=len(self.disk.nodes) - 1)

    def _opened(self, node):
        descriptor = next(self._numbers)
        self._open[descriptor] = node
        return descriptor

    def _folder(self, path):
        found = self.disk.find(path)
        if not isinstance(found, Folder):
            raise _error(errno.ENOENT if found is None else errno.ENOTDIR, path)
        return found

    def _file(self, path):
        found = self.disk.find(path)
        if not isinstance(found, File):
            raise _error(errno.ENOENT, path)
        return found


def _error(number, path):
    return OSError(number, os.strerror(number), str(path))
