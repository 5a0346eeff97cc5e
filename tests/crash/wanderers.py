# SPDX-License-Identifier: Apache-2.0
"""Clients of a registry of several nodes, which collect what the clients let go of.

Each request goes to another node, as behind a load balancer. A blob that no manifest refers to may go at any moment, so
the ledger says nothing of blobs; instead every image that was acknowledged is pulled whole, and a layer that `HEAD` has
found is there for the manifest that comes next.
"""

import contextlib
import random
import threading
import time
from collections import Counter

import httpx

from tests.crash.clients import CONFIG, TIMEOUT, Broken, Client, Wrong, digest_of, image
from tests.crash.ledger import ABSENT, Fact, Ledger

TAGS = ("v1", "v2", "latest")
SIZES = (1, 300, 5_000, 150_000)
SHARED = 5
GONE = (404, 410)


class FleetingLedger(Ledger):
    """A ledger of manifests and tags alone."""

    def intend(self, changes):
        super().intend(_lasting(changes))

    def settle(self, changes):
        super().settle(_lasting(changes))

    def refuse(self, before):
        super().refuse(_lasting(before))

    def look(self, fact, found):
        return None if fact.kind == "blob" else super().look(fact, found)


def _lasting(changes):
    return {fact: value for fact, value in changes.items() if fact.kind != "blob"}


class Wanderer(Client):
    """A client each of whose requests goes to one of the nodes that are alive.

    Args:
        living: returns their URLs.
        ledger: what it was told.
        choice: of the node.
        lease: seconds for which a blob is kept that somebody who pushes has found.
    """

    def __init__(self, living, ledger, choice, lease):
        super().__init__("http://nowhere.invalid", ledger)
        self.late = 0
        """Manifests that came after the lease of a layer was over, and were refused."""
        self._living = living
        self._choice = choice
        self._lease = lease
        self._clients = {}

    def close(self):
        for client in (self._http, *self._clients.values()):
            client.close()

    def push_image(self, repository, tag, layers):
        """As any client does; what it was told of its layers holds for the time that was promised."""
        begun = time.monotonic()
        for content in (*layers, CONFIG):
            if not self.head(repository, digest_of(content)):
                self.push_at_once(repository, content)
        try:
            return self.push_manifest(repository, tag, image(*layers))
        except Wrong as complaint:
            if "MANIFEST_BLOB_UNKNOWN" in str(complaint) and time.monotonic() - begun > self._lease:
                self.late += 1
                return None
            raise

    def pull_image(self, repository, digest, layers):
        """Pull an image whole by its digest, which surely is there; returns a complaint, or nothing."""
        if complaint := self.look(Fact("manifest", repository, digest)):
            return complaint
        for layer in (*layers, digest_of(CONFIG)):
            answer = self._send("GET", f"/v2/{repository}/blobs/{layer}")
            if answer.status_code != 200 or digest_of(answer.content) != layer:
                return f"{repository}@{digest} is here, and its layer {layer} is {answer.status_code}"
        return None

    def restore_manifest(self, repository, digest):
        """Bring a deleted manifest back with its tags, if its time is not over; returns whether it came."""
        tags = [Fact("tag", repository, tag) for tag in TAGS]
        gone = [fact for fact in tags if ABSENT in self.ledger.may(fact)]
        changes = {Fact("manifest", repository, digest): digest} | dict.fromkeys(gone, digest)
        _, before = self._intended(changes)
        answer = self._send("POST", f"/api/v1/repositories/{repository}/-/trash/{digest}/restore")
        self._judge(answer, (200, *GONE), None, before)
        if answer.status_code != 200:
            self.ledger.refuse(before)
            return False
        back = {Fact("tag", repository, tag) for tag in answer.json()["tags"]}
        self.ledger.refuse({fact: before[fact] for fact in gone if fact not in back})
        self.ledger.settle(dict.fromkeys({Fact("manifest", repository, digest), *back}, digest))
        return True

    def restore_tag(self, repository, tag, known):
        """Set a tag to what it named before its last step; returns whether it came back.

        Args:
            repository: where.
            tag: which.
            known: every digest that it may ever have named.
        """
        place = Fact("tag", repository, tag)
        facts = [place, *(Fact("manifest", repository, digest) for digest in known)]
        before = {fact: self.ledger.may(fact) for fact in facts}
        for digest in known:
            self.ledger.intend({place: digest, Fact("manifest", repository, digest): digest})
        answer = self._send("POST", f"/api/v1/repositories/{repository}/-/tags/{tag}/restore", json={})
        self._judge(answer, (200, 409, *GONE), None, before)
        self.ledger.refuse(before)
        if answer.status_code != 200:
            return False
        digest = answer.json()["digest"]
        self.ledger.settle({place: digest, Fact("manifest", repository, digest): digest})
        return True

    def delete_repository(self, repository):
        """Delete a repository with everything in it; returns what was in it, for who brings it back."""
        facts = [fact for fact in self.ledger.facts() if fact.repository == repository]
        before = {fact: self.ledger.may(fact) for fact in facts}
        gone = dict.fromkeys(facts, ABSENT)
        self.ledger.intend(gone)
        answer = self._send("DELETE", f"/api/v1/repositories/{repository}")
        self._judge(answer, (204, 404), None, before)
        if answer.status_code == 404:
            self.ledger.refuse(before)
            return None
        self.ledger.settle(gone)
        return before

    def restore_repository(self, repository, before):
        """Bring the repository back that was deleted last; returns whether it came."""
        listed = self._ask(200, "GET", "/api/v1/trash/repositories?n=1000").json()["items"]
        numbers = [one["number"] for one in listed if one["repository"] == repository]
        if not numbers:
            return False
        for fact, may in before.items():
            for value in may:
                self.ledger.intend({fact: value})
        answer = self._send("POST", f"/api/v1/trash/repositories/{max(numbers)}/restore", json={})
        gone = {fact: {ABSENT} for fact in before}
        self._judge(answer, (200, *GONE), None, gone)
        self.ledger.refuse(before if answer.status_code == 200 else gone)
        return answer.status_code == 200

    def _send(self, method, url, **options):
        alive = sorted(self._living())
        if not alive:
            message = "no node is alive"
            raise Broken(message)
        node = self._choice.choice(alive)
        if node not in self._clients:
            self._clients[node] = httpx.Client(base_url=node, trust_env=False, timeout=TIMEOUT)
        self._http, before = self._clients[node], self._http
        if before not in self._clients.values():
            before.close()
        return super()._send(method, httpx.URL(url).raw_path.decode(), **options)


class Play(threading.Thread):
    """One client with repositories of its own, until somebody says stop.

    Args:
        number: of the client.
        seed: of all choices.
        living: returns the URLs of the nodes that are alive.
        lease: seconds for which a layer that was found is there.
    """

    def __init__(self, number, seed, living, lease):
        super().__init__(name=f"wanderer {number}", daemon=True)
        self.done, self.broken, self.complaints = Counter(), 0, []
        self.over = threading.Event()
        self.ledger = FleetingLedger()
        self._choice = random.Random(f"{seed}/{number}")
        self.client = Wanderer(living, self.ledger, self._choice, lease)
        self._repositories = [f"several/client-{number}-{letter}" for letter in "ab"]
        self._images = {}
        """The layers of every image that was ever pushed, by repository and digest."""
        self._shared = [random.Random(f"{seed}/shared/{at}").randbytes(20_000) for at in range(SHARED)]
        self._acts = {
            self.push_image: 6,
            self.move_tag: 3,
            self.leave_blob: 3,
            self.upload_in_chunks: 2,
            self.delete_blob: 1,
            self.mount: 2,
            self.delete_tag: 2,
            self.delete_manifest: 4,
            self.restore_manifest: 3,
            self.restore_tag: 2,
            self.delete_repository: 1,
            self.pull: 5,
        }

    def run(self):
        while not self.over.is_set():
            act = self._choice.choices(list(self._acts), list(self._acts.values()))[0]
            try:
                if act(self._choice.choice(self._repositories)) is not False:
                    self.done[act.__name__] += 1
            except Broken:
                self.broken += 1
                time.sleep(0.02)
            except Wrong as complaint:
                self.complaints.append(f"{act.__name__}: {complaint}")

    def end(self):
        """Stop after what it does now."""
        self.over.set()
        self.join(60)

    def audit(self):
        """Ask for everything; returns how many images are here, and what is wrong."""
        complaints, here = self.client.audit(), 0
        for (repository, digest), layers in self._images.items():
            if self.ledger.may(Fact("manifest", repository, digest)) == {digest}:
                here += 1
                complaints.append(self.client.pull_image(repository, digest, layers))
        return here, [*self.complaints, *filter(None, complaints)]

    # ---- what it does; False where there was nothing to do it to

    def push_image(self, repository):
        layers = [self._content() for _ in range(self._choice.randint(1, 3))]
        self._push(repository, self._choice.choice(TAGS), layers)

    def move_tag(self, repository):
        self._push(repository, self._choice.choice(TAGS), self._choice.sample(self._shared, 2))

    def leave_blob(self, repository):
        """Push a blob that no manifest will ever refer to."""
        self.client.push_at_once(repository, self._choice.randbytes(2_000))

    def upload_in_chunks(self, repository):
        """Each chunk may come to another node."""
        with contextlib.suppress(Broken):  # what breaks off is left
            self.client.push_in_chunks(repository, self._choice.randbytes(30_000))

    def delete_blob(self, repository):
        content = self._choice.randbytes(1_000)
        self.client.push_at_once(repository, content)
        self.client.delete_blob(repository, digest_of(content))

    def mount(self, repository):
        (source,) = set(self._repositories) - {repository}
        if (known := self._here(source)) is None:
            return False
        digest = self._choice.choice(self._images[source, known])
        if not self.client.mount(repository, source, digest):
            message = f"{source} has {digest}, and it cannot be mounted"
            raise Wrong(message)
        return True

    def delete_tag(self, repository):
        self.client.delete_tag(repository, self._choice.choice(TAGS))

    def delete_manifest(self, repository):
        found = self.ledger.certain("manifest", repository)
        return bool(found) and self.client.delete_manifest(repository, self._choice.choice(found)) == 202

    def restore_manifest(self, repository):
        """Bring back what was deleted: in time, in the last moment, or too late."""
        found = [
            digest
            for place, digest in self._images
            if place == repository and self.ledger.may(Fact("manifest", place, digest)) == {ABSENT}
        ]
        return bool(found) and self.client.restore_manifest(repository, self._choice.choice(found[-8:]))

    def restore_tag(self, repository):
        known = [digest for place, digest in self._images if place == repository]
        return self.client.restore_tag(repository, self._choice.choice(TAGS), known)

    def delete_repository(self, repository):
        before = self.client.delete_repository(repository)
        if before is None:
            return False
        if self._choice.random() < 0.6:
            time.sleep(self._choice.uniform(0, 1.5))
            self.client.restore_repository(repository, before)
        return True

    def pull(self, repository):
        if (digest := self._here(repository)) is None:
            return False
        if complaint := self.client.pull_image(repository, digest, self._images[repository, digest]):
            raise Wrong(complaint)
        return True

    def _push(self, repository, tag, layers):
        self._images[repository, digest_of(image(*layers))] = [digest_of(layer) for layer in layers]
        self.client.push_image(repository, tag, layers)

    def _content(self):
        if self._choice.random() < 0.3:
            return self._choice.choice(self._shared)
        return self._choice.randbytes(self._choice.choice(SIZES))

    def _here(self, repository):
        found = self.ledger.certain("manifest", repository)
        return self._choice.choice(found) if found else None
