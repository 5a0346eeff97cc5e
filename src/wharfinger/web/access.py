# SPDX-License-Identifier: Apache-2.0
"""What a route of the management API or of the console needs, and the place where both doors enforce it.

A route declares its need; one without cannot be made. `require` asks before the body is read, and answers 404 for what
the caller may not know, in the words for what does not exist. The protocol's door asks by itself, because its
refusals are those of the specification.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from wharfinger.domain.access import Access, Action, Decision, Outcome
from wharfinger.domain.accounts import parse_account_name, parse_any_account_name, parse_robot_name, parse_subject
from wharfinger.domain.digests import parse_digest
from wharfinger.domain.errors import (
    Denied,
    NameInvalid,
    TokenTooNarrow,
    Unauthenticated,
    WharfingerError,
)
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Principal
from wharfinger.domain.management import Matter, Target, Task
from wharfinger.domain.names import RepositoryName, parse_repository_name, parse_tag
from wharfinger.domain.sentences import Sentence
from wharfinger.services import Services
from wharfinger.services.accounts import unknown
from wharfinger.services.authorization import in_words
from wharfinger.services.namespaces import namespace_unknown
from wharfinger.services.registries import Registry, registry_unknown
from wharfinger.services.repositories import name_unknown
from wharfinger.services.trash import number_unknown
from wharfinger.web.requests import Visit

LONGEST_ID: Final = 2**63 - 1


_LONGEST_TARGET: Final = 300


def parse_number(text: str) -> int:
    """Return a number that a list showed.

    Raises:
        NameInvalid: it is none.
    """
    if text.isascii() and text.isdecimal() and len(text) <= len(str(LONGEST_ID)) and 1 <= int(text) <= LONGEST_ID:
        return int(text)
    message = Sentence("This part of the path must be a number, as the list shows it.")
    raise NameInvalid(message)


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "name": parse_repository_name,
    "user": parse_account_name,
    "organization": parse_account_name,
    "team": parse_account_name,
    "namespace": parse_repository_name,
    "registry": parse_account_name,
    "robot": parse_robot_name,
    "account": parse_any_account_name,
    "subject": parse_subject,
    "digest": parse_digest,
    "tag": parse_tag,
    "number": parse_number,
}
"""What each parameter of a path is; a malformed one is refused before anybody is asked who they are."""
_PLACE_OF: Final = {
    Target.USER: "user",
    Target.ORGANIZATION: "organization",
    Target.ROBOT: "robot",
    Target.NAMESPACE: "namespace",
    Target.REGISTRY: "registry",
}
_NAMELESS: Final = {
    Target.USER: Sentence("the user"),
    Target.ORGANIZATION: Sentence("the organization"),
    Target.ROBOT: Sentence("the robot"),
    Target.NAMESPACE: Sentence("the namespace"),
    Target.REGISTRY: Sentence("the registry"),
    Target.DEPLOYMENT: Sentence("the deployment"),
}


@dataclass(frozen=True, slots=True)
class Everybody:
    """Nothing is needed, and nobody is asked: it is the same for all, and public."""


@dataclass(frozen=True, slots=True)
class OnRepository:
    """An action on the repository that the path names, or, where it names none, on the list of them."""

    action: Action


@dataclass(frozen=True, slots=True)
class OnDeleted:
    """An action on the repository of the trash whose number the path names."""

    action: Action


@dataclass(frozen=True, slots=True)
class Managing:
    """A task on what the path names; `own` for the caller's own account, and with no target the account it names.

    With `behind`, the path names something of that kind that is only for who may do more than see it: who may not see
    it is told that it is not there.
    """

    task: Task
    target: Target | None = None
    own: bool = False
    behind: Target | None = None


Need = Everybody | OnRepository | OnDeleted | Managing
EVERYBODY: Final = Everybody()
SIGNED_IN: Final = Managing(Task.SEE, Target.USER, own=True)


class Asking(Protocol):
    """A request that was matched and recognised: what a need is held against."""

    @property
    def services(self) -> Services:
        """The use cases."""
        ...

    @property
    def registry(self) -> Registry:
        """The one that the path names, or else the one that answers on the host."""
        ...

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...

    @property
    def parameters(self) -> Mapping[str, str]:
        """What stands in the path for its placeholders."""
        ...


def check_parameters(parameters: Mapping[str, str]) -> None:
    """Return if every parameter of the path can be what it should be.

    Raises:
        WharfingerError: one cannot; the message says what would be right.
    """
    for name, text in parameters.items():
        if name in _PARSERS:
            _PARSERS[name](text)


async def require(need: Need, call: Asking) -> None:
    """Return if the caller may.

    Raises:
        Unauthenticated: it may not, and signing in might change that.
        Denied: it may not, and may know what is there.
        NameUnknown, AccountUnknown, RegistryUnknown: it may not know.
    """
    match need:
        case OnRepository(action):
            await require_on_repository(call, action, RepositoryName(call.parameters.get("name", "")))
        case OnDeleted(action):
            await _require_on_deleted(call, action, int(call.parameters["number"]))
        case Managing():
            if need.behind is not None and not call.principal.is_anonymous:
                await require_matter(call, _matter(Managing(Task.SEE, need.behind), call))
            await require_matter(call, _matter(need, call))
        case Everybody():
            pass


async def require_on_repository(call: Asking, action: Action, name: RepositoryName) -> None:
    """As `require`, for an action on one repository, or without a name on the list of them."""
    authorization = call.services.authorization
    decision = await authorization.decide(call.principal, call.registry, Access(action, name or None))
    if decision.allowed:
        return
    may_know = not name or await authorization.allows(call.principal, call.registry, Access(Action.PULL, name))
    raise _refusal(decision, in_words(action, name), None if may_know else name_unknown(name))


async def _require_on_deleted(call: Asking, action: Action, number: int) -> None:
    """As `require`, for an action on a repository in the trash: whoever could pull it may know that it was deleted."""
    authorization = call.services.authorization
    decision = await authorization.decide_on_deleted(call.principal, call.registry, number, action)
    if decision.allowed:
        return
    seen = await authorization.decide_on_deleted(call.principal, call.registry, number, Action.PULL)
    raise _refusal(decision, in_words(action, str(number)), None if seen.allowed else number_unknown(number))


async def require_matter(call: Asking, matter: Matter) -> None:
    """As `require`, for a task on something that is no repository."""
    decision = await call.services.management.decide(call.principal, call.registry, matter)
    if decision.allowed:
        return
    seen = await call.services.management.decide(call.principal, call.registry, matter._replace(task=Task.SEE))
    what = task_in_words(matter)
    may_know = seen.allowed or not matter.name
    raise _refusal(decision, what, None if may_know else _unknown(matter))


def _matter(need: Managing, call: Asking) -> Matter:
    if need.own:
        return Matter(need.task, Target.USER, call.principal.name)
    if need.target is None:
        name = call.parameters["account"]
        return Matter(need.task, Target.ROBOT if "+" in name else Target.USER, name)
    place = _PLACE_OF.get(need.target)
    # What makes a new one names none: then it is the deployment's matter, or that of what it will belong to.
    return Matter(need.task, need.target, "" if place is None else call.parameters[place])


def task_in_words(matter: Matter) -> Sentence:
    """Name what somebody wants to do to a target."""
    target = matter.name or _NAMELESS[matter.target]
    match matter.task:
        case Task.SEE:
            return Sentence("see %(target)s", target=target)
        case Task.READ:
            return Sentence("read %(target)s", target=target)
        case Task.INSPECT:
            return Sentence("inspect %(target)s", target=target)
        case Task.MANAGE:
            return Sentence("manage %(target)s", target=target)
        case Task.GOVERN:
            return Sentence("govern %(target)s", target=target)
        case Task.ISSUE:
            return Sentence("issue credentials of %(target)s", target=target)
        case Task.SUPERVISE:
            return Sentence("supervise %(target)s", target=target)


def _refusal(decision: Decision, what: Sentence, hidden: WharfingerError | None) -> WharfingerError:
    match decision.outcome:
        case Outcome.SIGN_IN:
            return Unauthenticated(Sentence("Sign in to %(what)s: %(rule)s.", what=what, rule=decision.rule))
        case Outcome.WIDER_TOKEN:
            return TokenTooNarrow(Sentence("You may not %(what)s: %(rule)s.", what=what, rule=decision.rule))
        case _ if hidden is not None and not decision.limited:
            return hidden
        case _:
            return Denied(Sentence("You may not %(what)s: %(rule)s.", what=what, rule=decision.rule))


def _unknown(matter: Matter) -> WharfingerError:
    match matter.target:
        case Target.NAMESPACE:
            return namespace_unknown(matter.name)
        case Target.REGISTRY:
            return registry_unknown(matter.name)
        case _:
            return unknown(matter.name)


async def tell_of_refusal(services: Services, visit: Visit, what: str, error: Denied) -> None:
    """Have the audit log know of a change that somebody wanted to make and may not.

    Args:
        services: the use cases.
        visit: the request.
        what: its method and path.
        error: why it was refused.
    """
    if visit.principal.is_anonymous:
        return
    event = Event(
        action=EventAction.ACCESS_DENIED,
        about_id=visit.principal.account_id,
        target=what[:_LONGEST_TARGET],
        detail=error.message,
    )
    await services.refusals.note(event, visit.actor())
