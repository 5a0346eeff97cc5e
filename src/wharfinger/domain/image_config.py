# SPDX-License-Identifier: Apache-2.0
"""The configuration of an image, as people read it: what it runs, with which environment, and how it was built.

It is JSON that somebody pushed, and nothing here trusts it. A field of the wrong type is passed over and named, so that
one odd field does not hide the others. The OCI image specification and Docker's schema 2 write it alike.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from wharfinger.clock import SECOND, Instant
from wharfinger.domain.sentences import Sentence

CONFIG_TYPES: Final = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
MOST_STEPS: Final = 10_000
"""As many as a manifest may have layers by default; what follows is passed over."""
_SHELL: Final = "/bin/sh -c "
_NO_OPERATION: Final = "/bin/sh -c #(nop)"
_BUILDKIT: Final = "# buildkit"
_Kind = TypeVar("_Kind")
_EARLIEST: Final = 1900
"""A year before this one is a zero that a builder left, not a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a build.

    Args:
        created_by: the command, as the builder wrote it; empty if it wrote none.
        created_at: when; nothing if it does not say.
        comment: what the builder remarks.
        is_empty: whether it made no layer.
    """

    created_by: str = ""
    created_at: Instant | None = None
    comment: str = ""
    is_empty: bool = False

    @property
    def instruction(self) -> str:
        """The command as it stood in the build file, as far as the builder's frame around it can be told."""
        return instruction_of(self.created_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What the configuration of an image says.

    Args:
        architecture, system, variant, system_version: what it runs on; empty where nothing is said.
        created_at: when it was built; nothing if it does not say, or says zero.
        author: who built it.
        user: as whom it runs; empty for root.
        environment: names and values, in order; a name may come twice.
        entrypoint, command: what runs.
        working_directory: where.
        ports, volumes: as they are written, sorted.
        labels: names and values.
        stop_signal, shell, health_check: as they are written.
        steps: how it was built.
        layer_contents: digests of the layers before they were compressed, in order.
        passed_over: fields that could not be read.
    """

    architecture: str = ""
    system: str = ""
    variant: str = ""
    system_version: str = ""
    created_at: Instant | None = None
    author: str = ""
    user: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_directory: str = ""
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    shell: tuple[str, ...] = ()
    health_check: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    layer_contents: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


def parse_image_config(content: bytes) -> ImageConfig:
    """Read a configuration.

    Args:
        content: its bytes, verified against its digest, of a size that the caller has limited.

    Raises:
        ValueError: it is no JSON object; the message is a sentence for people.
    """
    reader = Reader(read_object(content))
    inner = reader.inside("config")
    rootfs = reader.inside("rootfs")
    health = inner.inside("Healthcheck")
    return ImageConfig(
        architecture=reader.text("architecture"),
        system=reader.text("os"),
        variant=reader.text("variant"),
        system_version=reader.text("os.version"),
        created_at=reader.instant("created"),
        author=reader.text("author"),
        user=inner.text("User"),
        environment=tuple(_pair(entry) for entry in inner.texts("Env")),
        entrypoint=inner.texts("Entrypoint"),
        command=inner.texts("Cmd"),
        working_directory=inner.text("WorkingDir"),
        ports=tuple(sorted(inner.names("ExposedPorts"))),
        volumes=tuple(sorted(inner.names("Volumes"))),
        labels=inner.mapping("Labels"),
        stop_signal=inner.text("StopSignal"),
        shell=inner.texts("Shell"),
        health_check=health.texts("Test"),
        steps=tuple(_step(entry) for entry in reader.objects("history")[:MOST_STEPS]),
        layer_contents=rootfs.texts("diff_ids"),
        passed_over=tuple(reader.passed_over),
    )


def instruction_of(created_by: str) -> str:
    """Return a command without what a builder puts around it.

    Docker writes `/bin/sh -c #(nop)  CMD ["sh"]` and `/bin/sh -c apt-get update`. BuildKit writes
    `RUN /bin/sh -c … # buildkit`, and with build arguments `RUN |1 VERSION=2 /bin/sh -c …`.
    """
    text = created_by.strip()
    if text.startswith(_NO_OPERATION):
        return text.removeprefix(_NO_OPERATION).strip()
    text = text.removesuffix(_BUILDKIT).rstrip()
    ran = text.removeprefix("RUN ")
    if ran.startswith("|"):
        _, found, command = ran.partition(_SHELL)
        return f"RUN {command}" if found else text
    return f"RUN {ran.removeprefix(_SHELL)}" if ran.startswith(_SHELL) else text


def read_object(content: bytes) -> Mapping[str, object]:
    """Return a JSON object.

    Raises:
        ValueError: it is none; the message is a sentence for people.
    """
    try:
        document: object = json.loads(content.decode("utf-8"), parse_int=_number, parse_constant=_nothing)
    except RecursionError:
        message = Sentence("It is nested too deeply.")
        raise ValueError(message) from None
    except ValueError:  # UnicodeDecodeError is one
        message = Sentence("It is not JSON.")
        raise ValueError(message) from None
    if not isinstance(document, dict):
        message = Sentence("It is not a JSON object.")
        raise ValueError(message)  # noqa: TRY004 - the content is wrong, not the code
    return document


def plain(text: str) -> str:
    """Return a text that can be encoded: half of a surrogate pair, which JSON can write, becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def parse_time(text: str) -> Instant | None:
    """Return a time as RFC 3339 writes it, to the microsecond; nothing for a zero, or what is none."""
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return Instant(int(found.timestamp()) * SECOND + found.microsecond) if found.year >= _EARLIEST else None


class Reader:
    """Reads fields of an object, passes over those of the wrong type, and keeps their names.

    Args:
        document: the object.
        passed_over: where names are kept.
        path: how the object is named there.
    """

    def __init__(self, document: Mapping[str, object], passed_over: list[str] | None = None, path: str = "") -> None:
        self._document = document
        self.passed_over: list[str] = [] if passed_over is None else passed_over
        self._path = path

    def inside(self, name: str) -> "Reader":
        """Return a reader of an object inside; where there is none, of an empty one."""
        found = self._of(name, dict) or {}
        return Reader(found, self.passed_over, f"{self._path}{name}.")

    def text(self, name: str) -> str:
        """Return a text, or an empty one."""
        return plain(self._of(name, str) or "")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; those among its items that are none are passed over."""
        found: Sequence[object] = self._of(name, list) or ()
        return tuple(plain(item) for item in self._only(name, found, str))

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names in an object, which is how Go writes a set."""
        return tuple(plain(one) for one in self._of(name, dict) or {})

    def mapping(self, name: str) -> Mapping[str, str]:
        """Return an object of texts; values that are none are passed over."""
        found = self._of(name, dict) or {}
        kept = {plain(key): plain(value) for key, value in found.items() if isinstance(value, str)}
        if len(kept) != len(found):
            self._note(name)
        return kept

    def objects(self, name: str) -> tuple[Mapping[str, object], ...]:
        """Return a list of objects."""
        found: Sequence[object] = self._of(name, list) or ()
        return tuple(self._only(name, found, dict))

    def number(self, name: str) -> int:
        """Return a whole number, or zero."""
        found = self._of(name, int) or 0
        return found if abs(found) < 2**63 else 0

    def yes(self, name: str) -> bool:
        """Return whether it is `true`."""
        return self._document.get(name) is True

    def instant(self, name: str) -> Instant | None:
        """Return a time."""
        return parse_time(self.text(name))

    def _of(self, name: str, kind: type[_Kind]) -> _Kind | None:
        found = self._document.get(name)
        if found is None:
            return None
        if isinstance(found, kind) and not isinstance(found, bool):
            return found
        self._note(name)
        return None

    def _only(self, name: str, items: Sequence[object], kind: type[_Kind]) -> list[_Kind]:
        kept = [item for item in items if isinstance(item, kind)]
        if len(kept) != len(items):
            self._note(name)
        return kept

    def _note(self, name: str) -> None:
        path = self._path + name
        if path not in self.passed_over:
            self.passed_over.append(path)


def _step(entry: Mapping[str, object]) -> Step:
    reader = Reader(entry)
    return Step(
        created_by=reader.text("created_by"),
        created_at=reader.instant("created"),
        comment=reader.text("comment"),
        is_empty=reader.yes("empty_layer"),
    )


def _pair(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    return name, value


def _number(digits: str) -> int | float:
    """Read a number; one that no field of ours could hold is not worth its digits."""
    return int(digits) if len(digits) < 20 else float(digits)  # noqa: PLR2004 - beyond 64 bits


def _nothing(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)
