# SPDX-License-Identifier: Apache-2.0
"""What must hold at every moment, whatever happened before: asked of the rows and of the bytes themselves.

1. Every object in the store, finished or not, is named by a row: of a blob, an upload, or a tombstone.
2. Every blob that is served has its bytes, and no tombstone waits for them.
3. An upload has at least the bytes that its offset promises.
4. A tag leads to a live manifest with its own bytes, and a live manifest's blobs are still of its repository.
5. No edge is open to content that the repository has.
6. The history of a tag is a chain that ends where the tag is.
"""

import itertools
import json
from collections import defaultdict

from sqlalchemy import text

from wharfinger.blobstore.base import KeyUnknown, checked_key
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.blobstore.guarded import GuardedBlobStore
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.domain.digests import Digest, Hasher, algorithm_of, digest_of
from wharfinger.services.storages import OWN


async def assert_invariants(database, store, *, registry_id=1):
    """Raise with everything that does not hold."""
    complaints = await broken_invariants(database, store, registry_id=registry_id)
    assert not complaints, "\n".join(complaints)


async def broken_invariants(database, store, *, registry_id=1):
    """Return a sentence for everything that does not hold; nothing may be under way meanwhile."""
    rows = await database.read(lambda connection: _rows(connection, registry_id))
    return [
        *_unnamed(rows, objects(store)),
        *[complaint for blob in rows["blobs"] async for complaint in _without_bytes(store, blob)],
        *[complaint for upload in rows["uploads"] async for complaint in _short(store, upload)],
        *_buried_alive(rows),
        *_broken_images(rows),
        *_open_edges(rows),
        *_broken_chains(rows),
    ]


def objects(store):
    """Return every key under which the store has bytes of blobs, unfinished ones included."""
    match store:
        case GuardedBlobStore():
            return objects(store._inner)
        case MemoryBlobStore():
            return {key for key in (*store._finished, *store._unfinished) if not key.startswith(OWN)}
        case FilesystemBlobStore():
            files = (path for path in store._root.rglob("*") if path.is_file())
            found = {str(path.relative_to(store._root)).removesuffix(".part") for path in files}
            return {key for key in found if not key.startswith(OWN)}
        case _:
            return objects(store.inner)


SELECTS = {
    "blobs": "SELECT * FROM blobs WHERE registry_id = :registry",
    "uploads": "SELECT * FROM uploads WHERE registry_id = :registry",
    "tombstones": "SELECT * FROM tombstones WHERE registry_id = :registry",
    "memberships": "SELECT m.*, b.digest FROM repository_blobs m JOIN blobs b ON b.id = m.blob_id",
    "manifests": "SELECT * FROM manifests",
    "edges": "SELECT e.*, m.deleted_at FROM manifest_references e JOIN manifests m ON m.id = e.manifest_id",
    "tags": "SELECT t.*, m.digest, m.deleted_at FROM tags t JOIN manifests m ON m.id = t.manifest_id",
    "history": "SELECT * FROM tag_history ORDER BY id",
}


def _rows(connection, registry_id):
    return {
        name: [row._mapping for row in connection.execute(text(sql), {"registry": registry_id} if ":" in sql else {})]
        for name, sql in SELECTS.items()
    }


def _unnamed(rows, keys):
    named = {row["store_key"] for name in ("blobs", "uploads", "tombstones") for row in rows[name]}
    return [f"no row names the object {key}" for key in sorted(keys - named)]


async def _without_bytes(store, blob):
    if blob["state"] != "live":
        return
    hasher = Hasher(algorithm_of(Digest(blob["digest"])))
    try:
        async for piece in store.open(checked_key(blob["store_key"]), 0, blob["size"]):
            hasher.update(piece)
        size = await store.stat(checked_key(blob["store_key"]))
    except KeyUnknown:
        yield f"the blob {blob['digest']} has no bytes under {blob['store_key']}"
        return
    if hasher.digest() != blob["digest"] or size != blob["size"]:
        yield f"the bytes of the blob {blob['digest']} are not its own"


async def _short(store, upload):
    if upload["writer_state"] is None:
        return
    try:
        pieces = store.open_unfinished(checked_key(upload["store_key"]), json.loads(upload["writer_state"]))
        size = sum([len(piece) async for piece in pieces])
    except KeyUnknown:
        size = 0
    # Bytes that were finished when the database failed are there under their final name.
    if size < upload["offset"] and upload["store_key"] not in objects(store):
        yield f"the upload {upload['id']} promises {upload['offset']} bytes and has {size}"


def _buried_alive(rows):
    live = {row["store_key"] for row in rows["blobs"]}
    return [
        f"a tombstone waits for {row['store_key']}, a blob's" for row in rows["tombstones"] if row["store_key"] in live
    ]


def _broken_images(rows):
    here = {(row["repository_id"], row["blob_id"]) for row in rows["memberships"] if row["unlinked_at"] is None}
    for tag in rows["tags"]:
        if tag["deleted_at"] is not None:
            yield f"the tag {tag['name']} leads to a deleted manifest"
    for manifest in rows["manifests"]:
        content = bytes(manifest["content"])
        if digest_of(content, algorithm_of(Digest(manifest["digest"]))) != manifest["digest"]:
            yield f"the bytes of the manifest {manifest['digest']} are not its own"
    for edge in rows["edges"]:
        leads = edge["blob_id"] is not None and edge["deleted_at"] is None
        if leads and (edge["repository_id"], edge["blob_id"]) not in here:
            yield f"the repository of a live manifest does not have its blob {edge['digest']}"


def _open_edges(rows):
    here = {(row["repository_id"], row["digest"]) for row in rows["memberships"] if row["unlinked_at"] is None}
    here |= {(row["repository_id"], row["digest"]) for row in rows["manifests"] if row["deleted_at"] is None}
    for edge in rows["edges"]:
        is_open = edge["blob_id"] is None and edge["child_id"] is None
        # A layer that names the digest of a manifest is open for ever: only blobs count as layers.
        if is_open and (edge["repository_id"], edge["digest"]) in here:
            yield f"an edge to {edge['digest']} is open, and the content is here"


def _broken_chains(rows):
    now = {(row["repository_id"], row["name"]): row["digest"] for row in rows["tags"]}
    steps = defaultdict(list)
    for row in rows["history"]:
        steps[row["repository_id"], row["name"]].append((row["from_digest"], row["to_digest"]))
    for key in now.keys() | steps.keys():
        chain = [(None, None), *steps[key], (now.get(key), None)]
        for (_, left), (came, _) in itertools.pairwise(chain):
            if left != came:
                yield f"the history of the tag {key[1]} breaks: it was at {left}, and next it came from {came}"
