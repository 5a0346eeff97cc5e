# SPDX-License-Identifier: Apache-2.0
"""A deployment as its operator sees it: what was set where, and what is worth knowing about the whole.

A *concern* is something that the operator should act on, or know on purpose. Which there are is decided here, from
facts that others gathered.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.access import Mode

DEFAULT: Final = "default"
"""The origin of what nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, as it counts.

    Args:
        key: dotted, as in the file.
        value: as it would be written there; secrets are hidden.
        origin: where it was said: a line of a file, a variable, or `default`.
    """

    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What does not change while a process runs.

    Args:
        database: which kind holds the rows.
        encrypted: whether clients reach this server by TLS of its own, or by what the operator says is TLS.
        reaches_others: whether other machines reach it.
        deletion: whether deletion is on where the operator said; nothing where the mode decides.
        read_only: whether nothing may be changed.
        collects, verifies: whether background jobs do so.
        settings: all of them; none where they are not known.
    """

    database: str
    encrypted: bool = True
    reaches_others: bool = False
    deletion: bool | None = None
    read_only: bool = False
    collects: bool = True
    verifies: bool = True
    settings: Sequence[Setting] = ()

    def origin(self, key: str) -> str:
        """Return where a setting was said."""
        return next((one.origin for one in self.settings if one.key == key), DEFAULT)


class ConcernKind(enum.StrEnum):
    """What the operator should know."""

    OPEN = "open"
    """Everybody who reaches the registry may push and pull."""
    UNENCRYPTED = "unencrypted"
    """Other machines reach it without TLS."""
    READ_ONLY = "read-only"
    DELETION_OFF = "deletion-off"
    COLLECTION_OFF = "collection-off"
    VERIFICATION_OFF = "verification-off"
    UNHEALTHY = "unhealthy"
    """A check fails; uploads or everything may be refused."""
    ALMOST_FULL = "almost-full"
    """The store has less than twice the reserve."""
    FULL = "full"
    """The store has less than the reserve: no upload is taken."""
    NO_JOBS = "no-jobs"
    """No background job has said anything for hours."""
    JOB_FAILS = "job-fails"
    """The last run of a job failed."""
    DAMAGED = "damaged"
    """The last verification found something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One of them.

    Args:
        kind: what it is.
        about: what it is about, where there are several: a check, a registry, a job.
        detail: more, in words.
        key: the setting that decides, if one does.
        origin: where that setting was said.
    """

    kind: ConcernKind
    about: str = ""
    detail: str = ""
    key: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was found just now.

    Args:
        mode: who may sign in.
        problems: what the checks of health say, by name.
        space: free bytes and reserve of the store of each registry that has an end.
        silent: whether no background job has said anything for hours.
        failing: jobs whose last run did not succeed, with the reason.
        findings: how much the last whole verification of each registry found.
    """

    mode: Mode
    problems: Mapping[str, str]
    space: Mapping[str, tuple[int, int]]
    silent: bool
    failing: Mapping[str, str]
    findings: Mapping[str, int]


_SWITCHES: Final = (
    ("read_only", True, ConcernKind.READ_ONLY, "storage.maintenance.readonly.enabled"),
    ("collects", False, ConcernKind.COLLECTION_OFF, "collection.enabled"),
    ("verifies", False, ConcernKind.VERIFICATION_OFF, "verification.enabled"),
)


def concerns(facts: Facts, observed: Observed) -> Sequence[Concern]:
    """Return what the operator should know, the most urgent first."""
    found = [
        Concern(kind=ConcernKind.UNHEALTHY, about=name, detail=problem) for name, problem in observed.problems.items()
    ]
    for name, (free, reserve) in observed.space.items():
        if free < 2 * reserve:
            kind = ConcernKind.FULL if free < reserve else ConcernKind.ALMOST_FULL
            found.append(_set(facts, kind, "storage.filesystem.reserve", name))
    found += [
        Concern(kind=ConcernKind.DAMAGED, about=name, detail=str(n)) for name, n in observed.findings.items() if n
    ]
    if observed.mode is Mode.OPEN:
        found.append(_set(facts, ConcernKind.OPEN, "auth.none"))
    if facts.reaches_others and not facts.encrypted:
        found.append(_set(facts, ConcernKind.UNENCRYPTED, "http.tls.certificate"))
    if observed.silent:
        found.append(Concern(kind=ConcernKind.NO_JOBS))
    found += [
        Concern(kind=ConcernKind.JOB_FAILS, about=name, detail=reason) for name, reason in observed.failing.items()
    ]
    for name, value, kind, key in _SWITCHES:
        if getattr(facts, name) is value:
            found.append(_set(facts, kind, key))
    deletes = observed.mode is Mode.ACCOUNTS if facts.deletion is None else facts.deletion
    if not deletes:
        found.append(_set(facts, ConcernKind.DELETION_OFF, "storage.delete.enabled"))
    return found


def _set(facts: Facts, kind: ConcernKind, key: str, about: str = "") -> Concern:
    return Concern(kind=kind, about=about, key=key, origin=facts.origin(key))
