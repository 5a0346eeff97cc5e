# SPDX-License-Identifier: Apache-2.0
"""A registry and its model, driven by the same random walk, must never differ in anything a client can see.

Walks push and delete as clients do. As an operator does they restore, purge and collect, delete repositories, set rules
for tags, and run policies of retention.

Held after each step: INV-17 and INV-19 (each tag once, and naming a manifest that can be fetched) for the repository
that was touched. Held at the end of each walk, for everything: INV-04 and INV-06 (bytes are what their digest says and
what was put), INV-08 (HEAD says what GET does), INV-20 (pages hold the sorted list, once).
"""

import itertools
from contextlib import closing

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.properties.model import IMMUTABLE, Model, descriptor, image, index, sha256
from tests.properties.shell import OPERATOR, Shell, configured
from tests.protocol.client import OCTETS, Client, digest_of, with_digest
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.policies.retention import make_policy, make_rule
from wharfinger.domain.trash import Trashed
from wharfinger.services.repositories import RepositoryChange

PLACES = ("a", "a-b", "a/b")
PATTERNS = {
    "*": lambda _tag: True,
    "1*, !10": lambda tag: tag.startswith("1") and tag != "10",
    "a*": lambda tag: tag.startswith("a"),
}
"""Of which tags a policy says something, as it is written, and what that means."""
TAGS = ["1", "1.0", "1.0-rc", "10", "A", "a", "a.b", "a_b", "latest"]
BLOBS = range(5)
KINDS = [None, "application/vnd.example.one", "application/vnd.example.two"]
places, tags, blobs, kinds = (st.sampled_from(one) for one in (PLACES, TAGS, BLOBS, KINDS))
mostly = st.sampled_from([True, True, True, True, False])
numbers = itertools.count(1)
"""Each walk has repositories and bytes of its own: the registry is the same for all of them."""


class Walk(RuleBasedStateMachine):
    """One walk over three repositories of a registry that other walks have used before."""

    documents = Bundle("documents")
    uploads = Bundle("uploads")
    client: Client
    shell: Shell

    def __init__(self):
        super().__init__()
        self.prefix = f"walk-{next(numbers):06}"
        self.model = Model([self.name(place) for place in PLACES])
        self.touched = self.name("a")
        for name in self.model.repositories:
            location = self.client.repository(name).location()
            assert self.client.request("DELETE", location).status_code == 204

    def name(self, place):
        return f"{self.prefix}/{place}"

    def at(self, place):
        self.touched = self.name(place)
        return self.touched, self.client.repository(self.touched)

    def choose(self, data, there, otherwise):
        """Draw mostly from what is there, in the order in which it came: digests differ from walk to walk."""
        return data.draw(st.sampled_from(list(there))) if there and data.draw(mostly) else otherwise

    def bytes_of(self, blob):
        return f"{self.prefix} blob {blob} ".encode() * (blob + 1)

    @initialize(target=documents, full=st.sampled_from(PLACES), stock=st.sets(blobs))
    def fill(self, full, stock):
        """Begin with one repository that has everything, and one that has some blobs."""
        small, large = image(self.bytes_of(0), [self.bytes_of(1)]), image(self.bytes_of(1), [self.bytes_of(2)] * 2)
        signed = image(self.bytes_of(3), [], subject=small.descriptor, artifact_type=KINDS[1])
        counted = image(self.bytes_of(2), [], subject=small.descriptor, artifact_type=KINDS[2])
        both = index([small.descriptor, large.descriptor], salt=self.prefix)
        cache = index([descriptor(self.bytes_of(4), "application/vnd.example.cache")], salt=self.prefix)
        nested = index([both.descriptor, counted.descriptor], subject=large.descriptor)
        for blob in BLOBS:
            self.push_blob(full, blob, right=True)
        for tag, document in zip(TAGS, (small, large, signed, counted, both, cache), strict=False):
            self.put_manifest(full, document, [tag], "digest")
        for blob in sorted(stock):
            self.push_blob(PLACES[PLACES.index(full) - 1], blob, right=True)
        return multiple(small, large, signed, counted, both, cache, nested)

    @rule(place=places, blob=blobs, right=mostly)
    def push_blob(self, place, blob, right):
        name, repository = self.at(place)
        content = self.bytes_of(blob)
        digest = digest_of(content) if right else digest_of(content + b"!")
        target = with_digest(f"{repository.path}/blobs/uploads/", digest)
        response = self.client.request("POST", target, content=content, headers=OCTETS)
        assert response.status_code == self.model.push(name, digest, content)

    @rule(place=places, blob=blobs, source=st.none() | places)
    def mount_blob(self, place, blob, source):
        name, repository = self.at(place)
        digest = digest_of(self.bytes_of(blob))
        origin = source and self.name(source)
        response = repository.start(mount=digest, **({"from": origin} if origin else {}))
        assert response.status_code == self.model.mount(name, digest, origin)
        if response.status_code == 202:
            assert self.client.request("DELETE", response.headers["Location"]).status_code == 204

    @rule(place=places, blob=blobs, data=st.data())
    def head_blob(self, place, blob, data):
        """Look for a blob, preferably for one that was deleted here."""
        name, repository = self.at(place)
        digest = self.choose(data, self.model.repositories[name].deleted, digest_of(self.bytes_of(blob)))
        assert repository.blob("HEAD", digest).status_code == self.model.head_blob(name, digest)
        assert repository.blob("GET", digest).status_code == (200 if self.model.read_blob(name, digest) else 404)

    @rule(place=places, blob=blobs, first=st.integers(0, 200), length=st.integers(1, 200))
    def read_range(self, place, blob, first, length):
        name, repository = self.at(place)
        digest = digest_of(self.bytes_of(blob))
        response = repository.blob("GET", digest, headers={"Range": f"bytes={first}-{first + length - 1}"})
        content = self.model.read_blob(name, digest)
        if content is None:
            assert response.status_code == 404
        elif first < len(content):
            assert (response.status_code, response.content) == (206, content[first : first + length])
        else:
            assert response.status_code == 416

    @rule(place=places, blob=blobs, data=st.data())
    def delete_blob(self, place, blob, data):
        name, repository = self.at(place)
        digest = self.choose(data, self.model.repositories[name].blobs, digest_of(self.bytes_of(blob)))
        assert repository.blob("DELETE", digest).status_code == self.model.delete_blob(name, digest)

    @rule(target=uploads, place=places, blob=blobs)
    def start_upload(self, place, blob):
        name, repository = self.at(place)
        location = repository.location()
        self.model.start(name, location)
        return location, blob

    @rule(upload=uploads, length=st.integers(1, 120), shift=st.sampled_from([0, 0, 0, None, 1, -1]))
    def append(self, upload, length, shift):
        location, blob = upload
        offset = self.model.offset(location) or 0
        chunk = self.bytes_of(blob)[offset : offset + length]
        first = None if shift is None else max(0, offset + shift)
        response = self.client.repository("-").patch(location, chunk, first if chunk else None)
        assert response.status_code == self.model.append(location, chunk, first if chunk else None)
        self.check_standing(location, response)

    @rule(upload=uploads)
    def ask_where_it_stands(self, upload):
        response = self.client.get(upload[0])
        assert response.status_code == (404 if self.model.offset(upload[0]) is None else 204)
        self.check_standing(upload[0], response)

    def check_standing(self, location, response):
        if response.status_code != 404:
            assert response.headers["Range"] == f"0-{max(0, self.model.offset(location) - 1)}"

    @rule(upload=uploads)
    def cancel_upload(self, upload):
        assert self.client.request("DELETE", upload[0]).status_code == self.model.cancel(upload[0])

    @rule(upload=uploads, with_rest=mostly, right=mostly)
    def finish_upload(self, upload, with_rest, right):
        location, blob = upload
        content, offset = self.bytes_of(blob), self.model.offset(location) or 0
        rest = content[offset:] if with_rest else b""
        digest = digest_of(content[:offset] + rest if right else b"something else")
        response = self.client.repository("-").finish(location, digest, rest)
        assert response.status_code == self.model.finish(location, digest, rest)

    @rule(target=documents, config=blobs, layers=st.lists(blobs, max_size=3), kind=kinds)
    def write_image(self, config, layers, kind):
        return image(self.bytes_of(config), [self.bytes_of(layer) for layer in layers], artifact_type=kind)

    @rule(target=documents, config=blobs, subject=documents, kind=kinds)
    def write_referrer(self, config, subject, kind):
        return image(self.bytes_of(config), [], subject=subject.descriptor, artifact_type=kind)

    @rule(target=documents, children=st.lists(documents, max_size=3), layers=st.lists(blobs, max_size=1), kind=kinds)
    def write_index(self, children, layers, kind):
        entries = [child.descriptor for child in children]
        entries += [descriptor(self.bytes_of(layer), "application/vnd.example.cache") for layer in layers]
        return index(entries, artifact_type=kind, salt=self.prefix)

    @rule(
        place=places,
        document=documents,
        under=st.lists(tags, max_size=3),
        by=st.sampled_from(["digest", "tag", "digest", "tag", "wrong"]),
    )
    def put_manifest(self, place, document, under, by):
        name, repository = self.at(place)
        if by == "tag":
            first, digest = under[0] if under else "latest", None
        else:
            first = digest = document.digest if by == "digest" else sha256(document.content + b" ")
        response = repository.put(first, document.content, document.media_type, params={"tag": under})
        named = under if digest else [first, *under]
        assert response.status_code == self.model.put(name, document, digest, named), response.text

    @rule(place=places, document=documents, blob=blobs, tag=tags)
    def push_image(self, place, document, blob, tag):
        """Push as clients do: what the manifest needs first, then the manifest under a tag."""
        for one in sorted({blob, *(one for one in BLOBS if sha256(self.bytes_of(one)) in document.needs)}):
            self.push_blob(place, one, right=True)
        self.put_manifest(place, document, [tag], "digest")

    @rule(place=places, reference=tags | documents)
    def read_manifest(self, place, reference):
        name, repository = self.at(place)
        reference = getattr(reference, "digest", reference)
        found, response = self.model.find(name, reference), repository.manifest("GET", reference)
        if found is None:
            assert response.status_code == 404
        else:
            assert (response.content, response.headers["Content-Type"]) == (found.content, found.media_type)

    @rule(place=places, tag=tags, data=st.data())
    def delete_tag(self, place, tag, data):
        name, repository = self.at(place)
        tag = self.choose(data, self.model.repositories[name].tags, tag)
        assert repository.manifest("DELETE", tag).status_code == self.model.delete_tag(name, tag)

    @rule(place=places, document=documents, data=st.data())
    def delete_manifest(self, place, document, data):
        name, repository = self.at(place)
        digest = self.choose(data, self.model.repositories[name].manifests, document.digest)
        response = repository.manifest("DELETE", digest)
        assert response.status_code == self.model.delete_manifest(name, digest)

    def tell(self, place, method, *arguments, **more):
        """Do something from the shell; return the name of its error, or nothing."""
        found = self.shell.run(method, self.at(place)[0], *arguments, OPERATOR, **more)
        return found if isinstance(found, str) and found.isidentifier() else None

    @rule(place=places, tag=tags, data=st.data(), back=st.booleans())
    def restore_tag(self, place, tag, data, back):
        history = self.model.repositories[self.name(place)].history
        tag = self.choose(data, history, tag)
        named = [after for _, after in history.get(tag, ()) if after]
        to = data.draw(st.sampled_from(named)) if back and named else None
        expected = self.model.restore_tag(self.name(place), tag, to)
        assert self.tell(place, self.shell.services.tags.restore, tag, to=to) == expected

    @rule(place=places, document=documents, data=st.data())
    def restore_manifest(self, place, document, data):
        digest = self.choose(data, self.model.repositories[self.name(place)].hidden, document.digest)
        expected = self.model.restore_manifest(self.name(place), digest)
        assert self.tell(place, self.shell.services.manifests.restore, digest) == expected

    @rule(place=places, data=st.data(), back=mostly)
    def delete_an_index_with_all_below(self, place, data, back):
        """Delete an index, then what it lists and what that needs; mostly restore the index, and all of it is back."""
        name, repository = self.at(place)
        here = self.model.repositories[name]
        indexes = [digest for digest, document in here.manifests.items() if document.lists]
        if not indexes:
            return
        digest = data.draw(st.sampled_from(indexes))
        listed = here.manifests[digest].lists
        below = [child for child in here.manifests if child in listed]
        needed = listed.union(*(here.manifests[child].needs for child in below))
        for one in (digest, *below):
            assert repository.manifest("DELETE", one).status_code == self.model.delete_manifest(name, one)
        for one in [blob for blob in here.blobs if blob in needed]:
            assert repository.blob("DELETE", one).status_code == self.model.delete_blob(name, one)
        if back:
            expected = self.model.restore_manifest(name, digest)
            assert self.tell(place, self.shell.services.manifests.restore, digest) == expected
            for child in below:
                found = repository.manifest("GET", child).status_code
                assert found == (200 if child in here.manifests else 404)

    @rule(place=places, blob=blobs, data=st.data())
    def restore_blob(self, place, blob, data):
        name, _ = self.at(place)
        digest = self.choose(data, self.model.repositories[name].deleted, digest_of(self.bytes_of(blob)))
        expected = self.model.restore_blob(name, digest)
        assert self.tell(place, self.shell.services.blobs.restore, digest) == expected

    @rule(place=places, rules=st.sampled_from(["none", "none", *IMMUTABLE]), deletable=st.booleans())
    def set_rules(self, place, rules, deletable):
        change = RepositoryChange(immutable_tags=rules, immutable_deletable=deletable)
        expected = self.model.set_rules(self.name(place), rules, deletable)
        assert self.tell(place, self.shell.services.repositories.change, change) == expected

    @rule(place=places, document=documents, data=st.data())
    def purge(self, place, document, data):
        """End the time of something in the trash, and collect; what somebody else needs is there as before."""
        here = self.model.repositories[self.name(place)]
        digest = self.choose(data, [*here.hidden, *here.deleted], document.digest)
        if digest in here.hidden and here.is_held(digest):
            return  # it stays until what lists it goes; what becomes of its parts then depends on who pulled them
        expected = self.model.purge(self.name(place), digest)
        what = Trashed(repository=RepositoryName(self.name(place)), digest=digest)
        self.touched = self.name(place)
        assert self.shell.run(self.shell.services.trash.purge, what, OPERATOR) == expected
        self.collect()

    @rule(place=places)
    def purge_repository(self, place):
        expected = self.model.purge_repository(self.name(place))
        what = Trashed(repository=RepositoryName(self.name(place)))
        assert self.shell.run(self.shell.services.trash.purge, what, OPERATOR) == expected
        self.collect()

    @rule()
    def collect(self):
        """Collect what is due: without anything purged that is nothing that a client, or an operator, could miss."""
        self.shell.collect()

    @rule(place=places, about=st.sampled_from(list(PATTERNS)), newest=st.integers(1, 3))
    def retain(self, place, about, newest):
        """Set a policy, and run it: what it lets go of can be restored."""
        expected = self.model.retain(self.name(place), newest, PATTERNS[about])
        retention = self.shell.services.retention
        policy = make_policy([make_rule("walk", about, newest=newest)])
        assert self.tell(place, retention.set_for_repository, policy) == expected
        assert self.tell(place, retention.run) == expected

    @rule(place=places)
    def delete_repository(self, place):
        expected = self.model.delete_repository(self.name(place))
        assert self.tell(place, self.shell.services.repositories.delete) == expected

    @rule(place=places, new=st.none() | st.none() | places)
    def restore_repository(self, place, new):
        name = None if new is None else self.name(new)
        expected = self.model.restore_repository(self.name(place), name)
        assert self.tell(place, self.shell.services.repositories.restore, new_name=name) == expected

    @rule(place=places, tag=tags)
    def look_back(self, place, tag):
        """Compare the history of a tag, step by step."""
        repository = self.model.repositories[self.name(place)]
        history = self.shell.run(self.shell.services.tags.history, self.at(place)[0], tag, None, 100)
        if not repository.listed:
            assert history == "NameUnknown"
        else:
            steps = [(step.before, step.after) for step in reversed(history.items)]
            assert steps == repository.history.get(tag, [])

    @rule(place=places, last=tags, n=st.integers(0, 4))
    def list_some_tags(self, place, last, n):
        name, repository = self.at(place)
        response = repository.request("GET", "tags/list", params={"last": last, "n": n})
        expected = self.model.list_tags(name, last, n)
        assert response.status_code == (404 if expected is None else 200)
        assert expected is None or response.json()["tags"] == expected

    @rule(place=places, subject=documents, wanted=st.lists(kinds, max_size=2))
    def list_referrers(self, place, subject, wanted):
        name, repository = self.at(place)
        wanted = [kind for kind in wanted if kind]
        found = repository.referrers(subject.digest, **({"artifactType": wanted} if wanted else {}))
        expected = self.model.referrers(name, subject.digest, wanted)
        assert {(entry["digest"], entry.get("artifactType")) for entry in found} == expected
        assert len(found) == len(expected)

    @invariant()
    def every_tag_is_listed_once_and_can_be_fetched(self):
        expected = self.model.list_tags(self.touched)
        repository = self.client.repository(self.touched)
        response = repository.request("GET", "tags/list")
        assert response.status_code == (404 if expected is None else 200)
        assert expected is None or response.json()["tags"] == expected
        for tag in expected or ():
            digest = repository.manifest("HEAD", tag).headers["Docker-Content-Digest"]
            assert digest == self.model.find(self.touched, tag).digest

    def teardown(self):
        for name in self.model.repositories:
            self.check_content(name)
        listed = self.client.get("/v2/_catalog", params={"last": self.prefix, "n": len(PLACES)}).json()["repositories"]
        assert [name for name in listed if name.startswith(self.prefix)] == self.model.catalog()

    def check_content(self, name):
        """Compare all of a repository; GET alone, because HEAD would change it."""
        repository, expected = self.client.repository(name), self.model.repositories[name]
        for blob in BLOBS:
            digest = digest_of(self.bytes_of(blob))
            response = repository.blob("GET", digest)
            assert response.status_code == (200 if digest in expected.blobs else 404)
            assert response.status_code == 404 or digest_of(response.content) == digest
        for digest, document in expected.manifests.items():
            get, head = repository.manifest("GET", digest), repository.manifest("HEAD", digest)
            assert get.content == document.content
            for header in ("Content-Length", "Docker-Content-Digest", "Content-Type"):
                assert get.headers[header] == head.headers[header]
        if expected.listed:
            pages = self.client.pages(f"{repository.path}/tags/list?n=2", "tags")
            assert [tag for page in pages for tag in page] == sorted(expected.tags)


@pytest.mark.timeout(900)  # a failure is made as short as possible before it is shown, which may take minutes
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_registry_and_model_agree_on_every_walk(database, server_over):
    walks = settings(
        max_examples=25,
        stateful_step_count=80,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    server = server_over(database)
    with Client.of(server.url) as client, closing(Shell(configured(server.environment))) as shell:
        run_state_machine_as_test(type("Walk", (Walk,), {"client": client, "shell": shell}), settings=walks)
