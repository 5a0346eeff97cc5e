# SPDX-License-Identifier: Apache-2.0
"""The storages that the operator declared, and to which registry each belongs.

```text
own/registry            the mark of the registry that has this storage (`registries.mark`)
own/inventory-…         what a deleted registry left: see `inventories`
3f/3f2a…                bytes
```

A storage serves one registry. The database says which; the mark says it too, to every other database: a directory that
is declared twice, in two deployments or under two names, is refused by the second one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.blobstore.absent import AbsentBlobStore
from wharfinger.blobstore.base import BlobStore, KeyTaken, KeyUnknown, StoreKey, checked_key
from wharfinger.domain.errors import RegistryConflict, RegistryInvalid, StoreUnavailable
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.sentences import Sentence

OWN: Final = "own/"
"""Before every key that names no blob; keys of blobs begin with two characters and a slash."""
MARK: Final = checked_key(f"{OWN}registry")
_LONGEST_MARK: Final = 200
_PAUSES: Final = (0.05, 0.2, 0.5)
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A storage that was declared.

    Args:
        name: in the settings, and in the list that a new registry chooses from.
        place: where it is, for operators.
        store: opened.
    """

    name: str
    place: str
    store: BlobStore


class Storages:
    """Every storage of the settings, opened."""

    def __init__(self, declared: Sequence[Storage]) -> None:
        self._declared = {one.name: one for one in declared}
        self._refused: dict[str, AbsentBlobStore] = {}

    def all(self) -> Sequence[Storage]:
        """Return them in the order of the settings."""
        return tuple(self._declared.values())

    def find(self, name: str) -> Storage | None:
        """Return the storage of that name, if it is declared."""
        return self._declared.get(name)

    def store_of(self, name: str) -> BlobStore:
        """Return the store of a storage; one that answers nothing if it is not declared, or is another registry's."""
        refused = self._refused.get(name)
        if refused is not None:
            return refused
        found = self._declared.get(name)
        if found is not None:
            return found.store
        reason = Sentence("The storage %(name)s of this registry is not among the settings of this node.", name=name)
        return self._refuse(name, reason)

    def problem_of(self, name: str) -> Sentence | None:
        """Say why the storage cannot be used, if that is known."""
        store = self.store_of(name)
        return store.reason if isinstance(store, AbsentBlobStore) else None

    async def check_mark(self, name: str, mark: str, *, has_blobs: bool) -> bool:
        """Hold the mark of a storage against its registry's, and mark it if nobody has; say whether it is right.

        One that is another registry's is not used by this process from here on. Neither is one that is as empty as the
        folder of a disk that is not mounted, if its registry has blobs: every one of them would be found missing.

        Args:
            name: of the storage.
            mark: of its registry.
            has_blobs: whether rows of that name bytes.
        """
        storage = self._declared.get(name)
        if storage is None:
            return False
        if has_blobs and await read_mark(storage.store) is None and not await holds_bytes(storage.store):
            reason = Sentence(
                "The storage %(name)s is empty, and its registry has blobs: is the disk mounted?", name=name
            )
            self._refuse(name, reason)
            return False
        if await _marked(storage.store, mark) == mark:
            self._refused.pop(name, None)
            return True
        self._refuse(
            name, Sentence("The storage %(name)s belongs to another registry, or to another deployment.", name=name)
        )
        return False

    def _refuse(self, name: str, reason: Sentence) -> AbsentBlobStore:
        return self._refused.setdefault(name, AbsentBlobStore(reason))


async def read_mark(store: BlobStore) -> str | None:
    """Return the mark of the registry that has the storage, if one has."""
    try:
        size = await store.stat(MARK)
        content = b"".join([piece async for piece in store.open(MARK, 0, min(size, _LONGEST_MARK))])
    except KeyUnknown:
        return None
    return content.decode("ascii", "replace").strip()


async def _marked(store: BlobStore, mark: str) -> str | None:
    """Return the mark of a storage, and mark it first if nobody has."""
    for pause in _PAUSES:
        try:
            return await _marked_at_once(store, mark)
        except StoreUnavailable:  # the processes of a new node start together, and one of them is marking it
            await asyncio.sleep(pause)
    return await _marked_at_once(store, mark)


async def _marked_at_once(store: BlobStore, mark: str) -> str | None:
    found = await read_mark(store)
    if found is None:
        await write_mark(store, mark)
        found = await read_mark(store)
    return found


async def write_mark(store: BlobStore, mark: str) -> None:
    """Mark a storage that nobody has; a mark that is there stays."""
    try:
        writer = await store.begin(MARK)
    except KeyTaken:
        return
    try:
        await writer.write([f"{mark}\n".encode()])
        await writer.commit()
    except BaseException:
        await writer.abort()
        raise


async def remove_mark(store: BlobStore, mark: str) -> None:
    """Take a registry's mark away, so that no power failure brings it back; the mark of another one stays."""
    if await read_mark(store) in {mark, None}:
        await store.delete(MARK)
        await store.settle([MARK])


async def replace_mark(store: BlobStore, mark: str) -> None:
    """Have a storage bear this mark, whatever it bore: what had it before is replaced as a whole."""
    found = await read_mark(store)
    if found not in {mark, None}:
        await remove_mark(store, found or "")
    await write_mark(store, mark)


async def claim(storage: Storage, mark: str) -> None:
    """Mark a storage for a registry.

    Raises:
        RegistryConflict: it is another one's.
        StoreUnavailable, StoreFull: it cannot be used.
    """
    await storage.store.check()
    await write_mark(storage.store, mark)
    if await read_mark(storage.store) != mark:
        message = Sentence(
            "The storage %(name)s belongs to another registry, perhaps of another deployment: its mark says so.",
            name=storage.name,
        )
        raise RegistryConflict(message)


async def holds_bytes(store: BlobStore) -> bool:
    """Say whether there is anything besides what is written here."""
    async for key in store.keys():
        if not key.startswith(OWN):
            return True
    return False


def is_own(key: StoreKey) -> bool:
    """Say whether a key names something of the storage itself, and no bytes of a blob."""
    return key.startswith(OWN)


async def require_empty(storage: Storage) -> None:
    """Refuse a storage in which there are bytes, for a registry that finds no inventory there.

    Raises:
        RegistryInvalid: there are.
    """
    if await holds_bytes(storage.store):
        message = Sentence(
            "The storage %(name)s holds bytes, and nothing says what they are: empty it, or declare another directory.",
            name=storage.name,
        )
        raise RegistryInvalid(message)


async def require_mark(storage: Storage, mark: str) -> None:
    """Refuse a storage that is not the registry's: its inventory has to lie beside its images.

    Raises:
        StoreUnavailable: it has another mark, or none.
    """
    if await read_mark(storage.store) != mark:
        message = Sentence(
            "The storage %(name)s does not bear the mark of its registry: another directory is there, or none.",
            name=storage.name,
        )
        raise StoreUnavailable(message)


def unknown_storage(name: str, storages: Storages) -> Sentence:
    """Say that there is no such storage, and which there are."""
    known = ", ".join(one.name for one in storages.all() if one.name != DEFAULT_REGISTRY)
    if known:
        return Sentence("There is no storage %(name)r: there are %(known)s.", name=name[:60], known=known)
    return Sentence(
        "There is no storage %(name)r: none is declared besides that of `default`: add one to `storages`.",
        name=name[:60],
    )
