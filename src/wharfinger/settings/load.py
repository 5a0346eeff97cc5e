# SPDX-License-Identifier: Apache-2.0
"""Reading: defaults, then the file over them, then the environment over both.

Everything that is wrong is collected and raised together. What was said is never guessed at: an unknown key in the
file is an error, because a misspelt `auth` that is passed over would open the registry.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from wharfinger.domain.deployment import Setting
from wharfinger.settings.document import Node, Scalar, Series, Table, find, is_null, read_file
from wharfinger.settings.environment import LEAVES, OLD_KEYS, SECTIONS, open_kinds, overlay
from wharfinger.settings.exposure import (
    Exposure,
    SignIn,
    is_plain_beyond_loopback,
    open_beyond_loopback,
    where_to_sign_in,
)
from wharfinger.settings.kinds import Kind, Many, Named, One, Records, leaf_of
from wharfinger.settings.problems import Findings, Mark, SettingsError, nearest_key
from wharfinger.settings.storages import clashes
from wharfinger.settings.tree import Settings
from wharfinger.settings.unsupported import BY_KEY, STORAGE_KINDS
from wharfinger.settings.values import Unfit, parse_address, parse_boolean, quoted

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VERSION: Final = "0.1"
_LAST: Final = 2**31
"""Problems without a line follow those of the file."""
_NEEDED_TO_SIGN_IN: Final = {"htpasswd": ("path",), "token": ("realm", "service", "issuer")}
_S = TypeVar("_S", bound="DataclassInstance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings, and what is good to know about them."""

    settings: Settings
    origins: Mapping[str, str]
    """For each dotted key of a leaf where its value came from: `default`, `config.yml:12`, `REGISTRY_HTTP_ADDR`."""
    notes: list[str]
    """Sentences for the log."""
    warnings: list[str]
    """Those of the notes that the operator should act on, or know on purpose."""
    while_open: list[str]
    """Those of the warnings that the first account puts an end to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting for `wharfinger check`."""

    key: str
    value: str
    origin: str


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Return the settings.

    Args:
        path: the configuration file, if there is one.
        environ: the environment.

    Raises:
        SettingsError: with everything that is wrong.
    """
    findings = Findings()
    nowhere = Mark(source="settings")
    root = Table({}, nowhere) if path is None else read_file(path, findings)
    if path is not None:
        _check_version(root, findings)
    open_kinds(root)
    unsaid = is_null(root.entries.get("auth"))
    overlay(root, environ, findings)
    said = (path is not None and unsaid) or not is_null(root.entries.get("auth"))
    _settle_kinds(root, findings)
    _settle_old_keys(root, findings)
    reader = _Reader(findings)
    settings = reader.section(Settings(), root, "")
    _check_together(settings, root, findings)
    if not any(problem.key.startswith(("auth", "http.addr")) for problem in findings.problems):
        _check_exposure(settings, root, findings, said=said)
    if findings.problems:
        raise SettingsError(sorted(findings.problems, key=lambda problem: problem.mark.line or _LAST))
    origins = {key: reader.origins.get(key, "default") for key in LEAVES}
    return Loaded(
        settings=settings,
        origins=origins,
        notes=findings.notes,
        warnings=findings.warnings,
        while_open=findings.while_open,
    )


def describe(loaded: Loaded) -> Iterator[Row]:
    """Yield every setting with its value and origin; secrets are hidden."""
    for key, leaf in LEAVES.items():
        value: object = loaded.settings
        for part in key.split("."):
            value = getattr(value, part)
        yield Row(key=key, value=leaf.shown(value), origin=loaded.origins[key])


def shown(loaded: Loaded) -> Sequence[Setting]:
    """Return the same for pages and programs, apart from the floor that knows settings."""
    return [Setting(key=row.key, value=row.value, origin=row.origin) for row in describe(loaded)]


# --- before the tree is read -----------------------------------------------------------------------------------------


def _check_version(root: Table, findings: Findings) -> None:
    if findings.problems and not root.entries:
        return  # the file could not be read at all; that is said already
    node = root.entries.pop("version", None)
    if node is None:
        findings.problem(root.mark, "version", "is missing", f"begin the file with version: {VERSION}")
    elif not isinstance(node, Scalar) or node.text != VERSION:
        given = quoted(node.text) if isinstance(node, Scalar) else "something else"
        findings.problem(node.mark, "version", f"must be {VERSION}, not {given}")


def _settle_kinds(root: Table, findings: Findings) -> None:
    """Check that one storage and one way of signing in are chosen, and that the latter has what it needs."""
    storage, auth = root.entries.get("storage"), root.entries.get("auth")
    if isinstance(storage, Table):
        _check_one_kind(
            "storage", [kind for kind in storage.entries if kind in {*STORAGE_KINDS, "filesystem"}], storage, findings
        )
    if not isinstance(auth, Table):
        return
    _check_one_kind("auth", list(auth.entries), auth, findings)
    for kind, needed in _NEEDED_TO_SIGN_IN.items():
        node = auth.entries.get(kind)
        given = node.entries if isinstance(node, Table) else {}
        if node is None:
            continue
        for name in needed:
            if is_null(given.get(name)):
                findings.problem(node.mark, f"auth.{kind}.{name}", f"is missing: {kind} cannot work without it")
    token = auth.entries.get("token")
    if isinstance(token, Table) and all(is_null(token.entries.get(name)) for name in ("rootcertbundle", "jwks")):
        message = "has no keys: tokens are verified with those of rootcertbundle or jwks"
        findings.problem(token.mark, "auth.token", message)
    _settle_none(auth, findings)


def _settle_none(auth: Table, findings: Findings) -> None:
    """Read `none:` as the choice that it is, as `none: true` would say it; it has nothing below it."""
    none = auth.entries.get("none")
    if none is None:
        return
    if is_null(none) and none.mark.line is None:
        findings.problem(none.mark, "auth.none", "is empty, which chooses nothing", "say REGISTRY_AUTH=none")
    elif not is_null(none) and not _is_true(none) and not (isinstance(none, Table) and not none.entries):
        findings.problem(none.mark, "auth.none", "takes no parameters")
    auth.entries["none"] = Scalar("true", null=False, mark=none.mark)


def _is_true(node: Node) -> bool:
    try:
        return isinstance(node, Scalar) and parse_boolean(node.text)
    except Unfit:
        return False


def _check_one_kind(section: str, kinds: list[str], table: Table, findings: Findings) -> None:
    if len(kinds) > 1:
        given = ", ".join(f"{kind} ({table.entries[kind].mark})" for kind in kinds)
        findings.problem(table.mark, section, f"only one may be given, not {given}")


def _settle_old_keys(root: Table, findings: Findings) -> None:
    """Move what stands at a key that distribution itself replaced to the new one, unless that is given too."""
    for old, new in OLD_KEYS.items():
        above, _, last = old.rpartition(".")
        table = find(root, above) if above else root
        node = table.entries.pop(last, None) if isinstance(table, Table) else None
        if node is None or is_null(node):
            continue
        findings.note(f"{node.mark}: {old}: is out of date; write {new}")
        section, _, name = new.rpartition(".")
        place = root.entries.setdefault(section, Table({}, node.mark))
        if isinstance(place, Table) and is_null(place.entries.get(name)):
            place.entries[name] = _inverted(node) if old == "validation.enabled" else node


def _inverted(node: Node) -> Node:
    """Return the opposite of a boolean: `enabled` became `disabled`."""
    if not isinstance(node, Scalar):
        return node
    try:
        text = str(not parse_boolean(node.text))
    except Unfit:
        text = node.text
    return Scalar(text, null=False, mark=node.mark)


# --- the tree --------------------------------------------------------------------------------------------------------


class _Reader:
    """Turns what was written into the tree, and keeps account of where each value came from."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.origins: dict[str, str] = {}

    def section(self, section: _S, table: Table, prefix: str) -> _S:
        """Return the section with what the table says put over it."""
        known = {item.name: item for item in fields(section)}
        changes: dict[str, object] = {}
        for name, node in table.entries.items():
            key = prefix + name
            item = known.get(name)
            if item is None:
                self._stranger(key, node, [prefix + other for other in known])
            elif is_dataclass(below := getattr(section, name)) and not isinstance(below, type):
                changes[name] = self._subsection(below, node, key)
            elif not is_null(node):
                self._leaf(changes, name, key, node, leaf_of(item.metadata, key, None).kind)
            elif node.mark.line is None:
                self.origins[key] = str(node.mark)  # an empty variable sets a key of the file back to its default
        return replace(section, **changes)

    def _subsection(self, below: _S, node: Node, key: str) -> _S:
        if isinstance(node, Table):
            return self.section(below, node, f"{key}.")
        if not is_null(node):
            self._findings.problem(node.mark, key, "is a section and takes no value of its own")
        return below

    def _leaf(self, changes: dict[str, object], name: str, key: str, node: Node, kind: Kind) -> None:
        try:
            changes[name] = self._value(key, node, kind)
        except Unfit as unfit:
            self._findings.problem(node.mark, key, str(unfit))
        self.origins[key] = str(node.mark)

    def _value(self, key: str, node: Node, kind: Kind) -> object:
        match kind, node:
            case One(), Scalar():
                return kind.parse(node.text)
            case Many(), Series():
                return tuple(self._items(key, node, kind))
            case Named(), Table():
                return self._named(key, node, kind)
            case Records(), Series():
                return tuple(self._records(key, node, kind))
            case _:
                given = {Scalar: "a single value", Series: "a list", Table: "a section"}[type(node)]
                message = f"{given} is given, but this takes {_wanted(kind)}"
                raise Unfit(message)

    def _items(self, key: str, series: Series, kind: Many) -> Iterator[object]:
        """Yield the items; a wrong one is told of at its own line, and the others are looked at too."""
        for index, node in enumerate(series.items):
            try:
                yield self._value(f"{key}.{index}", node, kind.of)
            except Unfit as unfit:
                self._findings.problem(node.mark, f"{key}.{index}", str(unfit))

    def _named(self, key: str, table: Table, kind: Named) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, node in table.entries.items():
            if is_null(node):
                continue
            try:
                values[kind.key(name)] = self._value(f"{key}.{name}", node, kind.of)
            except Unfit as unfit:
                self._findings.problem(node.mark, f"{key}.{name}", str(unfit))
        return values

    def _records(self, key: str, series: Series, kind: Records) -> Iterator[object]:
        for index, node in enumerate(series.items):
            place = f"{key}.{index}"
            if not isinstance(node, Table):
                self._findings.problem(node.mark, place, "is no section", f"give one with {', '.join(kind.needed)}")
                continue
            for needed in kind.needed:
                if is_null(node.entries.get(needed)):
                    self._findings.problem(node.mark, place, f"{needed} is missing")
            yield self.section(kind.blank(), node, f"{place}.")

    def _stranger(self, key: str, node: Node, beside: list[str]) -> None:
        """Judge a key that is not ours: one of distribution's, or of nobody's."""
        foreign = BY_KEY.get(key)
        if foreign is None:
            near = nearest_key(key, [*beside, *LEAVES, *SECTIONS, *BY_KEY])
            self._findings.problem(node.mark, key, "unknown key", f"did you mean {near}?" if near else "")
        elif foreign.stops.holds(node):
            self._findings.problem(node.mark, key, f"{foreign.verdict} ({foreign.why})")
        elif foreign.stops.when:
            self._findings.note(f"{node.mark}: {key}: accepted: it is empty or switched off, so nothing is missing")
        else:
            self._findings.note(f"{node.mark}: {key}: accepted, and nothing needs to be done: {foreign.why}")


def _wanted(kind: Kind) -> str:
    match kind:
        case One():
            return f"a single value: {kind.name}"
        case Many():
            return f"a {kind.name}, for example [a, b]"
        case Named():
            return f"a section: {kind.name}"
        case Records():
            return f"a {kind.name}"


# --- what only shows together ----------------------------------------------------------------------------------------


def _check_together(settings: Settings, root: Table, findings: Findings) -> None:
    tls, http = settings.http.tls, settings.http
    if (tls.certificate is None) != (tls.key is None):
        missing = "http.tls.key" if tls.key is None else "http.tls.certificate"
        findings.problem(_mark(root, "http.tls"), missing, "is missing: a certificate and its key belong together")
    try:
        if http.net == "tcp":
            parse_address(http.addr)
    except Unfit as unfit:
        findings.problem(_mark(root, "http.addr"), "http.addr", str(unfit))
    for clash in clashes(settings):
        findings.problem(_mark(root, clash.key), clash.key, clash.message, clash.hint)


def _check_exposure(settings: Settings, root: Table, findings: Findings, *, said: bool) -> None:
    mark = _mark(root, "http.addr")
    if settings.auth.kind in {"htpasswd", "token"}:
        if is_plain_beyond_loopback(settings):
            findings.warn(
                f"{mark}: http.addr: passwords and tokens travel to {settings.http.addr} unencrypted, for everybody "
                "on the way to read; set http.tls, or listen on loopback behind a proxy that speaks TLS"
            )
        return
    match open_beyond_loopback(settings, said=said):
        case Exposure.CHOSEN:
            everybody = f"whoever reaches {settings.http.addr} may push, pull and, where deletion is on, delete"
            if settings.auth.none:
                findings.warn(f"{mark}: http.addr: {everybody}: no sign-in is set up")
                return
            advice = _advice(settings)
            warning = f"{mark}: http.addr: until `wharfinger init` makes the first account, {everybody}{advice}"
            findings.warn(warning, while_open=True)
        case Exposure.ACCIDENTAL:
            message = f"{settings.http.addr} is reachable from other machines, and nobody would be asked to sign in"
            hint = "listen on 127.0.0.1:5000, or say auth: none (REGISTRY_AUTH=none) to let everybody in"
            findings.problem(mark, "http.addr", message, hint)
        case Exposure.LOCAL:
            pass


def _advice(settings: Settings) -> str:
    """Say what becomes of passwords once there are accounts, where an address is open to other machines now."""
    if settings.accounts.allowplain and is_plain_beyond_loopback(settings):
        return "; from then on passwords and tokens travel unencrypted, as accounts.allowplain says"
    if where_to_sign_in(settings) is SignIn.UNSAFE:
        return "; from then on it does not start without http.tls, or a proxy that speaks TLS (http.host)"
    return ""


def _mark(root: Table, key: str) -> Mark:
    """Return where a key was said; its section's place if it was not."""
    while key:
        node = find(root, key)
        if node is not None:
            return node.mark
        key = key.rpartition(".")[0]
    return root.mark
