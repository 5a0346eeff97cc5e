# SPDX-License-Identifier: Apache-2.0
"""Two images side by side: which layers somebody fetches anew, and what else differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.console.calls import Call, View
from wharfinger.console.insides import LAYERS, PAIRS, LayerRow, layer_rows, short
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.access import Access, Action
from wharfinger.domain.comparison import Comparison, Section, Side, parse_side
from wharfinger.domain.errors import Invalid, Unknown
from wharfinger.domain.inspection import Inspection, Layer
from wharfinger.domain.legibility import legible, legible_lines, shortened
from wharfinger.services.repositories import name_unknown
from wharfinger.web.access import OnRepository

_LONGEST: Final = 400
_MOST_TAGS: Final = 200
_KINDS: Final[Mapping[str, str]] = {
    "platforms": mark("Platforms"),
    "config": mark("Configuration"),
    "environment": mark("Environment"),
    "labels": mark("Labels"),
    "annotations": mark("Annotations"),
}
_FIELDS: Final[Mapping[str, str]] = {
    "created": mark("Created"),
    "author": mark("Author"),
    "os": mark("Operating system"),
    "os version": mark("Version of the operating system"),
    "architecture": mark("Architecture"),
    "variant": mark("Variant"),
    "user": mark("Runs as"),
    "entrypoint": mark("Entrypoint"),
    "command": mark("Command"),
    "working directory": mark("Working directory"),
    "stop signal": mark("Stop signal"),
    "shell": mark("Shell"),
    "health check": mark("Health check"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One thing that differs; `label` is to be translated, where the name is a field's."""

    name: str
    label: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRows:
    """What differs of one kind."""

    label: str
    rows: Sequence[ChangeRow]
    hidden: int


async def show(call: Call) -> View:
    """Compare two tags or digests, of this repository or another one; without two, ask for them."""
    texts = {name: call.query.get(name, "").strip()[:_LONGEST] for name in ("from", "to")}
    names = await call.services.tags.list(call.registry, call.name, None, _MOST_TAGS)
    shared = {"repository": call.name, "texts": texts, "names": names.items}
    if not all(texts.values()):
        return View(template="comparison.html", values={**shared, "compared": None, "trouble": None})
    try:
        found = await _compare(call, texts["from"], texts["to"])
    except (Invalid, Unknown) as error:
        values = {**shared, "compared": None, "trouble": legible(error.message)}
        return View(template="comparison.html", values=values, status=400)
    return View(template="comparison.html", values={**shared, "trouble": None, **_shown(found)})


async def _compare(call: Call, before: str, after: str) -> Comparison:
    sides = [parse_side(text, call.name) for text in (before, after)]
    for side in sides:
        await _require(call, side)
    return await call.services.inspections.compare(call.registry, *sides, variant=call.query.get("platform") or None)


async def _require(call: Call, side: Side) -> None:
    """Return if the visitor may pull there.

    Raises:
        NameUnknown: they may not; in the words for what is not there.
    """
    if side.repository == call.name:
        return
    if not await call.services.authorization.allows(
        call.principal, call.registry, Access(Action.PULL, side.repository)
    ):
        raise name_unknown(side.repository)


def _shown(found: Comparison) -> dict[str, object]:
    return {
        "compared": found,
        "sides": (_side(found.before), _side(found.after)),
        "platforms": [
            one.name
            for one in found.after.variants
            if one.is_runnable and any(one.name == other.name for other in found.before.variants)
        ],
        "common": _rows(found.common, found.after),
        "repacked": _rows([one.after for one in found.repacked], found.after),
        "removed": _rows(found.removed, found.before),
        "added": _rows(found.added, found.after),
        "common_size": sum({one.piece.digest: one.piece.size for one in found.common}.values()),
        "sections": [_section(section) for section in found.sections],
        "short": short,
    }


def _side(found: Inspection) -> Mapping[str, object]:
    return {
        "digest": found.digest,
        "size": 0 if found.image is None else found.image.document.size,
        "platform": None if found.chosen is None else found.chosen.name,
    }


def _rows(layers: Sequence[Layer], found: Inspection) -> Sequence[LayerRow]:
    return () if found.image is None else layer_rows(layers[:LAYERS], found.image)


def _section(section: Section) -> SectionRows:
    rows = [
        ChangeRow(
            name=legible(shortened(one.name, _LONGEST)),
            label=_FIELDS.get(one.name) if section.kind == "config" else None,
            before=_text(one.before),
            after=_text(one.after),
        )
        for one in section.changes[:PAIRS]
    ]
    return SectionRows(label=_KINDS[section.kind], rows=rows, hidden=len(section.changes) - len(rows))


def _text(value: str | None) -> str | None:
    return None if value is None else legible_lines(shortened(value, _LONGEST))


ROUTES: Final = (Route("GET", "/repositories/{name}/-/compare", OnRepository(Action.PULL), show),)
