# SPDX-License-Identifier: Apache-2.0
"""The inside of an image as pages show it: rows that are short, legible, and no more than a page can bear.

Whatever somebody pushed is cut to a length and shown with every character in sight; the management API has the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wharfinger.clock import Instant
from wharfinger.console.languages import mark
from wharfinger.domain.artifacts import Nature
from wharfinger.domain.comparison import in_words
from wharfinger.domain.digests import Digest
from wharfinger.domain.image_config import ImageConfig
from wharfinger.domain.inspection import Base, Chart, Image, Layer, Variant, platform_of
from wharfinger.domain.legibility import legible, legible_lines, shortened
from wharfinger.domain.referrers import Attached, Referrer

LAYERS: Final = 130
PAIRS: Final = 80
ROOM: Final = 16_000
"""Characters that a table of names and values takes at most."""
PLATFORMS: Final = 60
ATTACHED: Final = 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = 1_000
_COMMAND: Final = 600
_SHORT: Final = 12
_WIDTH: Final = 1_000.0
_THINNEST: Final = 2.0
NATURES: Final[Mapping[Nature, str]] = {
    Nature.IMAGE: mark("image"),
    Nature.INDEX: mark("image index"),
    Nature.CHART: mark("Helm chart"),
    Nature.SIGNATURE: mark("signature"),
    Nature.SBOM: mark("SBOM"),
    Nature.ATTESTATION: mark("attestation"),
    Nature.REPORT: mark("scan report"),
    Nature.CACHE: mark("build cache"),
    Nature.MODULE: mark("WebAssembly module"),
    Nature.PLUGIN: mark("plugin"),
    Nature.ARTIFACT: mark("artifact"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """A layer, and its part of the bar."""

    number: int
    digest: Digest
    size: int
    command: str
    """As it stood in the build file; empty where nobody can say."""
    media_type: str
    is_here: bool
    x: float
    width: float

    @property
    def short_digest(self) -> str:
        """The digest's first figures."""
        return short(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Names and values; and how many more there are."""

    shown: Sequence[tuple[str, str]]
    hidden: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedRow:
    """Something that is attached, and how deep in the tree it is."""

    one: Referrer
    depth: int
    label: str
    forms: str
    """In which formats; or of which type, where nobody knows it."""

    @property
    def short_digest(self) -> str:
        """The digest's first figures."""
        return short(self.one.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """Everything that a page shows of one image.

    Args:
        image: the image.
        layers: its layers, as many as are shown.
        hidden_layers: how many more there are.
        facts: what it runs, as labels to be translated and texts.
        environment, labels, annotations: names and values.
        chart: of a Helm chart, what it says of itself.
        base: on what it says that it was built; empty if it does not say.
    """

    image: Image
    layers: Sequence[LayerRow]
    hidden_layers: int
    facts: Sequence[tuple[str, str]]
    environment: Pairs
    labels: Pairs
    annotations: Pairs
    chart: Sequence[tuple[str, str]]
    base: str


def inside_of(image: Image) -> Inside:
    """Return what a page shows of an image."""
    config = image.config or ImageConfig()
    return Inside(
        image=image,
        layers=layer_rows(image.layers[:LAYERS], image),
        hidden_layers=max(len(image.layers) - LAYERS, 0),
        facts=_facts(config),
        environment=pairs(config.environment),
        labels=pairs(config.labels.items()),
        annotations=pairs(image.document.annotations.items()),
        chart=() if image.chart is None else _chart(image.chart),
        base="" if image.base is None else _base(image.base),
    )


def layer_rows(layers: Iterable[Layer], image: Image) -> Sequence[LayerRow]:
    """Return layers of an image as rows, the lowest first, each with its number in the image.

    A layer without bytes still has a part of the bar that can be seen.
    """
    document, numbers = image.document, {id(layer): number for number, layer in enumerate(image.layers, 1)}
    whole = sum(layer.size for layer in document.layers) or 1
    scale = (_WIDTH - _THINNEST * len(document.layers)) / whole if len(document.layers) < _WIDTH / _THINNEST else 0.0
    rows, x = list[LayerRow](), 0.0
    for layer in layers:
        width = _THINNEST + layer.piece.size * scale
        rows.append(
            LayerRow(
                number=numbers[id(layer)],
                digest=layer.piece.digest,
                size=layer.piece.size,
                command="" if layer.step is None else legible_lines(shortened(layer.step.instruction, _COMMAND)),
                media_type=legible(layer.piece.media_type),
                is_here=layer.is_here,
                x=round(x, 1),
                width=round(max(width - 1, 1), 1),
            )
        )
        x += width
    return rows


def pairs(found: Iterable[tuple[str, str]]) -> Pairs:
    """Return names and values as a table takes them."""
    every = list(found)
    shown, room = list[tuple[str, str]](), ROOM
    for name, value in every[:PAIRS]:
        pair = (legible(shortened(name, _LONGEST)), legible_lines(shortened(value, _LONGEST)))
        room -= len(pair[0]) + len(pair[1])
        if room < 0:
            break
        shown.append(pair)
    return Pairs(shown=shown, hidden=len(every) - len(shown))


def attached_rows(attached: Attached) -> tuple[Sequence[AttachedRow], int]:
    """Return what is attached as rows, each below what it is attached to; and how many more there are."""
    rows = list(_below(attached.referrers, 0))
    return rows[:ATTACHED], max(len(rows) - ATTACHED, 0)


def variants_shown(variants: Sequence[Variant]) -> tuple[Sequence[Variant], int]:
    """Return the platforms of an index that a page offers, and how many more there are; attestations are none."""
    runnable = [one for one in variants if one.is_runnable]
    return runnable[:PLATFORMS], max(len(runnable) - PLATFORMS, 0)


def short(digest: Digest) -> str:
    """Return the digest's first figures, which are enough to tell two apart by eye."""
    return digest.partition(":")[2][:_SHORT]


def exactly(instant: Instant) -> str:
    """Return a time as an address holds it, to the microsecond: a step of a tag counts from its own on."""
    return (_EPOCH + timedelta(microseconds=instant)).isoformat()


def _below(referrers: Sequence[Referrer], depth: int) -> Iterable[AttachedRow]:
    for one in referrers:
        forms = ", ".join(legible(shortened(form, _COMMAND // 4)) for form in one.artifact.forms)
        known = forms or legible(one.artifact_type or "")
        yield AttachedRow(one=one, depth=depth, label=NATURES[one.artifact.nature], forms=known)
        yield from _below(one.referrers, depth + 1)


def _facts(config: ImageConfig) -> Sequence[tuple[str, str]]:
    platform = platform_of(config)
    found = (
        (mark("Platform"), "" if platform is None else str(platform)),
        (mark("Entrypoint"), in_words(config.entrypoint)),
        (mark("Command"), in_words(config.command)),
        (mark("Runs as"), config.user),
        (mark("Working directory"), config.working_directory),
        (mark("Ports"), ", ".join(config.ports)),
        (mark("Volumes"), ", ".join(config.volumes)),
        (mark("Stop signal"), config.stop_signal),
        (mark("Shell"), in_words(config.shell)),
        (mark("Health check"), in_words(config.health_check)),
        (mark("Author"), config.author),
    )
    return [(label, legible_lines(shortened(text, _LONGEST))) for label, text in found if text]


def _base(base: Base) -> str:
    parts = (legible(shortened(base.name, _COMMAND)), base.digest or "")
    return "@".join(part for part in parts if part)


def _chart(chart: Chart) -> Sequence[tuple[str, str]]:
    found = (
        (mark("Name"), chart.name),
        (mark("Version"), chart.version),
        (mark("Version of the application"), chart.app_version),
        (mark("Description"), chart.description),
        (mark("Needs Kubernetes"), chart.kube_version),
        (mark("Home"), chart.home),
        (mark("Keywords"), ", ".join(chart.keywords)),
        (mark("Sources"), "\n".join(chart.sources)),
        (mark("Depends on"), "\n".join(chart.dependencies)),
    )
    return [(label, legible_lines(shortened(text, _LONGEST))) for label, text in found if text]
