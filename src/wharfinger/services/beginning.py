# SPDX-License-Identifier: Apache-2.0
"""The end of open mode: the first administrator, and who sees what was pushed before there was one."""

from wharfinger.clock import Clock
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.accounts import AccountKind, AccountName
from wharfinger.domain.errors import AccountConflict
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import events, grants, repositories
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.grants import PlaceKey, SubjectKey


class Beginning:
    """Sets a deployment up for accounts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create_administrator(
        self, name: AccountName, password_hash: str, existing: Visibility | None, by: Actor
    ) -> int:
        """Create the first user, a manager of the deployment; from now on everybody signs in.

        Args:
            name: of the user.
            password_hash: of its password.
            existing: the visibility that repositories get that are there already; must be said if there are any.
            by: who does it.

        Returns:
            how many repositories there were.

        Raises:
            AccountConflict: there is an account already, or `existing` must be said.
        """
        now = self._clock.now()

        def work(connection: Connection) -> int:
            if account_rows.ANY.first(connection) is not None:
                command = "wharfinger grant give NAME manager --deployment"
                message = Sentence(
                    "There are accounts already; `%(command)s` makes one an administrator.", command=command
                )
                raise AccountConflict(message)
            count = repositories.count(connection)
            if count and existing is None:
                message = Sentence(
                    "Repositories are there already (%(count)s), which everybody could pull so far. "
                    "Say who sees them from now on: `--existing private`, `internal` (every account) "
                    "or `public`.",
                    count=count,
                )
                raise AccountConflict(message)
            if existing is not None:
                repositories.set_visibility_of_all(connection, existing)
            made = account_rows.create(connection, AccountKind.USER, name, now)
            if made is None:
                message = Sentence("The name %(name)r is taken.", name=name)
                raise AccountConflict(message)
            account_rows.set_password(connection, made, password_hash, now)
            grants.give(connection, SubjectKey(account_id=made), PlaceKey(), Role.ADMIN, None, now)
            for action, detail in (
                (EventAction.ACCOUNT_CREATED, "user"),
                (EventAction.GRANT_GIVEN, "admin on the deployment"),
            ):
                event = Event(action=action, target=name, about_id=made, detail=detail)
                events.record(connection, None, event, by, now)
            return count

        return await self._database.write(work)
