# SPDX-License-Identifier: Apache-2.0
"""What the servers hold before anything is measured: the same names, tags, images and bytes in each.

A registry gets it by its protocol. Only the many tags and repositories of docker-registry are written as the files
that pushes would leave, because pushing them takes minutes; nginx gets files under the paths of the protocol.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench import content
from bench.peers import Distribution, Nginx, Peer, WharfingerWithAccounts
from bench.push import Push, push_blob, push_image, push_manifest
from bench.wire import Connection, WireError, expect

PAGE = 100
SMALL = "bench/small"
_LARGE = "bench/large"
_TAGS = "bench/tags"
_CLIENTS = 16


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    seconds: float = 3.0
    rounds: int = 5
    large: int = 100 << 20
    tags: int = 10_000
    repositories: int = 10_000
    images: int = 500
    layers: int = 3
    pulls: int = 64
    pushes: int = 16
    people: int = 2_000
    garbage: int = 100_000
    stored: int = 1_000_000


QUICK = Scale(
    seconds=1.0,
    rounds=1,
    large=16 << 20,
    tags=1_000,
    repositories=1_000,
    images=80,
    layers=2,
    pulls=16,
    pushes=4,
    people=200,
    garbage=2_000,
    stored=20_000,
)


class Holdings:
    """The content that every server has, and the paths under which it is asked for."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.image = content.image("small", 1024, 1024, 1024, 1024)
        self.large = content.large_blob("held", scale.large)
        self.tiny = content.image("tiny", 1024)
        self.other = content.image("other", 1024)
        self.tags = [f"v{number:05}" for number in range(scale.tags)]
        self.repositories = [f"many/r{number:05}" for number in range(scale.repositories)]
        self.manifest_path = f"/v2/{SMALL}/manifests/latest"
        self.small_path = f"/v2/{SMALL}/blobs/{self.image.blobs[0].digest}"
        self.large_path = f"/v2/{_LARGE}/blobs/{self.large.digest}"
        self.tags_path = f"/v2/{_TAGS}/tags/list"

    def tag_pages(self) -> Sequence[str]:
        return _pages(self.tags_path, self.tags)

    def catalog_pages(self) -> Sequence[str]:
        return _pages("/v2/_catalog", self.repositories)

    def fill(self, peer: Peer) -> None:
        """Put everything into a running server."""
        if isinstance(peer, Nginx):
            self._write_for_nginx(peer.data)
            return
        connection = Connection(peer.address)
        push_image(connection, Push(SMALL, "latest", self.image))
        if isinstance(peer, WharfingerWithAccounts):
            connection.close()
            peer.close_to_strangers(self.scale.people)
            return
        for image in (self.other, self.tiny):
            push_image(connection, Push(_TAGS, self.tags[0], image))
        push_blob(connection, _LARGE, self.large)
        connection.close()
        if isinstance(peer, Distribution):
            _Layout(peer.data, self.tiny).write(self.tags[1:], self.repositories)
        else:
            self._push_tags(peer)
            self._push_repositories(peer)
        self._check(peer)

    def move_a_tag(self, connection: Connection, number: int) -> None:
        """Push a tag so that it names another image than after the number before."""
        image = (self.tiny, self.other)[number % 2]
        push_manifest(connection, _TAGS, self.tags[0], image.manifest)

    def _check(self, peer: Peer) -> None:
        """Make sure that the lists hold what was put there, so that the same work is measured on every server."""
        connection = Connection(peer.address)
        tags = connection.request("GET", self.tags_path).body
        last = connection.request("GET", self.catalog_pages()[-1]).body
        connection.close()
        if (
            sorted(json.loads(tags)["tags"]) != self.tags
            or json.loads(last)["repositories"] != self.repositories[-PAGE:]
        ):
            message = f"{peer.name} does not list what it was filled with"
            raise WireError(message)

    def _write_for_nginx(self, root: Path) -> None:
        small, large = self.image.blobs[0], self.large
        for path, parts in (
            (self.manifest_path, [self.image.manifest]),
            (self.small_path, small.parts),
            (self.large_path, large.parts),
        ):
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"".join(parts))

    def _push_tags(self, peer: Peer) -> None:
        def push(connection: Connection, start: int) -> None:
            query = "&".join(f"tag={tag}" for tag in self.tags[start : start + PAGE])
            push_manifest(connection, _TAGS, f"{self.tiny.digest}?{query}", self.tiny.manifest)

        _spread(peer, push, range(0, len(self.tags), PAGE))

    def _push_repositories(self, peer: Peer) -> None:
        def push(connection: Connection, number: int) -> None:
            repository = self.repositories[number]
            for blob in self.tiny.blobs:
                mount = f"/v2/{repository}/blobs/uploads/?mount={blob.digest}&from={_TAGS}"
                expect(connection.request("POST", mount, b""), 201, "mount of a blob")
            push_manifest(connection, repository, "latest", self.tiny.manifest)

        _spread(peer, push, range(len(self.repositories)))


def _pages(path: str, names: Sequence[str]) -> Sequence[str]:
    """Return the paths of all pages of a list."""
    lasts = [f"&last={names[start - 1]}" for start in range(PAGE, len(names), PAGE)]
    return [f"{path}?n={PAGE}{last}" for last in ("", *lasts)]


def _spread(peer: Peer, push: Callable[[Connection, int], None], numbers: Sequence[int]) -> None:
    """Push by several clients, each with a connection of its own."""

    def client(share: Sequence[int]) -> None:
        connection = Connection(peer.address)
        for number in share:
            push(connection, number)
        connection.close()

    with ThreadPoolExecutor(_CLIENTS) as threads:
        list(threads.map(client, [numbers[start::_CLIENTS] for start in range(_CLIENTS)]))


class _Layout:
    """Writes the files that docker-registry keeps for a tag and for a repository."""

    def __init__(self, data: Path, image: content.Image) -> None:
        self._root = data / "docker/registry/v2/repositories"
        self._image = image

    def write(self, tags: Sequence[str], repositories: Sequence[str]) -> None:
        for tag in tags:
            self._tag(self._root / _TAGS, tag)
        for repository in repositories:
            folder = self._root / repository
            (folder / "_uploads").mkdir(parents=True)
            for digest in self._digests():
                _link(folder / "_layers", digest)
            _link(folder / "_manifests/revisions", self._image.digest)
            self._tag(folder, "latest")

    def _tag(self, repository: Path, tag: str) -> None:
        folder = repository / "_manifests/tags" / tag
        _link(folder / "index", self._image.digest)
        (folder / "current").mkdir()
        (folder / "current/link").write_text(self._image.digest, encoding="ascii")

    def _digests(self) -> Iterator[str]:
        return (blob.digest for blob in self._image.blobs)


def _link(folder: Path, digest: str) -> None:
    target = folder / digest.replace(":", "/")
    target.mkdir(parents=True)
    (target / "link").write_text(digest, encoding="ascii")
