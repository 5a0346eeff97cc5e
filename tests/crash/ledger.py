# SPDX-License-Identifier: Apache-2.0
"""What clients were told, and whether the registry still says so.

A fact is one thing at one place: the blob of a repository, its manifest, where its tag leads. A client notes what it
asks for before it asks; once it has the answer it knows. If the connection breaks, both may be so, and the next look
decides. What is asked of the registry afterwards is only what may be so.
"""

import threading
from dataclasses import dataclass

ABSENT = None


@dataclass(frozen=True, order=True)
class Fact:
    """One thing at one place: `kind` is blob, manifest or tag."""

    kind: str
    repository: str
    name: str

    @property
    def path(self):
        folder = "blobs" if self.kind == "blob" else "manifests"
        return f"/v2/{self.repository}/{folder}/{self.name}"


class Ledger:
    """What may be so, by fact: digests, or `ABSENT`. What nobody noted is absent."""

    def __init__(self):
        self._may = {}
        self._lock = threading.Lock()
        self._touched = set()
        self.acknowledged = 0

    def may(self, fact):
        with self._lock:
            return self._may.get(fact, {ABSENT})

    def certain(self, kind, repository):
        """The names of that kind which the repository surely has."""
        with self._lock:
            return sorted(
                fact.name
                for fact, may in self._may.items()
                if (fact.kind, fact.repository) == (kind, repository) and ABSENT not in may
            )

    def intend(self, changes):
        """A request is about to go out."""
        with self._lock:
            self._touched.update(changes)
            for fact, value in changes.items():
                self._may[fact] = self._may.get(fact, {ABSENT}) | {value}

    def settle(self, changes):
        """The request was acknowledged."""
        with self._lock:
            self.acknowledged += 1
            for fact, value in changes.items():
                self._may[fact] = {value}

    def refuse(self, before):
        """The request was refused, so nothing has changed."""
        with self._lock:
            self._may.update(before)

    def look(self, fact, found):
        """Note what the registry says of a fact; returns a complaint if that cannot be so."""
        with self._lock:
            may = self._may.get(fact, {ABSENT})
            if found not in may:
                expected = " or ".join(sorted(str(one or "absent")[:19] for one in may))
                return f"{fact.path} is {str(found or 'absent')[:19]}; it has to be {expected}"
            self._may[fact] = {found}
        return None

    def facts(self):
        with self._lock:
            return sorted(self._may)

    def touched(self):
        """The facts that somebody meant to change since this was asked last."""
        with self._lock:
            touched, self._touched = sorted(self._touched), set()
            return touched
