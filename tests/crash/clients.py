# SPDX-License-Identifier: Apache-2.0
"""A client that pushes, deletes and pulls, and keeps a ledger of what it was told."""

import hashlib
import json

import httpx

from tests.crash.ledger import ABSENT, Fact

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b"{}"
TIMEOUT = 60


class Broken(Exception):
    """The connection broke or the registry was not available: nobody knows whether the request was carried out."""


class Busy(Broken):
    """The upload still belongs to a request whose process has died; that ends by itself."""


class Wrong(AssertionError):
    """The registry said something that cannot be."""


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(*layers):
    """The bytes of an image manifest."""

    def descriptor(content, media_type):
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers],
    }
    return json.dumps(document).encode()


class Client:
    """One client of the registry at `url`, which may be gone at any moment.

    Args:
        url: of the registry.
        ledger: what it, and others, were told.
    """

    def __init__(self, url, ledger):
        self.ledger = ledger
        self.unavailable = 0
        """How often it was told that the registry cannot do this now."""
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=TIMEOUT)

    def close(self):
        self._http.close()

    # ---- blobs

    def push_at_once(self, repository, content):
        """POST with the digest: one request."""
        changes = self._blob(repository, content)
        self._change(
            changes, 201, "POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}", content=content
        )

    def begin(self, repository):
        """Start an upload and return where it is."""
        return self._ask(202, "POST", f"/v2/{repository}/blobs/uploads/").headers["location"]

    def push_in_two(self, repository, content):
        """POST, then PUT with everything."""
        location = self.begin(repository)
        self.complete(repository, content, location, 0)

    def push_in_chunks(self, repository, content, parts=3):
        """POST, some PATCHes, then PUT with the rest."""
        location = self.begin(repository)
        step = len(content) // parts
        for start in range(0, step * (parts - 1), step):
            location = self.append(content, location, start, start + step)
        self.complete(repository, content, location, step * (parts - 1))

    def append(self, content, location, start, stop):
        """Add a chunk and return where the next one goes."""
        headers = {"content-range": f"{start}-{stop - 1}"}
        answer = self._ask(202, "PATCH", location, content=content[start:stop], headers=headers)
        if answer.headers["range"] != f"0-{stop - 1}":
            message = f"after {stop} bytes the upload stands at {answer.headers['range']}"
            raise Wrong(message)
        return answer.headers["location"]

    def complete(self, repository, content, location, start):
        """Send what is left, and make it a blob."""
        url = httpx.URL(location).copy_merge_params({"digest": digest_of(content)})
        self._change(self._blob(repository, content), 201, "PUT", url, content=content[start:])

    def resume(self, repository, content, location, told):
        """Ask where the upload stands, which is at least where we were told, and send the rest."""
        answer = self._ask((204, 404), "GET", location)
        if answer.status_code == 404:
            return False
        _, _, last = answer.headers["range"].partition("-")
        stands = 0 if answer.headers["range"] == "0-0" and told <= 1 else int(last) + 1
        if stands < told:
            message = f"the upload stands at {stands}, and {told} bytes were acknowledged"
            raise Wrong(message)
        url = httpx.URL(location).copy_merge_params({"digest": digest_of(content)})
        changes, before = self._intended(self._blob(repository, content))
        answer = self._send("PUT", url, content=content[stands:])
        if answer.status_code == 416 and "Another request" in answer.text:
            self.ledger.refuse(before)
            raise Busy(answer.text)
        return self._judge(answer, (201, 404), changes, before).status_code == 201

    def cancel(self, location):
        self._ask((204, 404), "DELETE", location)

    def mount(self, repository, source, digest):
        """Mount a blob; returns whether it was, and otherwise ends the upload that was begun instead."""
        changes, before = self._intended({Fact("blob", repository, digest): digest})
        path = f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}"
        answer = self._judge(self._send("POST", path), (201, 202), changes, before, done=201)
        if answer.status_code == 202:
            self.cancel(answer.headers["location"])
        return answer.status_code == 201

    def head(self, repository, digest):
        """Look for a blob, as before a push: one of another repository may be linked by that."""
        changes, before = self._intended({Fact("blob", repository, digest): digest})
        answer = self._judge(
            self._send("HEAD", f"/v2/{repository}/blobs/{digest}"), (200, 404), changes, before, done=200
        )
        return answer.status_code == 200

    def delete_blob(self, repository, digest):
        """Delete a blob; one that a manifest needs stays."""
        changes, before = self._intended({Fact("blob", repository, digest): ABSENT})
        answer = self._send("DELETE", f"/v2/{repository}/blobs/{digest}")
        return self._judge(answer, (202, 404, 405), changes, before, done=202).status_code

    # ---- manifests and tags

    def push_image(self, repository, tag, layers):
        """Push what is missing of an image, then its manifest under a tag, and return the manifest's digest."""
        for content in (*layers, CONFIG):
            if not self.head(repository, digest_of(content)):
                self.push_at_once(repository, content)
        return self.push_manifest(repository, tag, image(*layers))

    def push_manifest(self, repository, tag, content):
        digest = digest_of(content)
        changes = {Fact("manifest", repository, digest): digest, Fact("tag", repository, tag): digest}
        headers = {"content-type": OCI_MANIFEST}
        path = f"/v2/{repository}/manifests/{tag}"
        self._change(changes, 201, "PUT", path, content=content, headers=headers)
        return digest

    def delete_tag(self, repository, tag):
        changes, before = self._intended({Fact("tag", repository, tag): ABSENT})
        answer = self._send("DELETE", f"/v2/{repository}/manifests/{tag}")
        self._judge(answer, (202, 404), changes, before)

    def delete_manifest(self, repository, digest):
        """Delete a manifest, and with it every tag that leads to it."""
        tags = [
            fact
            for fact in self.ledger.facts()
            if (fact.kind, fact.repository) == ("tag", repository) and digest in self.ledger.may(fact)
        ]
        gone = {Fact("manifest", repository, digest): ABSENT}
        before = {fact: self.ledger.may(fact) for fact in (*gone, *tags)}
        self.ledger.intend(gone | dict.fromkeys(tags, ABSENT))
        answer = self._judge(self._send("DELETE", f"/v2/{repository}/manifests/{digest}"), (202, 404), None, before)
        if answer.status_code == 404:
            self.ledger.refuse(before)
            return 404
        for fact in tags:  # a tag that may have led elsewhere still may
            gone_from = before[fact] - {digest} or {ABSENT}
            self.ledger.refuse({fact: gone_from | ({ABSENT} if len(before[fact]) > 1 else set())})
        self.ledger.settle(gone)
        return 202

    # ---- looking

    def look(self, fact):
        """Ask for one fact, whole; returns a complaint, or nothing."""
        answer = self._send("GET", fact.path, headers={"accept": OCI_MANIFEST})
        if answer.status_code == 404:
            return self.ledger.look(fact, ABSENT)
        if answer.status_code != 200:
            return f"{fact.path} is answered with {answer.status_code}: {answer.text[:200]}"
        found = digest_of(answer.content)
        if answer.headers["docker-content-digest"] != found:
            return f"{fact.path} says {answer.headers['docker-content-digest']} and sends {found}"
        return self.ledger.look(fact, found)

    def audit(self):
        """Ask for everything that anybody was told of; returns the complaints."""
        return [complaint for fact in self.ledger.facts() if (complaint := self.look(fact)) is not None]

    # ---- requests

    def _blob(self, repository, content):
        return {Fact("blob", repository, digest_of(content)): digest_of(content)}

    def _change(self, changes, status, method, url, **options):
        changes, before = self._intended(changes)
        return self._judge(self._send(method, url, **options), (status,), changes, before)

    def _intended(self, changes):
        before = {fact: self.ledger.may(fact) for fact in changes}
        self.ledger.intend(changes)
        return changes, before

    def _judge(self, answer, expected, changes, before, done=None):
        """Note the outcome of a change; `done` is the status that means it was made, where several are expected."""
        if answer.status_code not in expected:
            self.ledger.refuse(before)
            message = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}"
            raise Wrong(message)
        if changes is not None and answer.status_code == (expected[0] if done is None else done):
            self.ledger.settle(changes)
        elif changes is not None:
            self.ledger.refuse(before)
        return answer

    def _ask(self, status, method, url, **options):
        answer = self._send(method, url, **options)
        if answer.status_code not in (status if isinstance(status, tuple) else (status,)):
            message = f"{method} {url}: {answer.status_code} {answer.text[:300]}"
            raise Wrong(message)
        return answer

    def _send(self, method, url, **options):
        try:
            answer = self._http.request(method, url, **options)
        except httpx.TransportError as error:
            raise Broken(repr(error)) from error
        if answer.status_code == 503:
            self.unavailable += 1
            if not int(answer.headers.get("retry-after", "0")):
                message = f"{method} {url}: 503 does not say when to come back"
                raise Wrong(message)
            raise Broken(answer.text[:300])
        return answer
