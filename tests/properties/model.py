# SPDX-License-Identifier: Apache-2.0
"""What a registry is, in plain dictionaries: the other side of the comparison, sharing no code with the server.

```text
repositories  name → Repository(blobs, manifests, tags, what was deleted of them, history, rules)
trash         deleted repositories, in that order, with the names that they had
uploads       location → Upload(repository, name, content)
```

A method does to the dictionaries what a request does to a registry, and returns the status that must come back; what
an operator does from the shell returns nothing, or the name of the error.
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


IMMUTABLE = {
    "none": lambda _tag: False,
    "all": lambda _tag: True,
    "1*": lambda tag: tag.startswith("1"),
    "*, !latest": lambda tag: tag != "latest",
}
"""Rules that walks set, as they are written, and what they mean."""


@dataclass
class Repository:
    """One repository, as far as a client can see it."""

    blobs: dict = field(default_factory=dict)
    deleted: dict = field(default_factory=dict)
    """Blobs deleted by hand, in that order: HEAD does not link them here."""
    ended: set = field(default_factory=set)
    """Those of them whose time was ended, and that something still leads to."""
    manifests: dict = field(default_factory=dict)
    hidden: dict = field(default_factory=dict)
    """Manifests that were deleted, with the tags that went with each."""
    edges: set = field(default_factory=set)
    """Pairs of a manifest, deleted or not, and what of it was there at its push or came later."""
    tags: dict = field(default_factory=dict)
    history: dict = field(default_factory=dict)
    """Steps of each tag: what it named before and after."""
    moved: dict = field(default_factory=dict)
    """At which request each tag last moved."""
    rules: str = "none"
    deletable: bool = False
    listed: bool = False
    """It has had a manifest."""
    exists: bool = True

    def referred_to(self, digest):
        return any(digest in one.needs | one.lists for one in self.manifests.values())

    def take(self, content):
        digest = sha256(content)
        self.exists = True
        self.blobs[digest] = content
        self.deleted.pop(digest, None)
        self.ended.discard(digest)
        self.close_edges(digest)

    def documents(self):
        return [*self.manifests.values(), *(document for document, _ in self.hidden.values())]

    def close_edges(self, digest):
        """Something has come: what refers to it and was open leads to it from now on."""
        self.edges |= {(one.digest, digest) for one in self.documents() if digest in one.needs | one.lists}

    def is_kept(self, tag):
        return tag in self.tags and IMMUTABLE[self.rules](tag)

    def move(self, tag, digest, at):
        before = self.tags.get(tag)
        if before != digest:
            self.history.setdefault(tag, []).append((before, digest))
            self.tags[tag] = digest
        self.moved[tag] = at  # also when it was pushed again as it was

    def remove(self, tag):
        self.history[tag].append((self.tags.pop(tag), None))

    def show(self, digest):
        """Bring a hidden manifest back with what it leads to; return the tags that went with it."""
        document, tags = self.hidden.pop(digest)
        self.manifests[digest] = document
        self.close_edges(digest)
        # In the order in which they were deleted: that of a set differs from walk to walk.
        for below in [one for one in (*self.hidden, *self.deleted) if one in document.needs | document.lists]:
            if (digest, below) not in self.edges:
                continue
            if below in self.hidden:
                self.show(below)
            elif below in self.deleted:
                self.take(self.deleted[below])
        return tags

    def is_held(self, digest):
        """Something that is here, or in the trash, leads to it."""
        return any(below == digest for _, below in self.edges)

    def has_been_left(self, digest):
        return any(before == digest for steps in self.history.values() for before, _ in steps)

    def give_up(self, digest):
        """A manifest is gone for good, and with it whatever was only ever a part of it, or attached to it."""
        self.manifests.pop(digest, None)
        self.hidden.pop(digest, None)
        parts = {below for above, below in self.edges if above == digest}
        self.edges = {(above, below) for above, below in self.edges if above != digest}
        for one in [*self.manifests.values()]:
            belonged = one.digest in parts or one.subject == digest
            if belonged and one.digest in self.manifests and not self.has_reason_to_stay(one):
                self.give_up(one.digest)
        self.end_blobs()

    def has_reason_to_stay(self, document):
        """Something holds it: a tag, an index, what it is attached to; or a tag has named it, so it is no mere part."""
        attached = document.subject in {one.digest for one in self.documents()}
        tagged = document.digest in self.tags.values() or self.has_been_left(document.digest)
        return attached or tagged or self.is_held(document.digest)

    def end_blobs(self):
        for digest in [one for one in self.ended if not self.is_held(one)]:
            self.ended.remove(digest)
            del self.deleted[digest]


@dataclass
class Upload:
    """An unfinished upload."""

    repository: Repository
    name: str
    content: bytes = b""


class Model:
    """A registry with these repositories, all of which exist and are empty."""

    def __init__(self, names):
        self.repositories = {name: Repository() for name in names}
        self.trash = []
        self.uploads = {}
        self.steps = 0

    def start(self, name, location):
        self.repositories[name].exists = True
        self.uploads[location] = Upload(self.repositories[name], name)
        return 202

    def upload(self, location):
        """Return the upload, unless it ended or its repository is not the one of its name now."""
        found = self.uploads.get(location)
        return found if found is not None and self.repositories[found.name] is found.repository else None

    def offset(self, location):
        """Return how many bytes are there, or nothing if there is no such upload."""
        upload = self.upload(location)
        return None if upload is None else len(upload.content)

    def append(self, location, content, first):
        upload = self.upload(location)
        if upload is None:
            return 404
        if first is not None and first != len(upload.content):
            return 416
        upload.content += content
        return 202

    def cancel(self, location):
        if self.upload(location) is None:
            return 404
        del self.uploads[location]
        return 204

    def finish(self, location, digest, content):
        upload = self.upload(location)
        if upload is None:
            return 404
        del self.uploads[location]
        return self.push(upload.name, digest, upload.content + content)

    def push(self, name, digest, content):
        self.repositories[name].exists = True
        if sha256(content) != digest:
            return 400
        self.repositories[name].take(content)
        return 201

    def mount(self, name, digest, source):
        sources = self.repositories.values() if source is None else [self.repositories[source]]
        found = next((one.blobs[digest] for one in sources if digest in one.blobs), None)
        self.repositories[name].exists = True
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
        if elsewhere is not None and digest not in repository.deleted and repository.exists:
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
        repository.deleted[digest] = repository.blobs.pop(digest)
        return 202

    def put(self, name, document, digest, tags):
        """Store a manifest under tags, and under a digest that may be the wrong one."""
        repository = self.repositories[name]
        if digest not in {None, document.digest}:
            return 400
        if not document.needs <= set(repository.blobs):
            return 404
        if any(repository.is_kept(tag) and repository.tags[tag] != document.digest for tag in tags):
            return 403
        if document.digest not in repository.manifests:
            is_new = repository.hidden.pop(document.digest, None) is None
            repository.manifests[document.digest] = document
            there = document.needs | document.lists if is_new else frozenset()
            there &= repository.blobs.keys() | repository.manifests.keys()
            repository.edges |= {(document.digest, below) for below in there}
            repository.close_edges(document.digest)
        self.steps += 1
        for tag in dict.fromkeys(tags):
            repository.move(tag, document.digest, self.steps)
        repository.listed = repository.exists = True
        return 201

    def find(self, name, reference):
        """Return the manifest that a tag or digest names, or nothing."""
        repository = self.repositories[name]
        return repository.manifests.get(repository.tags.get(reference, reference))

    def delete_tag(self, name, tag):
        repository = self.repositories[name]
        if tag not in repository.tags:
            return 404
        if repository.is_kept(tag) and not repository.deletable:
            return 403
        repository.remove(tag)
        return 202

    def delete_manifest(self, name, digest):
        repository = self.repositories[name]
        if digest not in repository.manifests:
            return 404
        if any(digest in one.lists for one in repository.manifests.values()):
            return 405
        tags = [tag for tag, named in repository.tags.items() if named == digest]
        if any(repository.is_kept(tag) for tag in tags) and not repository.deletable:
            return 403
        for tag in tags:
            repository.remove(tag)
        gone = {tag: len(repository.history[tag]) for tag in tags}
        repository.hidden[digest] = (repository.manifests.pop(digest), gone)
        return 202

    def restore_tag(self, name, tag, to):
        """Undo the last step of a tag, or go back to what it has named."""
        repository = self.repositories[name]
        steps = repository.history.get(tag, [])
        if not repository.listed and not repository.exists:
            return "NameUnknown"
        wanted = to or (steps[-1][0] if steps else None)
        if wanted is None or (to and to not in {after for _, after in steps}):
            return "ManifestUnknown"
        if wanted not in repository.manifests and wanted not in repository.hidden:
            return "ContentGone"
        if repository.is_kept(tag) and repository.tags[tag] != wanted:
            return "TagImmutable"
        if wanted in repository.hidden:
            repository.show(wanted)
        self.steps += 1
        repository.move(tag, wanted, self.steps)
        return None

    def restore_manifest(self, name, digest):
        repository = self.repositories[name]
        if digest not in repository.hidden:
            return "ManifestUnknown" if repository.exists else "NameUnknown"
        self.steps += 1
        for tag, steps in repository.show(digest).items():
            if tag not in repository.tags and len(repository.history[tag]) == steps:
                repository.move(tag, digest, self.steps)
        return None

    def purge(self, name, digest):
        """End the time of a blob, or of a manifest that nothing leads to, and collect."""
        repository = self.repositories[name]
        if not repository.exists:
            return "NameUnknown"
        if digest in repository.hidden:
            repository.give_up(digest)
        elif digest in repository.deleted.keys() - repository.ended:
            repository.ended.add(digest)
            repository.end_blobs()
        else:
            return "BlobUnknown"
        return None

    def purge_repository(self, name):
        """End the time of the repository of that name that was deleted last, and collect."""
        found = next((pair for pair in reversed(self.trash) if pair[0] == name), None)
        if found is None:
            return "NameUnknown"
        self.trash.remove(found)
        return None

    def retain(self, name, newest, about):
        """Let go of all tags that a rule is about but the newest; of those that moved at once, the first by name."""
        repository = self.repositories[name]
        if not repository.exists:
            return "NameUnknown"
        tags = sorted((tag for tag in repository.tags if about(tag)), key=lambda tag: (-repository.moved[tag], tag))
        for tag in tags[newest:]:
            if not repository.is_kept(tag) or repository.deletable:
                repository.remove(tag)
        return None

    def restore_blob(self, name, digest):
        repository = self.repositories[name]
        if digest not in repository.deleted:
            return "BlobUnknown"
        if digest in repository.ended:
            return "ContentGone"
        repository.take(repository.deleted[digest])
        return None

    def set_rules(self, name, rules, deletable):
        repository = self.repositories[name]
        if not repository.exists:
            return "NameUnknown"
        repository.rules, repository.deletable = rules, deletable
        return None

    def delete_repository(self, name):
        repository = self.repositories[name]
        if not repository.exists:
            return "NameUnknown"
        self.trash.append((name, repository))
        self.repositories[name] = Repository(exists=False)
        return None

    def restore_repository(self, name, new_name):
        """Bring back the repository of that name that was deleted last."""
        found = next((pair for pair in reversed(self.trash) if pair[0] == name), None)
        if found is None:
            return "NameUnknown"
        wanted = new_name or name
        if self.repositories[wanted].exists:
            return "NameTaken"
        self.trash.remove(found)
        self.repositories[wanted] = found[1]
        return None

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
