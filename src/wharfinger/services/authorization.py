# SPDX-License-Identifier: Apache-2.0
"""Whether a principal may do a thing: the one place where a door asks.

The facts come from one look-up, which the database remembers until anybody commits (ADR 0021); the judgement is
`domain.access.decide`. What was granted or taken away counts from the next request on, in every process.
"""

from typing import Final

from wharfinger.domain.access import NOWHERE, Access, Action, Decision, Mode, Outcome, Standing, decide
from wharfinger.domain.errors import Denied, TokenTooNarrow, Unauthenticated
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Principal, Workload
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import standing as standing_rows
from wharfinger.metadata import trash as trash_rows
from wharfinger.metadata import trust as trust_rows
from wharfinger.metadata.database import Database
from wharfinger.metadata.standing import EVERYTHING, NOTHING, Sight
from wharfinger.services.identity import Origin
from wharfinger.services.refusals import Refusals
from wharfinger.services.registries import Registry

__all__ = ["Authorization", "Sight", "in_words"]

_READING: Final = frozenset({Action.PULL, Action.MOUNT, Action.LIST, Action.VISIT})
"""What changes nothing: whoever looks for what is private is told no, and nobody needs to know of it."""
_ACTIONS: Final = {
    Action.PULL: Sentence("pull"),
    Action.MOUNT: Sentence("mount"),
    Action.PUSH: Sentence("push"),
    Action.DELETE: Sentence("delete"),
    Action.DESCRIBE: Sentence("describe"),
    Action.ADMINISTER: Sentence("administer"),
    Action.LIST: Sentence("list"),
    Action.VISIT: Sentence("visit"),
}
_HERE: Final = Sentence("here")
_USE: Final = Sentence("use this registry")


def in_words(action: Action, repository: str) -> Sentence:
    """Name what somebody wants to do to a repository; without one, to the registry's list of them."""
    if not repository:
        return _ACTIONS[action]
    return Sentence("%(action)s %(repository)s", action=_ACTIONS[action], repository=repository)


class Authorization:
    """Answers by the rules of the deployment's mode.

    Args:
        database: where accounts and grants are.
        mode: as the settings choose; nothing for open until there is an account, and accounts from then on.
        switches: of the operator, which may depend on whether there are accounts.
        anonymous_pull: the deployment's own switch: whether public means everybody.
        refusals: is told of changes that somebody who signed in may not make.
    """

    def __init__(
        self,
        database: Database,
        mode: Mode | None,
        switches: Switches | None = None,
        *,
        anonymous_pull: bool = True,
        refusals: Refusals | None = None,
    ) -> None:
        self._database = database
        self._switches = switches
        self._chosen = mode
        self._anonymous_pull = anonymous_pull
        self._refusals = refusals

    async def mode(self) -> Mode:
        """Return the rules that count now: the first account ends open mode, in every process, at once."""
        if self._chosen is not None:
            return self._chosen
        if await self._database.find(account_rows.ANY) is None:
            return Mode.OPEN
        if self._switches is not None:
            self._switches.has_accounts = True
        return Mode.ACCOUNTS

    async def require(
        self, principal: Principal, registry: Registry, access: Access, origin: Origin | None = None
    ) -> None:
        """Return if the principal may.

        Args:
            principal: who asks.
            registry: where.
            access: for what.
            origin: says where the request comes from; then the audit log is told of a change that is denied.

        Raises:
            Unauthenticated: it may not, and signing in might change that.
            TokenTooNarrow: it may, but its token does not say so.
            Denied: it may not.
        """
        decision = await self.decide(principal, registry, access)
        if decision.allowed:
            return
        message = Sentence(
            "You may not %(action)s %(repository)s: %(rule)s.",
            action=_ACTIONS[access.action],
            repository=access.repository or _HERE,
            rule=decision.rule,
        )
        match decision.outcome:
            case Outcome.SIGN_IN:
                what = _USE
                if access.repository is not None:
                    what = in_words(access.action, access.repository)
                message = Sentence(
                    "Sign in to %(what)s, for example with `docker login`: %(rule)s.", what=what, rule=decision.rule
                )
                raise Unauthenticated(message)
            case Outcome.WIDER_TOKEN:
                raise TokenTooNarrow(message)
            case _:
                await self._tell(principal, registry, access, decision, origin)
                raise Denied(message)

    async def announce(
        self, principal: Principal, registry: Registry, access: Access, origin: Origin | None = None
    ) -> bool:
        """Say whether the principal may, for what it only says that it will do: it asks for a token to push.

        Some clients look first and send nothing to whom that is denied, so the audit log is told now. A refusal of the
        push itself, should it come, is the same one and is counted with it.
        """
        decision = await self.decide(principal, registry, access)
        if decision.outcome is Outcome.DENIED:
            await self._tell(principal, registry, access, decision, origin)
        return decision.allowed

    async def _tell(
        self, principal: Principal, registry: Registry, access: Access, decision: Decision, origin: Origin | None
    ) -> None:
        """Tell of a change that somebody wanted to make and may not."""
        if origin is None or access.action in _READING or principal.is_anonymous:
            return
        by = origin()
        if self._refusals is not None:
            standing = await self.standing(by.principal, registry, access)
            event = Event(
                action=EventAction.ACCESS_DENIED,
                repository_id=standing.repository_id,
                repository=access.repository,
                about_id=by.principal.account_id,
                target=access.action.value,
                detail=decision.rule,
            )
            await self._refusals.note(event, by, registry.id)

    async def allows(self, principal: Principal, registry: Registry, access: Access) -> bool:
        """Say whether the principal may, for a second resource that a handler touches (the source of a mount)."""
        return (await self.decide(principal, registry, access)).allowed

    async def decide(self, principal: Principal, registry: Registry, access: Access) -> Decision:
        """Return the answer with the rule that gave it.

        It is remembered for the same principal, as far as look-ups are: a client that pulls asks the same again.
        """
        memory = self._database.memory()
        key = (self, id(principal), registry.id, access)
        if memory is not None:
            known: tuple[Principal, Decision] | None = memory.get(key)
            if known is not None and known[0] is principal:
                return known[1]
        mode = await self.mode()
        standing = await self.standing(principal, registry, access) if mode is Mode.ACCOUNTS else NOWHERE
        decision = decide(mode, principal, access, standing)
        if memory is not None:
            memory[key] = principal, decision  # which keeps it from giving its place in the memory to another one
        return decision

    async def standing(self, principal: Principal, registry: Registry, access: Access) -> Standing:
        """Return where the principal stands at the name; the same look-up whether there is such a name or not."""
        repository = access.repository or ""
        row = await self._database.find(
            standing_rows.STANDING,
            **standing_rows.proof_of(principal),
            registry_id=registry.id,
            repository=repository,
            namespace=(access.repository and namespace_of(access.repository)) or "",
        )
        if row is None:
            return NOWHERE
        standing = standing_rows.standing_of(row, anonymous_pull=self._anonymous_pull)
        if principal.workload is None:
            return standing
        return await self._of_workload(principal.workload, registry, access.repository, standing)

    async def decide_on_deleted(
        self, principal: Principal, registry: Registry, number: int, action: Action
    ) -> Decision:
        """Return the answer for a repository in the trash, which is named by its number: its name may be another's.

        It is the same judgement over the same facts: the roles on it, which come back with it, those around it, and
        the owner of its namespace. Trust rules let nobody reach into the trash.

        Args:
            principal: who asks.
            registry: which one the repository was in.
            number: as `TrashEntry.number`; one that nothing in the trash has is judged as a name that is free.
            action: for what.
        """
        mode = await self.mode()
        row = await self._database.find(trash_rows.NAME, registry_id=registry.id, number=number)
        name = RepositoryName(str(number) if row is None else row[0])
        standing = NOWHERE
        if mode is Mode.ACCOUNTS:
            found = await self._database.find(
                standing_rows.STANDING_AT_DELETED,
                **standing_rows.proof_of(principal),
                registry_id=registry.id,
                number=number,
                namespace=namespace_of(name) or "",
            )
            if found is not None:
                standing = standing_rows.standing_of(found, anonymous_pull=self._anonymous_pull)
        return decide(mode, principal, Access(action, name), standing)

    async def _of_workload(
        self, workload: Workload, registry: Registry, name: RepositoryName | None, standing: Standing
    ) -> Standing:
        """Return a standing with what the rules give that let a workload in, as far as they still are."""
        rows = [
            await self._database.find(
                trust_rows.REACH,
                rule_id=rule_id,
                registry_id=registry.id,
                repository=name or "",
                namespace=(name and namespace_of(name)) or "",
            )
            for rule_id in workload.rules
        ]
        return trust_rows.with_trusts(standing, [row for row in rows if row is not None], name, workload)

    async def sight(self, principal: Principal, *, to_list: bool = False) -> Sight:
        """Return which repositories somebody may take content from without having named them.

        That is a mount without a source, and a layer that is linked instead of sent.

        Args:
            principal: who takes, or looks.
            to_list: for a list of repositories, which was allowed already.
        """
        match await self.mode():
            case Mode.OPEN | Mode.HTPASSWD:
                return EVERYTHING
            case Mode.TOKEN:
                # All that its holder may pull was asked for by name; the list of names is another thing to ask for.
                return EVERYTHING if to_list else NOTHING
            case Mode.ACCOUNTS:
                return standing_rows.sight_of(principal, anonymous_pull=self._anonymous_pull)
