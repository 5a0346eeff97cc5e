# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what, and what was refused. Events are written by those who do; here they are read.

Whose events somebody may see is an `AuditSight`, which a door asks for after it decided: everything for a manager of
the deployment, `of_organization` for its owners, `of_repository` for its admins.
"""

import csv
import functools
import io
from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson

from wharfinger.clock import as_datetime
from wharfinger.domain.accounts import AccountKind, AccountName, wrong_kind
from wharfinger.domain.audit import AuditEvent, AuditFilter, AuditSight, ExportFormat, neutral
from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import Page, page_of
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import events as rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.services.accounts import unknown
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown

_AT_ONCE: Final = 500
"""Events that an export holds in memory."""
FIELDS: Final = tuple(AuditEvent.__dataclass_fields__)


class Audit:
    """Reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, wanted: AuditFilter, sight: AuditSight, *, before: int | None = None, limit: int
    ) -> Page[AuditEvent]:
        """Return events, the newest first; the next page is before the id of the last one on this."""
        found = await self._database.read(lambda c: rows.newest(c, wanted, sight, before, limit + 1))
        return page_of(found, limit)

    async def export(self, wanted: AuditFilter, sight: AuditSight, format_: ExportFormat) -> AsyncIterator[bytes]:
        """Yield every event, the oldest first, as lines of JSON or as CSV with a line of headings; piece by piece.

        What happens while it runs may be in it or not.
        """
        if format_ is ExportFormat.CSV:
            yield _csv([FIELDS])
        after = 0
        while True:
            found = await self._database.read(functools.partial(_page, wanted=wanted, sight=sight, after=after))
            if found:
                yield _as_json(found) if format_ is ExportFormat.JSON_LINES else _csv([_cells(one) for one in found])
                after = found[-1].id
            if len(found) < _AT_ONCE:
                return

    async def of_organization(self, name: AccountName) -> AuditSight:
        """Return the sight of the owners of an organization: its members, teams, robots, namespaces and repositories.

        Raises:
            AccountUnknown: there is none of that name.
            AccountInvalid: it is no organization.
        """
        found = await self._database.read(lambda c: account_rows.find(c, name))
        if found is None:
            raise unknown(name)
        if found.kind is not AccountKind.ORGANIZATION:
            message = wrong_kind(name, AccountKind.ORGANIZATION, found.kind)
            raise AccountInvalid(message)
        return AuditSight(account_id=found.id)

    async def of_repository(self, registry: Registry, name: RepositoryName) -> AuditSight:
        """Return the sight of the admins of the repository that has the name now.

        Raises:
            NameUnknown: there is none.
        """

        def work(connection: Connection) -> int | None:
            return repository_rows.find(connection, registry.id, name)

        found = await self._database.read(work)
        if found is None:
            raise name_unknown(name)
        return AuditSight(repository_id=found)


def as_record(event: AuditEvent) -> dict[str, object]:
    """Return an event as an object of JSON has it: what is not there is null, and the time is RFC 3339."""
    record: dict[str, object] = {name: getattr(event, name) for name in FIELDS}
    return {**record, "at": _moment(event)}


def _page(connection: Connection, *, wanted: AuditFilter, sight: AuditSight, after: int) -> Sequence[AuditEvent]:
    return rows.oldest(connection, wanted, sight, after, _AT_ONCE)


def _as_json(found: Sequence[AuditEvent]) -> bytes:
    return b"".join(orjson.dumps(as_record(one)) + b"\n" for one in found)


def _cells(event: AuditEvent) -> list[str]:
    record = as_record(event)
    return ["" if record[name] is None else neutral(str(record[name])) for name in FIELDS]


def _csv(lines: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue().encode()


def _moment(event: AuditEvent) -> str:
    return as_datetime(event.at).isoformat(timespec="microseconds").replace("+00:00", "Z")
