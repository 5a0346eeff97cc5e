# SPDX-License-Identifier: Apache-2.0
"""Clients that push, move, mount, delete and pull at the same time, until somebody says stop."""

import contextlib
import random
import threading
from collections import Counter

from tests.crash.clients import Broken, Busy, Client, Wrong
from tests.crash.ledger import Fact

SIZES = (1, 300, 5_000, 150_000, 2_000_000)
SHARED = 6
"""Contents that every client pushes: second copies, mounts and links come about by themselves."""
TAGS = ("v1", "v2", "latest")


class Gate:
    """Lets clients work, or keeps them still."""

    def __init__(self):
        self._condition = threading.Condition()
        self._open = False
        self._inside = 0
        self.over = False

    def open(self):
        with self._condition:
            self._open = True
            self._condition.notify_all()

    def close(self):
        """Keep everybody still, and return when nobody is at work any more."""
        with self._condition:
            self._open = False
            self._condition.wait_for(lambda: self._inside == 0)

    def end(self):
        with self._condition:
            self.over = True
            self._condition.notify_all()

    def __enter__(self):
        with self._condition:
            self._condition.wait_for(lambda: self._open or self.over)
            self._inside += 1

    def __exit__(self, *_):
        with self._condition:
            self._inside -= 1
            self._condition.notify_all()


class Traffic(threading.Thread):
    """One client with repositories of its own, whose choices follow from the seed.

    Args:
        number: of the client.
        seed: of the run.
        url: of the registry.
        ledger: what all clients were told.
        gate: when to work.
    """

    def __init__(self, number, seed, url, ledger, gate):
        super().__init__(name=f"client {number}", daemon=True)
        self.done, self.broken, self.complaints = Counter(), 0, []
        self._repositories = [f"crash/client-{number}-{letter}" for letter in "ab"]
        self._client = Client(url, ledger)
        self._ledger = ledger
        self._gate = gate
        self._choice = random.Random(f"{seed}/{number}")
        self._shared = [random.Random(f"{seed}/shared/{at}").randbytes(20_000) for at in range(SHARED)]
        self._waiting = None
        self._acts = {
            self.push_at_once: 4,
            self.push_in_two: 2,
            self.push_in_chunks: 5,
            self.push_image: 5,
            self.move_tag: 3,
            self.delete_tag: 2,
            self.delete_manifest: 1,
            self.delete_blob: 3,
            self.mount: 3,
            self.cancel: 1,
            self.pull: 6,
        }

    @property
    def unavailable(self):
        """How often it was answered 503."""
        return self._client.unavailable

    def run(self):
        while not self._gate.over:
            with self._gate:
                if not self._gate.over:
                    self._one()
        self._client.close()

    def _one(self):
        try:
            if self._waiting is not None:
                with contextlib.suppress(Busy):
                    self._resume()
            act = self._choice.choices(list(self._acts), list(self._acts.values()))[0]
            act(self._choice.choice(self._repositories))
            self.done[act.__name__] += 1
        except Broken:
            self.broken += 1
            self._gate_pause()
        except Wrong as complaint:
            self.complaints.append(str(complaint))

    def _gate_pause(self):
        threading.Event().wait(0.02)  # the registry is away: not a busy loop until it is back

    def _content(self):
        if self._choice.random() < 0.3:
            return self._choice.choice(self._shared)
        return self._choice.randbytes(self._choice.choice(SIZES))

    def push_at_once(self, repository):
        self._client.push_at_once(repository, self._content())

    def push_in_two(self, repository):
        self._client.push_in_two(repository, self._content())

    def push_in_chunks(self, repository):
        """In pieces of a third; what breaks off is gone on with as soon as the registry is back."""
        content = self._content() + b"and at least three bytes"
        client, step = self._client, len(content) // 3
        location, told = client.begin(repository), 0
        try:
            for stop in (step, 2 * step):
                location = client.append(content, location, told, stop)
                told = stop
            client.complete(repository, content, location, told)
        except Broken:
            self._waiting = (repository, content, location, told)
            raise

    def _resume(self):
        repository, content, location, told = self._waiting
        self._client.resume(repository, content, location, told)
        self._waiting = None

    def push_image(self, repository):
        layers = [self._content() for _ in range(self._choice.randint(1, 3))]
        self._client.push_image(repository, self._choice.choice(TAGS), layers)

    def move_tag(self, repository):
        """Push an image of shared layers under a tag that may lead elsewhere."""
        layers = self._choice.sample(self._shared, 2)
        self._client.push_image(repository, self._choice.choice(TAGS), layers)

    def delete_tag(self, repository):
        self._client.delete_tag(repository, self._choice.choice(TAGS))

    def delete_manifest(self, repository):
        if found := self._ledger.certain("manifest", repository):
            self._client.delete_manifest(repository, self._choice.choice(found))

    def delete_blob(self, repository):
        if found := self._ledger.certain("blob", repository):
            self._client.delete_blob(repository, self._choice.choice(found))

    def mount(self, repository):
        """From the other repository of this client, which only it changes."""
        (source,) = set(self._repositories) - {repository}
        if found := self._ledger.certain("blob", source):
            digest = self._choice.choice(found)
            if not self._client.mount(repository, source, digest):
                message = f"{source} has {digest}, and it cannot be mounted"
                raise Wrong(message)

    def cancel(self, repository):
        location = self._client.append(b"never finished", self._client.begin(repository), 0, 14)
        self._client.cancel(location)

    def pull(self, repository):
        kind = self._choice.choice(("blob", "manifest", "tag"))
        if (found := self._ledger.certain(kind, repository)) and (
            complaint := self._client.look(Fact(kind, repository, self._choice.choice(found)))
        ):
            raise Wrong(complaint)
