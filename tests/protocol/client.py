# SPDX-License-Identifier: Apache-2.0
"""A registry client that trusts nothing: every answer it receives is held against the rules that bind all answers."""

import json
from dataclasses import dataclass

import httpx

from tests.support.images import OCI_MANIFEST, as_json, digest_of

CODES = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DENIED",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "TOOMANYREQUESTS",
        "UNAUTHORIZED",
        "UNSUPPORTED",
    }
)
"""The only codes that the distribution specification allows in an answer of the 400s."""
OCTETS = {"Content-Type": "application/octet-stream"}


def check_every_answer(response):
    """Hold an answer under `/v2/` against what must be true of all of them."""
    response.read()
    headers, where = response.headers, f"{response.request.method} {response.request.url} → {response.status_code}"
    assert response.status_code < 500, f"{where}: {response.text[:500]}"
    assert headers.get("X-Content-Type-Options") == "nosniff", where
    assert headers.get("X-Request-Id"), where
    assert headers.get("Docker-Distribution-Api-Version") == "registry/2.0", where
    assert "Content-Encoding" not in headers, where
    for address in (headers.get("Location"), headers.get("Link", "").removeprefix("<") or None):
        assert address is None or address.startswith("/v2/"), f"{where}: {address} is not a path of this registry"
    if response.request.method == "HEAD" or response.status_code in {204, 304}:
        assert response.content == b"", where
    elif response.status_code >= 400:
        check_error(response.status_code, headers, response.content, where)


def check_error(status, headers, content, where):
    """Hold the body of a refusal against the specification's form and against politeness, and return its first code."""
    assert headers.get("Content-Type") == "application/json", f"{where}: {headers.get('Content-Type')}"
    document = json.loads(content)
    assert set(document) == {"errors"}, where
    assert document["errors"], where
    for error in document["errors"]:
        assert set(error) <= {"code", "message", "detail"}, where
        assert error["code"] in CODES, f"{where}: {error['code']}"
        message = error["message"]
        assert len(message) > 15, f"{where}: {message!r} does not help"
        assert " " in message, f"{where}: {message!r} is no sentence"
        assert "Traceback" not in message, where
        assert ".py" not in message, where
    assert status != 401 or "WWW-Authenticate" in headers, where
    return document["errors"][0]["code"]


@dataclass(frozen=True)
class Client:
    """One registry, spoken to over a socket."""

    http: httpx.Client

    @classmethod
    def of(cls, base_url, auth=None):
        hooks = {"response": [check_every_answer]}
        return cls(httpx.Client(base_url=base_url, timeout=60, auth=auth, event_hooks=hooks))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def repository(self, name):
        return Repository(self, name)

    def request(self, method, path, **options):
        return self.http.request(method, path, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def head(self, path, **options):
        return self.request("HEAD", path, **options)

    def pages(self, path, field):
        """Follow `Link` to the end, and return what each page held."""
        pages = []
        while path:
            response = self.get(path)
            assert response.status_code == 200, response.text
            pages.append(response.json()[field])
            path = next_page(response)
            assert len(pages) < 500, "the pages never end"
        return pages


def next_page(response):
    """Return the path of the next page, or nothing after the last."""
    link = response.headers.get("Link")
    if link is None:
        return None
    target, _, parameters = link.partition(">")
    assert target.startswith("<"), link
    assert parameters.strip() == '; rel="next"', link
    return target.removeprefix("<")


@dataclass(frozen=True)
class Repository:
    """One repository of a registry, and the calls that name it."""

    client: Client
    name: str

    @property
    def path(self):
        return f"/v2/{self.name}"

    def request(self, method, below, **options):
        return self.client.request(method, f"{self.path}/{below}", **options)

    def blob(self, method, digest, **options):
        return self.request(method, f"blobs/{digest}", **options)

    def manifest(self, method, reference, **options):
        return self.request(method, f"manifests/{reference}", **options)

    def start(self, **parameters):
        """Start an upload, and return the answer."""
        return self.request("POST", "blobs/uploads/", params=parameters or None)

    def location(self, **parameters):
        """Start an upload, and return where it takes its bytes."""
        response = self.start(**parameters)
        assert response.status_code == 202, response.text
        return response.headers["Location"]

    def patch(self, location, content, first=None):
        headers = dict(OCTETS)
        if first is not None:
            headers["Content-Range"] = f"{first}-{first + len(content) - 1}"
        return self.client.request("PATCH", location, content=content, headers=headers)

    def finish(self, location, digest, content=b"", headers=None):
        return self.client.request(
            "PUT", with_digest(location, digest), content=content, headers=OCTETS | (headers or {})
        )

    def push_blob(self, content, algorithm="sha256"):
        """Push in one request, and return the digest."""
        digest = digest_of(content, algorithm)
        response = self.request("POST", "blobs/uploads/", params={"digest": digest}, content=content, headers=OCTETS)
        assert response.status_code == 201, response.text
        return digest

    def put(self, reference, content, media_type=None, **options):
        """Put a manifest given as bytes or as a dictionary, and return the answer."""
        if isinstance(content, dict):
            media_type = media_type or content.get("mediaType", OCI_MANIFEST)
            content = as_json(content)
        headers = {"Content-Type": media_type or OCI_MANIFEST} | options.pop("headers", {})
        return self.manifest("PUT", reference, content=content, headers=headers, **options)

    def push(self, document, *tags, algorithm="sha256"):
        """Put a manifest under its digest and tags, and return the digest."""
        digest = digest_of(as_json(document), algorithm)
        response = self.put(digest, document, params={"tag": list(tags)} if tags else None)
        assert response.status_code == 201, response.text
        return digest

    def tags(self, **parameters):
        response = self.request("GET", "tags/list", params=parameters or None)
        assert response.status_code == 200, response.text
        assert response.json()["name"] == self.name
        return response.json()["tags"]

    def referrers(self, digest, **parameters):
        response = self.request("GET", f"referrers/{digest}", params=parameters or None)
        assert response.status_code == 200, response.text
        return response.json()["manifests"]


def with_digest(location, digest):
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def codes(response):
    return [error["code"] for error in response.json()["errors"]]


def refused(response, status, code):
    """Assert a refusal with one status and one code, and return its first message."""
    assert (response.status_code, set(codes(response))) == (status, {code}), response.text
    return response.json()["errors"][0]["message"]
