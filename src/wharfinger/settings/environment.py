# SPDX-License-Identifier: Apache-2.0
"""`REGISTRY_*`: every key as an environment variable, by distribution's rule.

`REGISTRY_` and the path in capitals, joined by `_`; a number is the place in a list. A variable wins over the file.
Variables are laid over it in the order of their names, so that one for a whole section comes before those for its
parts. A whole section given so replaces what the file says there, as in distribution.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wharfinger.settings.document import Node, Scalar, Series, Table, is_null, read_value
from wharfinger.settings.kinds import Kind, Leaf, Many, Named, One, Records, leaves
from wharfinger.settings.problems import Findings, Mark
from wharfinger.settings.tree import Settings
from wharfinger.settings.unsupported import BY_KEY

PREFIX: Final = "REGISTRY_"
PATH_VARIABLE: Final = "REGISTRY_CONFIGURATION_PATH"
"""Not a setting: distribution looks here for the file when none is named on the command line."""
KIND_SECTIONS: Final = ("storage", "auth")
"""Sections that may be written as one word, which chooses a kind: `auth: none`."""
OLD_KEYS: Final[Mapping[str, str]] = {"loglevel": "log.level", "validation.enabled": "validation.disabled"}
"""Keys that distribution itself replaced by others."""
_ALSO: Final[Mapping[str, str]] = {
    "health.filecheckers": "health.file",
    "health.httpcheckers": "health.http",
    "health.tcpcheckers": "health.tcp",
}
"""Distribution takes a variable's name from its source, where three keys are called otherwise than in the file."""

LEAVES: Final[Mapping[str, Leaf]] = {leaf.key: leaf for leaf in leaves(Settings())}
SECTIONS: Final = frozenset(
    ".".join(key.split(".")[:depth]) for key in (*LEAVES, *BY_KEY) for depth in range(1, key.count(".") + 1)
)
_KEYS: Final[Mapping[str, str]] = {
    **{key.replace(".", "_").upper(): key for key in (*LEAVES, *SECTIONS, *BY_KEY, *OLD_KEYS)},
    **{also.replace(".", "_").upper(): key for also, key in _ALSO.items()},
}
_INJECTED: Final = re.compile(
    r"REGISTRY_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)",
    re.ASCII,
)
_INJECTED_PORT: Final = re.compile(r"REGISTRY_(?:[A-Z0-9_]+_)?PORT", re.ASCII)


def environment() -> Mapping[str, str]:
    """Return the process's environment; nothing else in the house reads it."""
    return os.environ  # noqa: TID251 - this is the one place


def path_from(environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file that the environment names."""
    named = environ.get(PATH_VARIABLE, "")
    return Path(named) if named else None


def overlay(root: Table, environ: Mapping[str, str], findings: Findings) -> None:
    """Lay the environment over the file."""
    for name in sorted((name for name in environ if name.startswith(PREFIX)), key=_natural):
        if name == PATH_VARIABLE or is_injected(name, environ[name]):
            continue
        place = _place(name)
        if place is not None:
            value = read_value(environ[name], name, plain=place.plain)
            _Overlay(root, findings, name).put(place, value)
        elif name.startswith(f"{PREFIX}AUTH_"):
            # Somebody wants sign-in; a misspelt word must not open the registry instead.
            findings.problem(Mark(source=name), "", "no setting has this name", _nearest(name))
        else:
            hint = _nearest(name)
            findings.warn(f"{name}: no setting has this name, so it is ignored" + (f"; {hint}" if hint else ""))


def is_injected(name: str, value: str) -> bool:
    """Say whether Kubernetes or Docker links set this for a service called registry, and nobody meant us."""
    if _INJECTED.fullmatch(name):
        return True
    return bool(_INJECTED_PORT.fullmatch(name)) and re.fullmatch(r"(?:tcp|udp|sctp)://.*", value) is not None


def _natural(name: str) -> list[tuple[int, str]]:
    """Order names by their parts, and numbers among the parts by value: `…_2` before `…_10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in name.split("_")]


def _nearest(name: str) -> str:
    """Return a question after the variable that was most likely meant, or nothing."""
    close = difflib.get_close_matches(name, [PREFIX + path for path in _KEYS], n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a variable's name stands for."""

    key: str
    rest: list[str]
    """What follows the key: places in lists, names of the operator's choice."""
    kind: Kind | None
    """The kind of the key's leaf; a section and a key of distribution's have none."""
    plain: bool
    """Whether a single value is expected, which is never read as YAML's lists and tables."""


def _place(name: str) -> _Place | None:
    """Return the longest known key that a variable begins with, if what follows fits it."""
    parts = name.removeprefix(PREFIX).split("_")
    for length in range(len(parts), 0, -1):
        key = _KEYS.get("_".join(parts[:length]))
        if key is None:
            continue
        rest = parts[length:]
        if key in BY_KEY or (key in SECTIONS and not rest):
            return _Place(key=key, rest=rest, kind=None, plain=False)
        kind = LEAVES[OLD_KEYS.get(key, key)].kind if OLD_KEYS.get(key, key) in LEAVES else None
        end = _end(kind, rest)
        return None if end is None else _Place(key=key, rest=rest, kind=kind, plain=isinstance(end, One))
    return None


def _end(kind: Kind | None, rest: list[str]) -> Kind | None:
    """Return the kind that the rest of a name leads to, or nothing if it leads nowhere."""
    if not rest:
        return kind
    match kind:
        case Named():
            return kind.of
        case Many() if len(rest) == 1 and rest[0].isdecimal():
            return kind.of
        case Records() if rest[0].isdecimal():
            return _end(_fields(kind).get(rest[1].lower()), rest[2:]) if len(rest) > 1 else kind
        case _:
            return None


def _fields(kind: Records) -> dict[str, Kind]:
    return {leaf.key: leaf.kind for leaf in leaves(kind.blank())}


class _Overlay:
    """Puts one variable's value where it belongs."""

    def __init__(self, root: Table, findings: Findings, name: str) -> None:
        self._root = root
        self._findings = findings
        self._mark = Mark(source=name)

    def put(self, place: _Place, value: Node) -> None:
        """Put the value at the key, or at what the rest of the name says within it."""
        *above, last = place.key.split(".")
        table = self._descend(above)
        if table is None:
            return
        old = table.entries.get(last)
        if not place.rest and place.kind is None and old is not None and not is_null(old):
            self._findings.note(f"{self._mark}: replaces the whole section {place.key} of {old.mark.source}")
        inner = self._within(old, place.rest, value, place.kind, place.key)
        if inner is not None:
            table.entries[last] = inner
        open_kinds(self._root)

    def _descend(self, parts: list[str]) -> Table | None:
        table = self._root
        for part in parts:
            below = table.entries.get(part)
            if is_null(below):
                below = table.entries[part] = Table({}, self._mark)
            if not isinstance(below, Table):
                return None  # the file has something else there, which is a problem of its own
            table = below
        return table

    def _within(self, old: Node | None, rest: list[str], value: Node, kind: Kind | None, key: str) -> Node | None:
        """Return the node with the value put into it; nothing if that cannot be."""
        if not rest:
            return value
        if isinstance(kind, Named):
            return self._entry(old, "_".join(rest), value)
        if rest[0].isdecimal():
            return self._item(old, rest, value, kind, key)
        table = old if isinstance(old, Table) else Table({}, self._mark)
        name = rest[0].lower()
        inner_kind = _fields(kind).get(name) if isinstance(kind, Records) else None
        inner = self._within(table.entries.get(name), rest[1:], value, inner_kind, f"{key}.{name}")
        if inner is not None:
            table.entries[name] = inner
        return table

    def _entry(self, old: Node | None, name: str, value: Node) -> Table:
        """Set a name of the operator's choice: variables are in capitals, so case does not count."""
        table = old if isinstance(old, Table) else Table({}, self._mark)
        same = next((other for other in table.entries if other.lower() == name.lower()), name.lower())
        table.entries[same] = value
        return Table(table.entries, self._mark)

    def _item(self, old: Node | None, rest: list[str], value: Node, kind: Kind | None, key: str) -> Node | None:
        items = old.items if isinstance(old, Series) else []
        index = int(rest[0])
        if index > len(items):
            message = f"there is no item {index} to set: the list has {len(items)}"
            self._findings.problem(self._mark, key, message, f"the next is {len(items)}")
            return None
        before = items[index] if index < len(items) else None
        inner = self._within(before, rest[1:], value, kind, f"{key}.{index}")
        if inner is not None:
            items[index:] = [inner, *items[index + 1 :]]
        return Series(items, self._mark)


def open_kinds(root: Table) -> None:
    """Write out the sections that were given as one word: `auth: none` becomes `auth: {none: }`."""
    for section in KIND_SECTIONS:
        node = root.entries.get(section)
        if isinstance(node, Scalar) and not is_null(node):
            chosen = Table({}, node.mark)
            root.entries[section] = Table({node.text.lower(): chosen}, node.mark)
