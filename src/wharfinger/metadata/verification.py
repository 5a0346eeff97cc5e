# SPDX-License-Identifier: Apache-2.0
"""Rows of verifications: how far each is, who is at work on it, and what it found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from wharfinger.clock import Instant
from wharfinger.domain.verification import Finding, Kind, Phase, Tally
from wharfinger.metadata.database import Statement
from wharfinger.metadata.upkeep_tables import findings, verifications

_COUNTS: Final = ("blobs", "bytes", "manifests", "tags", "objects", "healed")
_RECORD: Final = Statement(
    lambda insert: insert(findings).on_conflict_do_nothing().returning(findings.c.id),
    columns=("verification_id", "kind", "what", "detail", "at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One verification.

    Args:
        id: of its row.
        registry_id: whose content.
        scope: what is verified, and for whom.
        phase: what is looked at now.
        position: the last id of the phase that was looked at.
        ceiling: the last id there was when the phase began; what comes later was verified when it came.
        tally: how much was looked at.
        started_at: when it began, in whichever process.
        finished_at: when it ended.
        stopped_at: when somebody had it stopped; nothing if it goes on.
    """

    id: int
    registry_id: int
    scope: str
    phase: Phase
    position: int
    ceiling: int
    tally: Tally
    started_at: Instant
    finished_at: Instant | None
    stopped_at: Instant | None = None


def find_open(connection: Connection, registry_id: int, scope: str) -> Run | None:
    """Return the verification that has not ended."""
    return _find(connection, registry_id, scope, ended=False)


def find_last(connection: Connection, registry_id: int, scope: str) -> Run | None:
    """Return the verification that ended last."""
    return _find(connection, registry_id, scope, ended=True)


def list_runs(
    connection: Connection,
    registry_id: int,
    before: int | None,
    limit: int,
    number: int | None = None,
    *,
    unfinished: bool = False,
) -> Sequence[tuple[Run, int, Instant | None]]:
    """Return verifications with how much each found, and until when somebody works on it; the newest first.

    Args:
        connection: the transaction.
        registry_id: of which registry.
        before: only those with a lower id.
        limit: how many.
        number: only the one of this id.
        unfinished: only those that have not ended.
    """
    found = (
        select(func.count())
        .select_from(findings)
        .where(findings.c.verification_id == verifications.c.id)
        .scalar_subquery()
    )
    statement = (
        select(verifications, found.label("found"))
        .where(verifications.c.registry_id == registry_id)
        .order_by(verifications.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(verifications.c.id < before)
    if number is not None:
        statement = statement.where(verifications.c.id == number)
    if unfinished:
        statement = statement.where(verifications.c.finished_at.is_(None))
    return [
        (_run(row), row.found, None if row.claimed_until is None else Instant(row.claimed_until))
        for row in connection.execute(statement)
    ]


def get(connection: Connection, run_id: int) -> Run:
    """Return a verification that is there."""
    return _run(connection.execute(select(verifications).where(verifications.c.id == run_id)).one())


def begin(connection: Connection, registry_id: int, scope: str, phase: Phase, now: Instant) -> Run:
    """Start a verification; of those before it with the same scope only the newest is remembered."""
    last = find_last(connection, registry_id, scope)
    connection.execute(
        delete(verifications).where(
            verifications.c.registry_id == registry_id,
            verifications.c.scope == scope,
            verifications.c.id != (0 if last is None else last.id),
        )
    )
    row = connection.execute(
        insert(verifications)
        .values(registry_id=registry_id, scope=scope, phase=phase.value, position=0, ceiling=0, started_at=now)
        .returning(*verifications.c)
    ).one()
    return _run(row)


def drop(connection: Connection, run_id: int) -> None:
    """Forget a verification with what it found."""
    connection.execute(delete(verifications).where(verifications.c.id == run_id))


def claim(connection: Connection, run_id: int, token: str, now: Instant, until: Instant) -> bool:
    """Take the verification, or keep it; returns whether it is the caller's now."""
    statement = (
        update(verifications)
        .where(
            verifications.c.id == run_id,
            verifications.c.finished_at.is_(None),
            verifications.c.claim.is_(None) | (verifications.c.claim == token) | (verifications.c.claimed_until <= now),
        )
        .values(claim=token, claimed_until=until)
    )
    return connection.execute(statement).rowcount > 0


def stop(connection: Connection, run_id: int, now: Instant) -> bool:
    """Have whoever is at work leave it; returns whether it had not ended, and was not stopped before."""
    statement = (
        update(verifications)
        .where(
            verifications.c.id == run_id, verifications.c.finished_at.is_(None), verifications.c.stopped_at.is_(None)
        )
        .values(stopped_at=now)
    )
    return connection.execute(statement).rowcount > 0


def resume(connection: Connection, run_id: int) -> None:
    """Let a verification go on that was stopped."""
    connection.execute(update(verifications).where(verifications.c.id == run_id).values(stopped_at=None))


def is_stopped(connection: Connection, run_id: int) -> bool:
    """Say whether a verification is to stop; one that is gone is."""
    row = connection.execute(select(verifications.c.stopped_at).where(verifications.c.id == run_id)).first()
    return row is None or row.stopped_at is not None


def release(connection: Connection, run_id: int, token: str) -> None:
    """Give the verification back; the next one goes on where it stands."""
    connection.execute(
        update(verifications)
        .where(verifications.c.id == run_id, verifications.c.claim == token)
        .values(claim=None, claimed_until=None)
    )


def save(connection: Connection, run: Run, token: str, until: Instant) -> bool:
    """Note how far it is, and keep the claim; returns whether the caller still had it."""
    counts = {name: getattr(run.tally, name) for name in _COUNTS}
    statement = (
        update(verifications)
        .where(verifications.c.id == run.id, verifications.c.claim == token)
        .values(
            phase=run.phase.value,
            position=run.position,
            ceiling=run.ceiling,
            finished_at=run.finished_at,
            claimed_until=until,
            **counts,
        )
    )
    return connection.execute(statement).rowcount > 0


def record(connection: Connection, run_id: int, finding: Finding, at: Instant) -> bool:
    """Note a finding; returns whether it is new."""
    row = _RECORD.first(
        connection,
        verification_id=run_id,
        kind=finding.kind.value,
        what=finding.what,
        detail=finding.detail,
        at=at,
    )
    return row is not None


def count_findings(connection: Connection, run_id: int) -> int:
    """Return how much was found."""
    statement = select(func.count()).select_from(findings).where(findings.c.verification_id == run_id)
    return int(connection.execute(statement).scalar_one())


def list_findings(connection: Connection, run_id: int, after: int, limit: int) -> Sequence[tuple[int, Finding]]:
    """Return findings with their ids, in the order in which they were found, after an id."""
    statement = (
        select(findings.c.id, findings.c.kind, findings.c.what, findings.c.detail)
        .where(findings.c.verification_id == run_id, findings.c.id > after)
        .order_by(findings.c.id)
        .limit(limit)
    )
    return [
        (row.id, Finding(kind=Kind(row.kind), what=row.what, detail=row.detail))
        for row in connection.execute(statement)
    ]


def _find(connection: Connection, registry_id: int, scope: str, *, ended: bool) -> Run | None:
    is_open = verifications.c.finished_at.is_(None)
    row = connection.execute(
        select(verifications)
        .where(
            verifications.c.registry_id == registry_id, verifications.c.scope == scope, ~is_open if ended else is_open
        )
        .order_by(verifications.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _run(row)


def _run(row: object) -> Run:
    values = row._mapping  # type: ignore[attr-defined]  # noqa: SLF001 - the toolkit's public name
    return Run(
        id=values["id"],
        registry_id=values["registry_id"],
        scope=values["scope"],
        phase=Phase(values["phase"]),
        position=values["position"],
        ceiling=values["ceiling"],
        tally=Tally(**{name: values[name] for name in _COUNTS}),
        started_at=Instant(values["started_at"]),
        finished_at=None if values["finished_at"] is None else Instant(values["finished_at"]),
        stopped_at=None if values["stopped_at"] is None else Instant(values["stopped_at"]),
    )
