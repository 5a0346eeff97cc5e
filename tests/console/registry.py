# SPDX-License-Identifier: Apache-2.0
"""A registry over a real SQLite file behind its edge, without a socket; and how to push to one, with or without."""

import functools
import tempfile
from pathlib import Path

import httpx

from wharfinger.application import application
from wharfinger.metadata.sqlite import make_place
from wharfinger.settings import load, shown
from wharfinger.storage import migrate, sqlite_path


class Site:
    """A registry without a socket.

    Args:
        folder: where its data lie.
        environment: `REGISTRY_*` variables, without that beginning.
    """

    def __init__(self, folder, **environment):
        self._prefix = environment.get("HTTP_PREFIX", "").rstrip("/")
        named = {f"REGISTRY_{name}": value for name, value in environment.items()}
        root = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(folder), "REGISTRY_LOG_ACCESSLOG_DISABLED": "true"}
        loaded = load(None, {"REGISTRY_STORAGE_DELETE_ENABLED": "true", **root, **named})
        database = sqlite_path(loaded.settings)
        if database.exists():
            migrate(loaded.settings)
        else:
            make_place(database)
            database.write_bytes(_migrated())
        self.edge = application(loaded.settings, shown(loaded))

    async def __aenter__(self):
        await self.edge._started()
        return self

    async def __aexit__(self, *_):
        await self.edge._stopped()

    async def ask(self, path, method="GET", *, client="127.0.0.1", scheme="http", host="localhost:5000", **options):
        """Send one request, as a visitor at an address sends it, and return the answer."""
        transport = httpx.ASGITransport(self.edge, client=(client, 40_000), raise_app_exceptions=False)
        headers = [("Host", host), *options.pop("headers", {}).items()]
        async with httpx.AsyncClient(transport=transport) as http:
            return await http.request(method, f"{scheme}://registry.test{path}", headers=headers, **options)

    async def push(self, name, thing, *tags, **options):
        """Push an image, an index or an artifact under its tags, or under its digest alone."""
        headers = options.pop("headers", {})
        for method, path, content, media_type in requests(name, thing, *tags):
            answer = await self.ask(
                self._prefix + path, method, content=content, headers={"Content-Type": media_type, **headers}, **options
            )
            assert answer.status_code == 201, answer.text
        return thing


@functools.cache
def _migrated():
    """Return the file of an empty database: to copy it takes less than to make it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load(None, {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": folder}).settings
        migrate(settings)
        return Path(sqlite_path(settings)).read_bytes()


def push(url, name, thing, *tags, auth=None):
    """Push to a registry with a socket."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False, auth=auth) as http:
        for method, path, content, media_type in requests(name, thing, *tags):
            answer = http.request(method, path, content=content, headers={"Content-Type": media_type})
            assert answer.status_code == 201, answer.text
    return thing


def requests(name, thing, *tags):
    """Return what a client sends to push: method, path, body and its type."""
    for blob in thing.blobs:
        yield "POST", f"/v2/{name}/blobs/uploads/?digest={blob.digest}", blob.content, "application/octet-stream"
    named = [(manifest.digest, manifest) for manifest in thing.manifests] + [(tag, thing.manifest) for tag in tags]
    for reference, manifest in named:
        yield "PUT", f"/v2/{name}/manifests/{reference}", manifest.content, manifest.media_type
