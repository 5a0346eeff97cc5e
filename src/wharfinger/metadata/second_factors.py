# SPDX-License-Identifier: Apache-2.0
"""Rows of second factors, of recovery codes, and of wrong codes.

What counts once is taken by the statement that changes its row: of two requests with the same code, one finds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from wharfinger.clock import Instant
from wharfinger.domain.second_factors import FactorKind
from wharfinger.metadata.account_tables import accounts
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.sign_in_tables import factor_locks, recovery_codes, second_factors


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFactor:
    """A second factor that is to be stored.

    Args:
        kind: what it is.
        name: what its owner calls it.
        secret: of an app, sealed.
        public_id, public_key, site: of a passkey.
        counter: the step of the app's last code, or how often the passkey signed.
    """

    kind: FactorKind
    name: str
    secret: str | None = field(default=None, repr=False)
    public_id: str | None = None
    public_key: str | None = None
    site: str | None = None
    counter: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A second factor as the database knows it."""

    id: int
    account_id: int
    kind: FactorKind
    name: str
    secret: str | None = field(repr=False)
    public_id: str | None
    public_key: str | None
    site: str | None
    counter: int
    created_at: Instant
    last_used_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Wrong codes in a row, and until when none of an app is taken."""

    failures: int = 0
    locked_until: Instant | None = None


_COLUMNS: Final = tuple(second_factors.c[name] for name in Factor.__dataclass_fields__)
_CREATE: Final = Statement(
    lambda insert: insert(second_factors).on_conflict_do_nothing().returning(second_factors.c.id),
    columns=("account_id", *NewFactor.__dataclass_fields__, "created_at"),
)
_BEGIN_LOCK: Final = Statement(
    lambda insert: insert(factor_locks).on_conflict_do_nothing(), columns=("account_id", "failures")
)


def list_factors(connection: Connection, account_id: int) -> Sequence[Factor]:
    """Return the second factors of an account, the oldest first."""
    statement = select(*_COLUMNS).where(second_factors.c.account_id == account_id).order_by(second_factors.c.id)
    return [_factor(row) for row in connection.execute(statement)]


def find_passkey(connection: Connection, public_id: str) -> Factor | None:
    """Return the passkey of that id, if its account is not deleted."""
    statement = (
        select(*_COLUMNS)
        .join(accounts, accounts.c.id == second_factors.c.account_id)
        .where(second_factors.c.public_id == public_id, accounts.c.deleted_at.is_(None))
    )
    row = connection.execute(statement).first()
    return None if row is None else _factor(row)


def count(connection: Connection, account_id: int) -> int:
    """Return how many second factors an account has."""
    statement = select(func.count()).select_from(second_factors).where(second_factors.c.account_id == account_id)
    return int(connection.execute(statement).scalar_one())


def create(connection: Connection, account_id: int, new: NewFactor, now: Instant) -> int | None:
    """Store a second factor and return its id; nothing if the same passkey is stored already."""
    values = {name: getattr(new, name) for name in NewFactor.__dataclass_fields__}
    made = _CREATE.first(connection, **{**values, "kind": new.kind.value, "account_id": account_id, "created_at": now})
    return None if made is None else int(made[0])


def remove(connection: Connection, account_id: int, factor_id: int) -> tuple[FactorKind, str] | None:
    """Remove a second factor of an account; return its kind and name, or nothing if there is none."""
    mine = (second_factors.c.id == factor_id) & (second_factors.c.account_id == account_id)
    statement = delete(second_factors).where(mine).returning(second_factors.c.kind, second_factors.c.name)
    row = connection.execute(statement).first()
    return None if row is None else (FactorKind(row[0]), row[1])


def remove_all(connection: Connection, account_id: int) -> int:
    """Remove every second factor of an account, its recovery codes and its lock; return how many factors there were."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    connection.execute(delete(factor_locks).where(factor_locks.c.account_id == account_id))
    return connection.execute(delete(second_factors).where(second_factors.c.account_id == account_id)).rowcount


def take_step(connection: Connection, factor_id: int, step: int, now: Instant) -> bool:
    """Have the code of a step, and those before it, count no more; say whether it still counted."""
    return _use(connection, factor_id, second_factors.c.counter < step, step, now)


def take_signature(connection: Connection, factor_id: int, counter: int, asked_at: Instant, now: Instant) -> bool:
    """Note a signature of a passkey; say whether it may count.

    It may not where what it answers was asked before the passkey's last use, so no answer counts twice; nor where the
    authenticator counts backwards, which a copy of it does.
    """
    after = second_factors.c.last_used_at.is_(None) | (second_factors.c.last_used_at < asked_at)
    forward = second_factors.c.counter < counter
    if counter == 0:
        forward = second_factors.c.counter == 0
    return _use(connection, factor_id, after & forward, counter, now)


def replace_codes(connection: Connection, account_id: int, fingerprints: Sequence[str], now: Instant) -> None:
    """Store new recovery codes of an account in the place of those that it has."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    rows = [{"account_id": account_id, "fingerprint": one, "created_at": now} for one in fingerprints]
    connection.execute(insert(recovery_codes), rows)


def count_codes(connection: Connection, account_id: int) -> int:
    """Return how many recovery codes an account has left."""
    statement = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.account_id == account_id)
    return int(connection.execute(statement).scalar_one())


def spend_code(connection: Connection, account_id: int, fingerprint: str) -> bool:
    """Have a recovery code count no more; say whether it still counted."""
    mine = (recovery_codes.c.account_id == account_id) & (recovery_codes.c.fingerprint == fingerprint)
    return connection.execute(delete(recovery_codes).where(mine)).rowcount == 1


def lock_of(connection: Connection, account_id: int) -> Lock:
    """Return how many codes were wrong in a row."""
    statement = select(factor_locks.c.failures, factor_locks.c.locked_until)
    row = connection.execute(statement.where(factor_locks.c.account_id == account_id)).first()
    return Lock() if row is None else Lock(failures=row[0], locked_until=row[1])


def count_failure(connection: Connection, account_id: int) -> int:
    """Count one more wrong code; return how many there were in a row."""
    _BEGIN_LOCK.count(connection, account_id=account_id, failures=0)
    statement = (
        update(factor_locks)
        .where(factor_locks.c.account_id == account_id)
        .values(failures=factor_locks.c.failures + 1)
        .returning(factor_locks.c.failures)
    )
    return int(connection.execute(statement).scalar_one())


def set_lock(connection: Connection, account_id: int, failures: int, until: Instant | None) -> None:
    """Set how many codes were wrong in a row, and until when none of an app is taken."""
    statement = update(factor_locks).where(factor_locks.c.account_id == account_id)
    connection.execute(statement.values(failures=failures, locked_until=until))


def _use(connection: Connection, factor_id: int, condition: ColumnElement[bool], counter: int, now: Instant) -> bool:
    statement = update(second_factors).where(second_factors.c.id == factor_id, condition)
    return connection.execute(statement.values(counter=counter, last_used_at=now)).rowcount == 1


def _factor(row: Row) -> Factor:
    values = dict(zip(Factor.__dataclass_fields__, row, strict=True))
    values["kind"] = FactorKind(values["kind"])
    return Factor(**values)
