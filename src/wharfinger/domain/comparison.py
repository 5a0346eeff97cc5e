# SPDX-License-Identifier: Apache-2.0
"""How two images differ: layers, configuration field by field, platforms, annotations."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import as_datetime
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.image_config import ImageConfig
from wharfinger.domain.inspection import Image, Inspection, Layer, platform_of
from wharfinger.domain.names import Reference, RepositoryName, is_digest, parse_reference, parse_repository_name
from wharfinger.domain.sentences import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that are compared: a tag or a digest of a repository."""

    repository: RepositoryName
    reference: Reference

    def __str__(self) -> str:
        return f"{self.repository}{'@' if is_digest(self.reference) else ':'}{self.reference}"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs; `before` is nothing where it was added, `after` where it was taken away."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Differences of one kind: `config`, `environment`, `labels`, `annotations` or `platforms`."""

    kind: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repacked:
    """A layer with the same content in both, packed in different ways."""

    before: Layer
    after: Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two manifests differ.

    Args:
        before, after: what was looked at.
        common: layers of both, in order.
        repacked: layers of both whose packing differs.
        removed, added: layers of one.
        sections: everything else that differs; kinds without a difference are left out.
    """

    before: Inspection
    after: Inspection
    common: tuple[Layer, ...]
    repacked: tuple[Repacked, ...]
    removed: tuple[Layer, ...]
    added: tuple[Layer, ...]
    sections: tuple[Section, ...]

    @property
    def is_same(self) -> bool:
        """Whether both are one manifest."""
        return self.before.digest == self.after.digest

    @property
    def download(self) -> int:
        """Bytes that somebody fetches who has the first and pulls the second."""
        fetched = (*self.added, *(one.after for one in self.repacked))
        return _size(fetched)


def parse_side(text: str, repository: RepositoryName) -> Side:
    """Return what somebody names who stands in a repository: `TAG`, `DIGEST`, `NAME:TAG` or `NAME@DIGEST`.

    Raises:
        NameInvalid, DigestInvalid, ManifestUnknown: it names nothing that could be there.
    """
    if "@" in text:
        name, _, digest = text.partition("@")
        return Side(repository=parse_repository_name(name), reference=parse_digest(digest))
    if not text.startswith(("sha256:", "sha512:")) and ":" in text:
        name, _, tag = text.partition(":")
        return Side(repository=parse_repository_name(name), reference=parse_reference(tag))
    if "/" in text:
        message = Sentence("%(text)r names a repository and no tag: write NAME:TAG or NAME@DIGEST.", text=text[:300])
        raise QueryInvalid(message)
    return Side(repository=repository, reference=parse_reference(text))


def compare(before: Inspection, after: Inspection) -> Comparison:
    """Return how the second differs from the first."""
    old, new = before.image, after.image
    old_layers, new_layers = _layers(old), _layers(new)
    common = Counter(layer.piece.digest for layer in old_layers) & Counter(layer.piece.digest for layer in new_layers)
    (_, removed), (within, added) = _split(old_layers, common), _split(new_layers, common)
    repacked = _repacked(removed, added)
    gone = {id(one.before) for one in repacked}
    come = {id(one.after) for one in repacked}
    return Comparison(
        before=before,
        after=after,
        common=within,
        repacked=repacked,
        removed=tuple(layer for layer in removed if id(layer) not in gone),
        added=tuple(layer for layer in added if id(layer) not in come),
        sections=_sections(before, after),
    )


def _layers(image: Image | None) -> Sequence[Layer]:
    return () if image is None else image.layers


def _size(layers: Iterable[Layer]) -> int:
    return sum({layer.piece.digest: layer.piece.size for layer in layers}.values())


def _split(layers: Iterable[Layer], common: Mapping[Digest, int]) -> tuple[tuple[Layer, ...], Sequence[Layer]]:
    """Return the layers that are among the common ones, each as often as it is common, and the others."""
    left, within, without = dict(common), [], []
    for layer in layers:
        if left.get(layer.piece.digest, 0):
            left[layer.piece.digest] -= 1
            within.append(layer)
        else:
            without.append(layer)
    return tuple(within), without


def _repacked(removed: Iterable[Layer], added: Iterable[Layer]) -> tuple[Repacked, ...]:
    by_content: dict[str, list[Layer]] = {}
    for layer in removed:
        if layer.content is not None:
            by_content.setdefault(layer.content, []).append(layer)
    return tuple(
        Repacked(before=by_content[layer.content].pop(0), after=layer)
        for layer in added
        if layer.content is not None and by_content.get(layer.content)
    )


def _sections(before: Inspection, after: Inspection) -> tuple[Section, ...]:
    old, new = before.image, after.image
    old_config, new_config = _config(old), _config(new)
    found = (
        Section(kind="platforms", changes=_platforms(before, after)),
        Section(kind="config", changes=_changes(_fields(old_config), _fields(new_config))),
        Section(
            kind="environment", changes=_changes(_by_name(old_config.environment), _by_name(new_config.environment))
        ),
        Section(kind="labels", changes=_changes(old_config.labels, new_config.labels)),
        Section(kind="annotations", changes=_changes(_annotations(before), _annotations(after))),
    )
    return tuple(section for section in found if section.changes)


def _config(image: Image | None) -> ImageConfig:
    return ImageConfig() if image is None or image.config is None else image.config


def _platforms(before: Inspection, after: Inspection) -> tuple[Change, ...]:
    """Return platforms that came or went, and of two indexes those whose images differ."""
    indexes = bool(before.variants and after.variants)
    return _changes(_digests(before, told=indexes), _digests(after, told=indexes))


def _digests(inspection: Inspection, *, told: bool) -> Mapping[str, str]:
    """Return digests by platform; where they are not to be told, each platform stands for itself."""
    if inspection.variants:
        return {one.name: one.piece.digest if told else one.name for one in inspection.variants if one.is_runnable}
    platform = platform_of(_config(inspection.image))
    return {} if platform is None else {str(platform): str(platform)}


def _annotations(inspection: Inspection) -> Mapping[str, str]:
    """Return the annotations of the manifest, and of the one within it that was looked at."""
    inner = {} if inspection.image is None else inspection.image.document.annotations
    return {**inspection.document.annotations, **inner}


_APART: Final = re.compile(r"[\s'\"\\]")
_SCALARS: Final = (
    ("created", lambda config: "" if config.created_at is None else as_datetime(config.created_at).isoformat()),
    ("author", lambda config: config.author),
    ("os", lambda config: config.system),
    ("os version", lambda config: config.system_version),
    ("architecture", lambda config: config.architecture),
    ("variant", lambda config: config.variant),
    ("user", lambda config: config.user),
    ("entrypoint", lambda config: in_words(config.entrypoint)),
    ("command", lambda config: in_words(config.command)),
    ("working directory", lambda config: config.working_directory),
    ("stop signal", lambda config: config.stop_signal),
    ("shell", lambda config: in_words(config.shell)),
    ("health check", lambda config: in_words(config.health_check)),
)


def _fields(config: ImageConfig) -> Mapping[str, str]:
    """Return the fields that have one value, and each port and volume as a field of its own."""
    scalars = {name: value for name, read in _SCALARS if (value := read(config))}
    ports = {f"port {port}": port for port in config.ports}
    return {**scalars, **ports, **{f"volume {volume}": volume for volume in config.volumes}}


def in_words(arguments: Sequence[str]) -> str:
    """Return arguments in one line, quoted as a shell takes them where they would not be told apart."""
    return " ".join(shlex.quote(one) if not one or _APART.search(one) else one for one in arguments)


def _by_name(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    return dict(pairs)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    names = dict.fromkeys((*before, *after))
    found = (Change(name, before.get(name), after.get(name)) for name in names)
    return tuple(change for change in found if change.before != change.after)
