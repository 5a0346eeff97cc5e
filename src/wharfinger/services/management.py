# SPDX-License-Identifier: Apache-2.0
"""Whether a principal may manage something that is no repository: `Authorization` for everything else (ADR 0027).

What was granted or taken away counts from the next request on, in every process.
"""

from wharfinger.domain.access import Decision, Mode, Role
from wharfinger.domain.accounts import AccountKind
from wharfinger.domain.identity import Principal
from wharfinger.domain.management import NO_RELATION, Matter, Relation, Target, Task, decide, may_read_organizations
from wharfinger.metadata import management as rows
from wharfinger.metadata import standing as standing_rows
from wharfinger.metadata.account_search import AccountSight
from wharfinger.metadata.database import Database
from wharfinger.services.authorization import Authorization
from wharfinger.services.registries import Registry

_ACCOUNTS = frozenset({Target.USER, Target.ORGANIZATION, Target.ROBOT})


class Management:
    """Answers by the rules of the deployment's mode.

    Args:
        database: where accounts and grants are.
        authorization: knows the mode.
    """

    def __init__(self, database: Database, authorization: Authorization) -> None:
        self._database = database
        self._authorization = authorization

    async def decide(self, principal: Principal, registry: Registry, matter: Matter) -> Decision:
        """Return the answer with the rule that gave it.

        Args:
            principal: who asks.
            registry: which one the target is in, if it is in one.
            matter: what for.
        """
        mode = await self._authorization.mode()
        relation = await self.relation(principal, registry, matter) if mode is Mode.ACCOUNTS else NO_RELATION
        return decide(mode, principal, matter, relation)

    async def sight(self, principal: Principal, registry: Registry) -> AccountSight | None:
        """Return which accounts and teams a principal sees, for a search; nothing where it sees none.

        It is what `decide` answers to `SEE` of users and organizations, and to `READ` of the organizations of teams.
        """
        if await self._authorization.mode() is not Mode.ACCOUNTS or principal.account_id is None:
            return None
        if principal.ceiling.entries is not None:
            return None
        matter = Matter(Task.SEE, Target.DEPLOYMENT, "")
        everybody = (await self.decide(principal, registry, matter)).allowed
        return AccountSight(
            proof=standing_rows.proof_of(principal), everybody=everybody, teams=may_read_organizations(principal)
        )

    async def relation(self, principal: Principal, registry: Registry, matter: Matter) -> Relation:
        """Return how the principal stands to the target; the same look-ups whether there is such a target or not."""
        asks = standing_rows.proof_of(principal)
        withheld_by: str | None = None
        target_id: int | None = None
        kind: AccountKind | None = None
        registry_id: int | None = registry.id
        role: str | None = None
        if matter.target in _ACCOUNTS:
            registry_id = None
            row = await self._database.find(rows.RELATION, **asks, name=matter.name)
            if row is not None:
                target_id, kind, registry_id, role, withheld_by = int(row[0]), AccountKind(row[1]), *row[2:]
        standing = await self._database.find(
            standing_rows.STANDING,
            **asks,
            registry_id=standing_rows.NOBODY if registry_id is None else registry_id,
            repository="",
            namespace=matter.name if matter.target is Target.NAMESPACE else "",
        )
        if standing is None:
            return NO_RELATION
        found = standing_rows.standing_of(standing)
        if found.is_withheld:
            withheld_by = found.demanded_by
        counts = withheld_by is None
        return Relation(
            kind=kind,
            is_self=target_id is not None and target_id == principal.account_id,
            owns=counts and (role == rows.OWNER or found.owns_namespace),
            is_member=counts and (role is not None or found.is_member),
            on_deployment=found.on_deployment,
            on_registry=found.on_registry,
            on_namespace=found.on_namespace if counts else Role.NONE,
            withheld_by=withheld_by,
            suspended=found.suspended,
        )
