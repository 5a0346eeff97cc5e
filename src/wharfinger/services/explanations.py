# SPDX-License-Identifier: Apache-2.0
"""Why somebody may do something, or may not: the answer of `Authorization`, and what stands behind it."""

from collections.abc import Mapping, Sequence
from typing import Final

from wharfinger.domain.access import NOWHERE, Access, Action, Decision, Mode, Role, Standing, role_for
from wharfinger.domain.accounts import AccountName, TeamName
from wharfinger.domain.content import ContentKind, KindsOff, refused
from wharfinger.domain.errors import Denied
from wharfinger.domain.explanations import Explanation, Given, counts, remedies, remedies_for_oneself
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import ANONYMOUS, Principal
from wharfinger.domain.names import namespace_of
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import content as content_rows
from wharfinger.metadata import grants as rows
from wharfinger.metadata import namespaces as namespace_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.services.accounts import look_up
from wharfinger.services.authorization import Authorization
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown

_MOST_GIVEN: Final = 100
"""How many roles around one name are told of; more than these nobody reads."""


class Explanations:
    """Explains what the rules of the deployment's mode say."""

    def __init__(self, database: Database, authorization: Authorization) -> None:
        self._database = database
        self._authorization = authorization

    async def explain(
        self, asker: Principal, registry: Registry, access: Access, account: AccountName | None = None
    ) -> Explanation:
        """Say whether somebody may do something to a repository, by which rule, and what would change the answer.

        Args:
            asker: who wants to know. About oneself, the limits of the credential that is shown count too.
            registry: where.
            access: what is to be done; it names a repository.
            account: about whom: a user, a robot, or `anonymous`; nothing for the asker itself.

        Raises:
            Denied: about others only who administers the repository may ask.
            NameUnknown: the same, where the asker may not know whether it is there.
            AccountUnknown: there is no such account.
        """
        about = asker
        if account is not None and account != asker.name:
            await self._require_administrator(asker, registry, access)
            about = await self._principal(account)
            return await self.explain_all(about, registry, access)
        administers = await self._authorization.allows(asker, registry, Access(Action.ADMINISTER, access.repository))
        if administers:
            return await self.explain_all(about, registry, access)
        decision = await self._authorization.decide(about, registry, access)
        return Explanation(
            who=about.name,
            access=access,
            decision=decision,
            needed=await self._needed(access),
            remedies=tuple(remedies_for_oneself(about, access, decision)),
            refused=await self._refused(registry, access, decision),
        )

    async def explain_all(self, about: Principal, registry: Registry, access: Access) -> Explanation:
        """As `explain`, for somebody who may know everything about the name: the operator, or its administrator."""
        decision = await self._authorization.decide(about, registry, access)
        mode = await self._authorization.mode()
        standing = NOWHERE
        given: Sequence[Given] = ()
        if mode is Mode.ACCOUNTS:
            standing = await self._authorization.standing(about, registry, access)
            given = await self._given(about, registry, access, standing)
        return Explanation(
            who=about.name,
            access=access,
            decision=decision,
            needed=await self._needed(access),
            given=given,
            remedies=tuple(remedies(about, access, standing, decision)) if mode is Mode.ACCOUNTS else (),
            refused=await self._refused(registry, access, decision),
        )

    async def _refused(self, registry: Registry, access: Access, decision: Decision) -> Mapping[ContentKind, Sentence]:
        """Return the kinds of content that are switched off: who may push is told them by a push, too."""
        name = access.repository
        if name is None or access.action is not Action.PUSH or not decision.allowed:
            return {}
        namespace = namespace_of(name)

        def work(connection: Connection) -> KindsOff:
            found = None if namespace is None else namespace_rows.find(connection, registry.id, namespace)
            return KindsOff(content_rows.read(connection), frozenset() if found is None else found.kinds_off)

        return refused(await self._database.read(work), name)

    async def _needed(self, access: Access) -> Role | None:
        return role_for(access.action) if await self._authorization.mode() is Mode.ACCOUNTS else None

    async def _require_administrator(self, asker: Principal, registry: Registry, access: Access) -> None:
        if await self._authorization.allows(asker, registry, Access(Action.ADMINISTER, access.repository)):
            return
        name = access.repository
        if name is not None and not await self._authorization.allows(asker, registry, Access(Action.PULL, name)):
            raise name_unknown(name)
        message = Sentence(
            "Only who administers %(name)s may ask what others may do there.", name=name or "the registry"
        )
        raise Denied(message)

    async def _principal(self, account: AccountName) -> Principal:
        if account == ANONYMOUS.name:
            return ANONYMOUS
        found = await self._database.read(lambda c: look_up(c, account))
        return Principal(name=found.name, account_id=found.id)

    async def _given(self, about: Principal, registry: Registry, access: Access, standing: Standing) -> Sequence[Given]:
        """Return the roles that an account has around the name, its own and its teams', the widest place first."""
        number, name = about.account_id, access.repository
        if number is None or name is None:
            return ()
        namespace = namespace_of(name)

        def work(connection: Connection) -> Sequence[Given]:
            known = None if namespace is None else namespace_rows.find(connection, registry.id, namespace)
            found = [
                Given(
                    role=one.role,
                    place=one.place,
                    through=str(one.subject) if isinstance(one.subject, TeamName) else None,
                    counts=counts(one.place, one.role, standing),
                )
                for one in rows.around(connection, number, registry.id, name, namespace, limit=_MOST_GIVEN)
            ]
            place = Place(registry_id=registry.id, namespace=namespace)
            owner = None if known is None else known.owner
            if standing.owns_namespace:
                found.append(Given(role=Role.ADMIN, place=place, through=owner, counts=not standing.is_withheld))
            elif standing.is_member:
                reaches = standing.repository_id is not None and standing.inherits and not standing.is_withheld
                found.append(Given(role=Role.READ, place=place, through=owner, counts=reaches))
            return found

        return await self._database.read(work)
