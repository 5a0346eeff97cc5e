# SPDX-License-Identifier: Apache-2.0
"""Who may manage what is no repository: accounts, namespaces, registries, the deployment (ADR 0027).

`domain.access.decide` judges what is done to a repository; this is the same judgement for everything else, over the
same roles and the same credentials. Both return the rule that decided.

```text
limits   no registry token · not limited to some repositories · the scope of the target
rights   highest of: your own account · owner of the organization · member · role on namespace, registry, deployment
```

| target       | scope                                         | read                | manage                     |
| ------------ | --------------------------------------------- | ------------------- | -------------------------- |
| user         | `admin:org` oneself, `admin:registry` others  | itself, viewers     | itself; managers supervise |
| organization | `admin:org`                                   | members, viewers    | owners, managers           |
| robot        | `admin:org`, of a registry `admin:registry`   | itself, viewers     | owners, managers           |
| namespace    | `admin:org`                                   | members, any role   | owner, admin, managers     |
| registry     | `admin:registry`                              | viewers             | managers                   |
| deployment   | `admin:registry`                              | viewers             | managers                   |

Two tasks lie between: members do not `inspect` their organization, and admin on a namespace does not `govern` it.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from wharfinger.domain.access import (
    ON_DEPLOYMENT,
    ON_REGISTRY,
    OWNER_OF_NAMESPACE,
    Decision,
    Mode,
    Outcome,
    Right,
    Role,
    authorize,
)
from wharfinger.domain.accounts import AccountKind
from wharfinger.domain.identity import Principal, Scope
from wharfinger.domain.sentences import Sentence


class Task(enum.StrEnum):
    """What is to be done to a target."""

    SEE = "see"
    """Know that it is there, and what it is called. Takes no scope."""
    READ = "read"
    """See what only those see who have to do with it: members, grants, settings, credentials without their secret."""
    INSPECT = "inspect"
    """See what those see who answer for it, and its members do not: the robots of an organization, and its events."""
    MANAGE = "manage"
    """Change it, and what belongs to it."""
    GOVERN = "govern"
    """Say what becomes of everything in it, also of what keeps to itself: repositories that do not inherit."""
    ISSUE = "issue"
    """Make a credential of the account: never for another person, whatever one's role."""
    SUPERVISE = "supervise"
    """What nobody does to oneself: suspend, resume, delete, change the access type, set a password without the old."""


class Target(enum.StrEnum):
    """What kind of thing it is done to."""

    USER = "user"
    ORGANIZATION = "organization"
    """With its members and teams."""
    ROBOT = "robot"
    NAMESPACE = "namespace"
    REGISTRY = "registry"
    DEPLOYMENT = "deployment"


class Matter(NamedTuple):
    """One task on one target; the deployment has no name."""

    task: Task
    target: Target
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """How an account stands to a target.

    Args:
        kind: of the account that has the target's name; nothing if none has, or the target is no account.
        is_self: whether that is the caller's own account.
        owns: whether the caller owns the organization, the one of the robot, or the namespace.
        is_member: whether it is a member of that organization.
        on_deployment, on_registry, on_namespace: the highest role there, its own or a team's; of a robot that belongs
            to a registry, the role on that one.
        withheld_by: an organization that demands single sign-on of the caller, whose credential does not prove it; what
            the caller has through it is not among the above (ADR 0026).
        suspended: whether the caller is, or is gone.
    """

    kind: AccountKind | None = None
    is_self: bool = False
    owns: bool = False
    is_member: bool = False
    on_deployment: Role = Role.NONE
    on_registry: Role = Role.NONE
    on_namespace: Role = Role.NONE
    withheld_by: str | None = None
    suspended: bool = False


NO_RELATION: Final = Relation()

_NEEDED: Final = {
    Task.SEE: Role.READ,
    Task.READ: Role.READ,
    Task.INSPECT: Role.READ,
    Task.MANAGE: Role.ADMIN,
    Task.GOVERN: Role.ADMIN,
    Task.ISSUE: Role.ADMIN,
    Task.SUPERVISE: Role.ADMIN,
}
_KINDS: Final = {
    Target.USER: AccountKind.USER,
    Target.ORGANIZATION: AccountKind.ORGANIZATION,
    Target.ROBOT: AccountKind.ROBOT,
}
_WIDE_ROLES: Final = {Role.READ: "viewer", Role.WRITE: "write", Role.ADMIN: "manager"}
_ON_NAMESPACE: Final = {
    Role.READ: Sentence("read on the namespace"),
    Role.WRITE: Sentence("write on the namespace"),
    Role.ADMIN: Sentence("admin on the namespace"),
}

_UNKNOWN: Final = Decision(Outcome.SIGN_IN, Sentence("you have not signed in"))
_SUSPENDED: Final = Decision(Outcome.SIGN_IN, Sentence("the account is suspended"))
_REGISTRY_TOKEN: Final = Decision(
    Outcome.DENIED, Sentence("a registry token is for pushing and pulling; use a password or a token"), limited=True
)
_LIMITED: Final = Decision(Outcome.DENIED, Sentence("the token is limited to some repositories"), limited=True)
_WITHOUT_ACCOUNTS: Final = {
    Mode.OPEN: Sentence("there are no accounts yet; `wharfinger init` on the server makes the first one"),
    Mode.HTPASSWD: Sentence("the users are those of the htpasswd file, and have no accounts here"),
    Mode.TOKEN: Sentence("another server says who may do what, and there are no accounts here"),
}


def decide(mode: Mode, principal: Principal, matter: Matter, relation: Relation = NO_RELATION) -> Decision:
    """Answer whether the principal may.

    Args:
        mode: of the deployment; only accounts can be managed, and only by accounts.
        principal: who asks.
        matter: what for.
        relation: how the principal stands to the target.
    """
    if mode is not Mode.ACCOUNTS:
        # Open mode too: whoever reaches the port first must not make itself the administrator.
        return Decision(Outcome.DENIED, _WITHOUT_ACCOUNTS[mode], limited=True)
    if principal.is_anonymous:
        return _UNKNOWN
    if relation.suspended:
        return _SUSPENDED
    refused = _beyond_limits(principal, matter)
    if refused is not None:
        return refused
    best = max(rights(matter, relation), key=lambda right: right.role, default=None)
    if principal.account_id is not None and best is not None and best.role >= _NEEDED[matter.task]:
        return Decision(Outcome.ALLOWED, best.rule)
    if relation.withheld_by is not None:
        return Decision(Outcome.DENIED, authorize(relation.withheld_by))
    return Decision(Outcome.DENIED, _missing(matter))


def rights(matter: Matter, relation: Relation) -> Iterator[Right]:
    """Yield every role by which somebody with an account reaches the target."""
    target, task = matter.target, matter.task
    if relation.on_deployment and not (target is Target.USER and task is Task.ISSUE):
        yield Right(relation.on_deployment, ON_DEPLOYMENT[relation.on_deployment])
    match target:
        case Target.NAMESPACE:
            yield from _on_namespace(task, relation)
        case Target.REGISTRY:
            yield from _on_registry(relation)
        case Target.USER | Target.ORGANIZATION | Target.ROBOT if relation.kind is _KINDS[target]:
            yield from _on_account(task, relation)


def scope_of(principal: Principal, matter: Matter) -> Scope:
    """Return the scope that a token needs; the names alone say which, so it tells nothing about what is there."""
    match matter.target:
        case Target.USER if matter.name == principal.name:
            return Scope.ADMIN_ORGANIZATION
        case Target.ROBOT if not matter.name.startswith("@"):
            return Scope.ADMIN_ORGANIZATION
        case Target.ORGANIZATION | Target.NAMESPACE:
            return Scope.ADMIN_ORGANIZATION
        case _:
            return Scope.ADMIN_REGISTRY


def may_read_organizations(principal: Principal) -> bool:
    """Say whether the credential is for reading what organizations have; whether one may be read is another matter."""
    return _beyond_limits(principal, Matter(Task.READ, Target.ORGANIZATION, "")) is None


def _beyond_limits(principal: Principal, matter: Matter) -> Decision | None:
    """Return a refusal of what the credential is not for, the same for every name."""
    ceiling = principal.ceiling
    if ceiling.entries is not None:
        return _REGISTRY_TOKEN
    if matter.task is Task.SEE:
        return None
    if ceiling.repositories is not None:
        return _LIMITED
    wanted = scope_of(principal, matter)
    if ceiling.scopes is not None and wanted not in ceiling.scopes:
        return Decision(Outcome.DENIED, Sentence("the token lacks the scope %(scope)s", scope=wanted), limited=True)
    return None


def _on_account(task: Task, relation: Relation) -> Iterator[Right]:
    match relation.kind:
        case AccountKind.USER if relation.is_self and task is not Task.SUPERVISE:
            yield Right(Role.ADMIN, Sentence("your own account"))
        case AccountKind.ORGANIZATION:
            if relation.owns and task is not Task.SUPERVISE:
                yield Right(Role.ADMIN, Sentence("owner of the organization"))
            if relation.is_member and task is not Task.INSPECT:
                yield Right(Role.READ, Sentence("member of the organization"))
            if task is Task.SEE:
                yield Right(Role.READ, Sentence("every account may see organizations"))
        case AccountKind.ROBOT:
            if relation.owns:
                yield Right(Role.ADMIN, Sentence("owner of the organization that the robot belongs to"))
            if relation.is_self:
                yield Right(Role.READ, Sentence("your own account"))
            yield from _on_registry(relation)
        case _:
            pass


def _on_namespace(task: Task, relation: Relation) -> Iterator[Right]:
    yield from _on_registry(relation)
    if task is Task.SUPERVISE:
        return
    if relation.owns:
        yield Right(Role.ADMIN, OWNER_OF_NAMESPACE)
    if relation.on_namespace and task is not Task.GOVERN:
        yield Right(relation.on_namespace, _ON_NAMESPACE[relation.on_namespace])
    if relation.is_member:
        yield Right(Role.READ, Sentence("member of the organization that owns the namespace"))


def _on_registry(relation: Relation) -> Iterator[Right]:
    if relation.on_registry:
        yield Right(relation.on_registry, ON_REGISTRY[relation.on_registry])


def _missing(matter: Matter) -> Sentence:
    """Say what is needed, from nothing but the question."""
    role = _WIDE_ROLES[_NEEDED[matter.task]]
    match matter.target:
        case Target.USER if matter.task is Task.ISSUE:
            return Sentence("only people themselves make their credentials")
        case Target.ORGANIZATION if matter.task is Task.READ:
            return Sentence("you need to be a member of the organization")
        case Target.ORGANIZATION if matter.task is not Task.SUPERVISE:
            return Sentence("you need to be an owner of the organization")
        case Target.NAMESPACE if matter.task is Task.GOVERN:
            return Sentence("you need to own the namespace, or the role manager on the registry")
        case Target.NAMESPACE if matter.task is not Task.SUPERVISE:
            return Sentence("you need to own the namespace, or the role admin on it")
        case Target.REGISTRY | Target.NAMESPACE:
            return Sentence("you need the role %(role)s on the registry", role=role)
        case _:
            return Sentence("you need the role %(role)s on the deployment", role=role)
