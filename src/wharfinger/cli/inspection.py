# SPDX-License-Identifier: Apache-2.0
"""What `wharfinger tag` prints of the inside of an image, and of how two images differ."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from wharfinger.cli.shell import day_of, print_table, say
from wharfinger.domain.comparison import Comparison, in_words
from wharfinger.domain.image_config import ImageConfig
from wharfinger.domain.inspection import Image, Inspection, Layer
from wharfinger.domain.legibility import legible, shortened
from wharfinger.domain.referrers import Attached, Referrer

_WIDTH: Final = 9
_LONGEST: Final = 200
_UNIT: Final = 1_000


def print_inspection(found: Inspection, attached: Attached) -> None:
    """Print what a manifest is, what it runs, and its layers with the commands that made them."""
    _fact("kind", " ".join((found.artifact.nature, *_in_brackets(found.artifact.forms))))
    platforms = [one.name for one in found.variants if one.is_runnable]
    if platforms:
        more = [f"and {len(platforms) - 20} more"] if len(platforms) > 20 else []  # noqa: PLR2004 - a line's worth
        _fact("for", ", ".join((*platforms[:20], *more)))
    if found.chosen is not None and found.image is not None:
        _fact("shown", f"{found.chosen.name} {found.image.digest}")
    for one in attached.referrers:
        _fact("attached", " ".join(_words_of(one)))
    if found.image is not None:
        _print_image(found.image)


def print_comparison(found: Comparison) -> None:
    """Print how two images differ."""
    say(f"from      {_looked_at(found.before)}")
    say(f"to        {_looked_at(found.after)}")
    if found.is_same:
        say("both are the same manifest")
        return
    say(f"download  {size_of(found.download)} for whoever has the first and pulls the second")
    layers = [
        *(("same", layer) for layer in found.common),
        *(("repacked", one.after) for one in found.repacked),
        *(("removed", layer) for layer in found.removed),
        *(("added", layer) for layer in found.added),
    ]
    if layers:
        print_table(("layer", "size", "digest", "command"), ((word, *_cells(layer)) for word, layer in layers))
    rows = [
        (section.kind, *(None if text is None else _shown(text) for text in (one.name, one.before, one.after)))
        for section in found.sections
        for one in section.changes
    ]
    if rows:
        print_table(("differs", "name", "from", "to"), rows)


def size_of(size: int) -> str:
    """Return bytes as people read them, in powers of a thousand, as pages do."""
    number, units = float(size), iter(("B", "kB", "MB", "GB", "TB", "PB"))
    unit = next(units)
    while number >= _UNIT and unit != "PB":
        number, unit = number / _UNIT, next(units)
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def _print_image(image: Image) -> None:
    _fact("size", size_of(image.document.size))
    if image.base is not None:
        _fact("base", " ".join(part for part in (image.base.name, image.base.digest or "") if part))
    if image.chart is not None:
        _fact("chart", f"{image.chart.name} {image.chart.version}")
    if image.trouble is not None:
        _fact("config", f"cannot be read: {image.trouble}")
    if image.config is not None:
        for name, text in _facts(image.config):
            _fact(name, text)
    if image.layers:
        print_table(("layer", "size", "digest", "command"), _numbered(image.layers))


def _facts(config: ImageConfig) -> Iterator[tuple[str, str]]:
    yield "created", day_of(config.created_at) or ""
    yield "runs", in_words((*config.entrypoint, *config.command))
    yield "user", config.user
    yield "in", config.working_directory
    yield "ports", ", ".join(config.ports)
    yield "volumes", ", ".join(config.volumes)
    for name, value in config.environment:
        yield "env", f"{name}={value}"
    for name, value in config.labels.items():
        yield "label", f"{name}={value}"


def _numbered(layers: Sequence[Layer]) -> Iterator[tuple[object, ...]]:
    for number, layer in enumerate(layers, 1):
        yield (number, *_cells(layer))


def _cells(layer: Layer) -> tuple[object, ...]:
    command = None if layer.step is None else _shown(layer.step.instruction)
    return size_of(layer.piece.size), layer.piece.digest, command


def _words_of(one: Referrer) -> Iterable[str]:
    below = Attached(referrers=one.referrers, more=False).count()
    more = (f"with {below} of its own",) if below else ()
    known = one.artifact.forms or ((one.artifact_type,) if one.artifact_type else ())
    return (one.artifact.nature, *_in_brackets(known), one.digest, *more)


def _in_brackets(forms: Sequence[str]) -> tuple[str, ...]:
    return (f"({', '.join(forms)})",) if forms else ()


def _looked_at(found: Inspection) -> str:
    if found.chosen is None or found.image is None:
        return found.digest
    return f"{found.digest}, in it {found.chosen.name} {found.image.digest}"


def _fact(name: str, text: str) -> None:
    if text:
        say(f"{name:<{_WIDTH}}{_shown(text)}")


def _shown(text: str) -> str:
    return legible(shortened(text, _LONGEST))
