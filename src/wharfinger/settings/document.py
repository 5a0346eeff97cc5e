# SPDX-License-Identifier: Apache-2.0
"""The settings as they were written: a tree of names and texts that still knows where each was said.

PyYAML's own loader forgets lines and lets the last of two equal keys win, so the file is read as nodes instead.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from wharfinger.settings.problems import Findings, Mark

_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"
_MAX_DEPTH: Final = 32
"""No setting lies as deep; a file that refers to itself does."""


@dataclass(slots=True)
class Scalar:
    """One text; `null` if nothing was said, which means the default."""

    text: str
    null: bool
    mark: Mark


@dataclass(slots=True)
class Series:
    """A list."""

    items: "list[Node]"
    mark: Mark


@dataclass(slots=True)
class Table:
    """Names and what they stand for; an entry's mark is the place of its name."""

    entries: "dict[str, Node]"
    mark: Mark


Node = Scalar | Series | Table


def is_null(node: Node | None) -> bool:
    """Say whether nothing was said; an empty text says nothing, as in distribution."""
    return node is None or (isinstance(node, Scalar) and (node.null or not node.text))


def find(table: Table, key: str) -> Node | None:
    """Return what stands at a dotted key."""
    node: Node | None = table
    for part in key.split("."):
        if not isinstance(node, Table):
            return None
        node = node.entries.get(part)
    return node


def read_file(path: Path, findings: Findings) -> Table:
    """Return the file's content; what is wrong with it is found, not raised, and reads as nothing."""
    mark = Mark(source=str(path))
    empty = Table({}, mark)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        findings.problem(mark, "", f"cannot be read: {error.strerror}")
        return empty
    except UnicodeDecodeError as error:
        findings.problem(mark, "", f"is not UTF-8 text (byte {error.start})")
        return empty
    node = read_text(text, str(path), findings)
    if isinstance(node, Table):
        return node
    if not is_null(node):
        findings.problem(mark, "", "is not a table of settings", "begin with version: 0.1")
    return empty


def read_text(text: str, source: str, findings: Findings) -> Node | None:
    """Return the nodes of a YAML text, or nothing if there are none."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        findings.problem(*_syntax_problem(text, source, error))
        return None
    except yaml.YAMLError:
        findings.problem(Mark(source=source), "", "holds a character that YAML does not allow")
        return None
    return None if root is None else _Translator(source, findings).node(root)


def read_value(text: str, source: str, *, plain: bool) -> Node:
    """Return the nodes of an environment variable's value.

    Args:
        text: the value.
        source: the variable.
        plain: whether a single value is expected. It is taken as it is, not as YAML reads it, because a password may
            hold ` #` and an address begin with `[`; only quotes around the whole are removed.
    """
    stripped = text.strip()
    as_it_is = Scalar(stripped, stripped in {"", "~", "null"}, Mark(source=source))
    ignored = Findings()
    node = read_text(text, source, ignored)
    if ignored.problems or node is None:
        return as_it_is
    if isinstance(node, Scalar):
        return node if stripped[:1] in {'"', "'"} else as_it_is
    return as_it_is if plain else node


def _syntax_problem(text: str, source: str, error: yaml.MarkedYAMLError) -> tuple[Mark, str, str]:
    """Say where the YAML breaks; a tab in the indentation is the commonest cause and looks like nothing."""
    line = 1 if error.problem_mark is None else error.problem_mark.line + 1
    column = None if error.problem_mark is None else error.problem_mark.column + 1
    for number, content in enumerate(text.splitlines()[:line], start=1):
        if re.match(r"[ ]*\t\s*\S", content):  # noqa: TID251 - the beginning of a line is what is asked for
            return Mark(source=source, line=number, column=content.index("\t") + 1), "", _TAB
    return Mark(source=source, line=line, column=column), "", f"is not YAML here: {error.problem or 'broken'}"


_TAB: Final = "tab used to indent; YAML takes only spaces"


class _Translator:
    """Turns PyYAML's nodes into ours."""

    def __init__(self, source: str, findings: Findings) -> None:
        self._source = source
        self._findings = findings

    def node(self, node: yaml.Node, path: tuple[str, ...] = (), mark: Mark | None = None) -> Node:
        """Return the node in our form; an entry of a table is marked at its name."""
        mark = mark or self._mark(node)
        if len(path) > _MAX_DEPTH:
            self._findings.problem(mark, path[0], "is nested too deeply, or refers to itself")
            return Scalar("", null=True, mark=mark)
        match node:
            case yaml.MappingNode():
                return Table(dict(self._entries(node, path)), mark)
            case yaml.SequenceNode():
                items = [self.node(item, (*path, str(index))) for index, item in enumerate(node.value)]
                return Series(items, mark)
            case _:
                return Scalar(str(node.value), node.tag == _NULL, mark)

    def _entries(self, mapping: yaml.MappingNode, path: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
        merged: list[yaml.Node] = []
        seen: dict[str, Mark] = {}
        for name, value in mapping.value:
            mark = self._mark(name)
            if name.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif not isinstance(name, yaml.ScalarNode):
                self._findings.problem(mark, ".".join(path), "a key must be a plain word")
            elif name.value in seen:
                first = seen[name.value].line
                self._findings.problem(mark, ".".join((*path, name.value)), f"said twice; the first is in line {first}")
            else:
                seen[name.value] = mark
                yield name.value, self.node(value, (*path, name.value), mark)
        for source in merged:
            table = self.node(source, (*path, "<<"))
            for key, entry in table.entries.items() if isinstance(table, Table) else ():
                if key not in seen:
                    seen[key] = entry.mark
                    yield key, entry

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(source=self._source, line=node.start_mark.line + 1, column=node.start_mark.column + 1)
