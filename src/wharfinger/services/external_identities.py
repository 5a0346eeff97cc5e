# SPDX-License-Identifier: Apache-2.0
"""External identities: which account somebody is that a provider vouches for.

A subject is found by itself alone. That somebody brings the name or the e-mail of an account makes them nobody's heir:
only an administrator links an account that is there already.
"""

from collections.abc import Sequence

from wharfinger.clock import Clock
from wharfinger.domain.accounts import AccountKind, AccountName
from wharfinger.domain.errors import AccountConflict, AccountUnknown
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import external_identities as rows
from wharfinger.metadata import sessions
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.external_identities import ExternalIdentity
from wharfinger.services.accounts import look_up, require_kind, tell
from wharfinger.services.demands import require_provider, require_said


class ExternalIdentities:
    """The external identities of every account.

    Args:
        database: where they are.
        clock: the time.
        providers: the names of those that the settings know.
    """

    def __init__(self, database: Database, clock: Clock, providers: Sequence[str] = ()) -> None:
        self._database = database
        self._clock = clock
        self._providers = tuple(providers)

    async def link(self, name: AccountName, provider: str, subject: str, by: Actor) -> None:
        """Have a user be who a provider calls by this subject; linked already, nothing happens.

        Raises:
            AccountUnknown: there is no such user.
            AccountInvalid: it is no user, the settings know no such provider, or no provider has such subjects.
            AccountConflict: the subject is another account.
        """
        require_provider(provider, self._providers)
        require_said(subject, Sentence("A subject"), Sentence("it is `sub` in the ID token"))
        now = self._clock.now()

        def work(connection: Connection) -> None:
            user = require_kind(connection, name, AccountKind.USER)
            if rows.link(connection, provider, subject, user.id, by.principal.account_id, now):
                tell(connection, EventAction.IDENTITY_LINKED, name, by, now, detail=f"{subject} of {provider}")
            elif rows.find(connection, provider, subject) != user.id:
                message = Sentence(
                    "%(subject)r of %(provider)s is another account already; unlink it there first.",
                    subject=subject,
                    provider=provider,
                )
                raise AccountConflict(message)

        await self._database.write(work)

    async def unlink(self, name: AccountName, provider: str, by: Actor) -> None:
        """Have a provider vouch for a user no more; the sessions that came through it end.

        Raises:
            AccountUnknown: there is no such user, or the provider did not.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            user = require_kind(connection, name, AccountKind.USER)
            if not rows.unlink(connection, user.id, provider):
                message = Sentence("%(name)r is not linked to %(provider)r.", name=name, provider=provider)
                raise AccountUnknown(message)
            sessions.end_all(connection, user.id)
            tell(connection, EventAction.IDENTITY_UNLINKED, name, by, now, detail=provider)

        await self._database.write(work)

    async def list(self, name: AccountName) -> Sequence[ExternalIdentity]:
        """Return what providers call an account.

        Raises:
            AccountUnknown: there is no such account.
        """

        def work(connection: Connection) -> Sequence[ExternalIdentity]:
            return rows.of_account(connection, look_up(connection, name).id)

        return await self._database.read(work)
