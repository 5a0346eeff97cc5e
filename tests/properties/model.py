# SPDX-License-Identifier: Apache-2.0
"""What a registry is, in plain dictionaries: the other side of the comparison, sharing no code with the server.

```text
repositories  name → Repository(blobs, deleted, manifests, tags, listed)
uploads       location → Upload(repository, content)
```

A method does to the dictionaries what a request does to a registry, and returns the status that must come back.
"""

import hashlib
import json
from dataclasses import dataclass, field

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content, media_type, **more):
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content), **more}


@dataclass(frozen=True)
class Document:
    """A manifest: its bytes, and what they say."""

    content: bytes
    media_type: str
    needs: frozenset
    """Digests that must be in the repository before it."""
    lists: frozenset
    """Digests that an index lists, there or not."""
    subject: str | None
    artifact_type: str | None

    @property
    def digest(self):
        return sha256(self.content)

    @property
    def descriptor(self):
        return descriptor(self.content, self.media_type)


def image(config, layers, subject=None, artifact_type=None):
    """Return an image manifest of these bytes."""
    entries = [descriptor(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers]
    fields = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": entries,
    }
    kind = artifact_type or fields["config"]["mediaType"]
    needs = frozenset(entry["digest"] for entry in [fields["config"], *entries])
    return _document(fields, needs, frozenset(), subject, artifact_type, kind)


def index(entries, subject=None, artifact_type=None, salt=""):
    """Return an index of these descriptors."""
    fields = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, "annotations": {"salt": salt}}
    lists = frozenset(entry["digest"] for entry in entries)
    return _document(fields, frozenset(), lists, subject, artifact_type, artifact_type)


def _document(fields, needs, lists, subject, artifact_type, kind):
    fields |= {"artifactType": artifact_type} if artifact_type else {}
    fields |= {"subject": subject} if subject else {}
    content = json.dumps(fields).encode()
    return Document(content, fields["mediaType"], needs, lists, subject and subject["digest"], kind)


@dataclass
class Repository:
    """One repository, as far as a client can see it."""

    blobs: dict = field(default_factory=dict)
    deleted: dict = field(default_factory=dict)
    """Blobs deleted by hand, in that order: HEAD does not link them here."""
    manifests: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    listed: bool = False
    """It has had a manifest."""

    def referred_to(self, digest):
        return any(digest in one.needs | one.lists for one in self.manifests.values())

    def take(self, content):
        digest = sha256(content)
        self.blobs[digest] = content
        self.deleted.pop(digest, None)


@dataclass
class Upload:
    """An unfinished upload."""

    repository: str
    content: bytes = b""


class Model:
    """A registry with these repositories, all of which exist and are empty."""

    def __init__(self, names):
        self.repositories = {name: Repository() for name in names}
        self.uploads = {}

    def start(self, name, location):
        self.uploads[location] = Upload(name)
        return 202

    def offset(self, location):
        """Return how many bytes are there, or nothing if there is no such upload."""
        upload = self.uploads.get(location)
        return None if upload is None else len(upload.content)

    def append(self, location, content, first):
        upload = self.uploads.get(location)
        if upload is None:
            return 404
        if first is not None and first != len(upload.content):
            return 416
        upload.content += content
        return 202

    def cancel(self, location):
        return 404 if self.uploads.pop(location, None) is None else 204

    def finish(self, location, digest, content):
        upload = self.uploads.pop(location, None)
        return 404 if upload is None else self.push(upload.repository, digest, upload.content + content)

    def push(self, name, digest, content):
        if sha256(content) != digest:
            return 400
        self.repositories[name].take(content)
        return 201

    def mount(self, name, digest, source):
        sources = self.repositories.values() if source is None else [self.repositories[source]]
        found = next((one.blobs[digest] for one in sources if digest in one.blobs), None)
        if found is None:
            return 202
        self.repositories[name].take(found)
        return 201

    def head_blob(self, name, digest):
        """Look for a blob, and link it if another repository has it and nobody deleted it here."""
        repository = self.repositories[name]
        if digest in repository.blobs:
            return 200
        elsewhere = next((one.blobs[digest] for one in self.repositories.values() if digest in one.blobs), None)
        if elsewhere is not None and digest not in repository.deleted:
            repository.take(elsewhere)
            return 200
        return 200 if digest in repository.manifests else 404

    def read_blob(self, name, digest):
        """Return the bytes, or nothing."""
        repository = self.repositories[name]
        document = repository.manifests.get(digest)
        return repository.blobs.get(digest, document and document.content)

    def delete_blob(self, name, digest):
        repository = self.repositories[name]
        if digest not in repository.blobs:
            return 404
        if repository.referred_to(digest):
            return 405
        del repository.blobs[digest]
        repository.deleted[digest] = True
        return 202

    def put(self, name, document, digest, tags):
        """Store a manifest under tags, and under a digest that may be the wrong one."""
        repository = self.repositories[name]
        if digest not in {None, document.digest}:
            return 400
        if not document.needs <= set(repository.blobs):
            return 404
        repository.manifests[document.digest] = document
        repository.tags |= dict.fromkeys(tags, document.digest)
        repository.listed = True
        return 201

    def find(self, name, reference):
        """Return the manifest that a tag or digest names, or nothing."""
        repository = self.repositories[name]
        return repository.manifests.get(repository.tags.get(reference, reference))

    def delete_tag(self, name, tag):
        return 404 if self.repositories[name].tags.pop(tag, None) is None else 202

    def delete_manifest(self, name, digest):
        repository = self.repositories[name]
        if digest not in repository.manifests:
            return 404
        if any(digest in one.lists for one in repository.manifests.values()):
            return 405
        del repository.manifests[digest]
        repository.tags = {tag: named for tag, named in repository.tags.items() if named != digest}
        return 202

    def list_tags(self, name, last="", n=None):
        """Return the names after `last` in byte order, or nothing for a repository that nobody lists yet."""
        repository = self.repositories[name]
        found = sorted(tag for tag in repository.tags if tag > last)
        return (found if n is None else found[:n]) if repository.listed else None

    def catalog(self):
        return sorted(name for name, repository in self.repositories.items() if repository.listed)

    def referrers(self, name, subject, artifact_types=()):
        """Return digest and artifact type of what names the subject."""
        return {
            (one.digest, one.artifact_type)
            for one in self.repositories[name].manifests.values()
            if one.subject == subject and (not artifact_types or one.artifact_type in artifact_types)
        }
