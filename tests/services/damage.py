# SPDX-License-Identifier: Apache-2.0
"""Harm done to a store and to rows behind the registry's back."""

from sqlalchemy import select, text, update

from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.metadata.schema import blobs, manifests


async def key_of(node, digest):
    """Return the key under which the store has a blob's bytes."""
    return await node.database.read(
        lambda c: c.execute(select(blobs.c.store_key).where(blobs.c.digest == digest)).scalar()
    )


async def change(node, *statements):
    """Run statements, text or not, behind the registry's back."""

    def work(connection):
        for statement in statements:
            connection.execute(text(statement) if isinstance(statement, str) else statement)

    await node.database.write(work)


async def state_of(node, digest):
    """Return what the row says of a blob."""
    return await node.database.read(lambda c: c.execute(select(blobs.c.state).where(blobs.c.digest == digest)).scalar())


def put_bytes(store, key, content):
    """Have the store hold these bytes under the key; nothing removes them."""
    if isinstance(store, FilesystemBlobStore):
        path = store.path(key)
        if content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    elif content is None:
        del store._finished[key]
    else:
        store._finished[key] = content


def get_bytes(store, key):
    """Return the bytes that the store holds under the key."""
    return store.path(key).read_bytes() if isinstance(store, FilesystemBlobStore) else store._finished[key]


async def damage(node, digest, change):
    """Replace a blob's bytes by what `change` makes of them; nothing removes them."""
    key = await key_of(node, digest)
    put_bytes(node.store, key, change(get_bytes(node.store, key)))


async def damage_manifest(node, digest, content):
    """Replace the stored bytes of a manifest."""
    await change(node, update(manifests).where(manifests.c.digest == digest).values(content=content))


def flip(content):
    """Return the bytes with one bit turned."""
    return bytes([content[0] ^ 1]) + content[1:]


def cut(content):
    """Return the bytes without the last one."""
    return content[:-1]


def zero(content):
    """Return as many zeros."""
    return bytes(len(content))


def longer(content):
    """Return the bytes and one more."""
    return content + b"!"


def gone(_content):
    """Return nothing."""
    return
