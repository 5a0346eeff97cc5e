# SPDX-License-Identifier: Apache-2.0
"""Rows of background jobs: what each node's jobs do, did last, and are wanted to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ClauseElement, Connection, Update, case, delete, select, update

from wharfinger.clock import Instant
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.figure_tables import jobs

_FIELDS: Final = ("started_at", "ended_at", "next_at", "wanted_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """What a job of a node says of itself.

    Args:
        node: the host on which it runs.
        name: of the job.
        interval: microseconds between two runs.
        seen_at: when the node last said anything.
        started_at: when it began last.
        ended_at: when it ended last; earlier than `started_at` while it is at work.
        outcome: of the run that ended last: `ok`, `unavailable` or `failed`.
        done: how much that run did.
        reason: why it did not succeed.
        next_at: when it runs again.
        wanted_at: when somebody asked for a run that has not begun.
    """

    node: str
    name: str
    interval: int
    seen_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    outcome: str | None
    done: int
    reason: str | None
    next_at: Instant | None
    wanted_at: Instant | None

    @property
    def is_working(self) -> bool:
        """Whether it is at work."""
        return self.started_at is not None and (self.ended_at is None or self.ended_at < self.started_at)


def _announce(insert: InsertInto) -> ClauseElement:
    statement = insert(jobs)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=["node", "name"],
        set_={
            "interval": statement.excluded.interval,
            "seen_at": statement.excluded.seen_at,
            "next_at": statement.excluded.next_at,
            # A process that died while it worked is not at work any more.
            "started_at": case((jobs.c.ended_at.is_(None), None), else_=jobs.c.ended_at),
        },
    )
    return upsert


_ANNOUNCE: Final = Statement(_announce, columns=("node", "name", "interval", "seen_at", "next_at"))


def announce(connection: Connection, node: str, intervals: Mapping[str, int], now: Instant, forgotten: Instant) -> None:
    """Write which jobs a node has.

    Args:
        connection: the transaction.
        node: of which node.
        intervals: microseconds between runs, by the name of the job.
        now: when.
        forgotten: what other nodes have not written since then is removed.
    """
    connection.execute(delete(jobs).where(jobs.c.node == node, jobs.c.name.not_in(list(intervals))))
    connection.execute(delete(jobs).where(jobs.c.seen_at < forgotten))
    every = [
        {"node": node, "name": name, "interval": interval, "seen_at": now, "next_at": now}
        for name, interval in intervals.items()
    ]
    _ANNOUNCE.many(connection, every)


def begin(connection: Connection, node: str, name: str, at: Instant, now: Instant) -> None:
    """Note that a job has been at work since some time."""
    connection.execute(_one(node, name).values(started_at=at, seen_at=now))


def end(
    connection: Connection,
    node: str,
    name: str,
    *,
    started_at: Instant,
    ended_at: Instant,
    outcome: str,
    done: int,
    reason: str | None,
    next_at: Instant,
) -> None:
    """Note how a run ended; what was wanted before it began was this run."""
    wanted = case((jobs.c.wanted_at <= started_at, None), else_=jobs.c.wanted_at)
    connection.execute(
        _one(node, name).values(
            started_at=started_at,
            ended_at=ended_at,
            seen_at=ended_at,
            outcome=outcome,
            done=done,
            reason=reason,
            next_at=next_at,
            wanted_at=wanted,
        )
    )


def want(connection: Connection, node: str, name: str, now: Instant) -> None:
    """Note that somebody wants a job to run."""
    connection.execute(_one(node, name).values(wanted_at=now))


def wanted(connection: Connection, node: str) -> Sequence[str]:
    """Return the jobs of a node that somebody wants to run."""
    return connection.scalars(select(jobs.c.name).where(jobs.c.node == node, jobs.c.wanted_at.is_not(None))).all()


def list_jobs(connection: Connection) -> Sequence[JobRow]:
    """Return every job of every node, by name, the node that said something last first."""
    rows = connection.execute(select(jobs).order_by(jobs.c.name, jobs.c.seen_at.desc(), jobs.c.node))
    return [
        JobRow(
            node=row.node,
            name=row.name,
            interval=row.interval,
            seen_at=Instant(row.seen_at),
            outcome=row.outcome,
            done=row.done,
            reason=row.reason,
            **{name: None if (at := getattr(row, name)) is None else Instant(at) for name in _FIELDS},
        )
        for row in rows
    ]


def _one(node: str, name: str) -> Update:
    return update(jobs).where(jobs.c.node == node, jobs.c.name == name)
