# SPDX-License-Identifier: Apache-2.0
"""Who may do what: one pure function, asked by every door before a handler runs (ADR 0022).

A route declares the action; the door fills in the name; the database says where the principal stands; `decide`
answers with the rule that decided, so that a log line, a refusal and an explanation all say the same.

```text
limits    scopes and repositories of the credential     first: the same refusal for every name
rights    highest of: deployment · registry · owner of the namespace · repository
                      · namespace and membership (only if the repository inherits) · visibility
                      · of a workload, what its trust rules give
entries   names and actions of a registry token         last: a wider token would help
sign-on   what an organization gives counts only for a credential that it takes (ADR 0026)
allowed   the limits let it through, the rights reach it, and the entries name it
```

A private repository and a name that does not exist get the same answer, in the same words, from whoever may neither
pull everything there nor create it: so no refusal says what somebody has, only what is needed.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from wharfinger.domain.identity import Entry, Principal, Scope
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.roles import WORDS, Right, Role
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.workloads import Trust, given

__all__ = [
    "NOWHERE",
    "Access",
    "Action",
    "Decision",
    "Mode",
    "Outcome",
    "Right",
    "Role",
    "Standing",
    "Visibility",
    "decide",
    "rights",
    "role_for",
]


class Action(enum.StrEnum):
    """What can be done to a repository, or to the registry's list of them."""

    PULL = "pull"
    MOUNT = "mount"
    """Take a layer from it for another repository: pull, whatever the entries of a registry token name, because those
    hold only what the client thought of asking for."""
    PUSH = "push"
    DELETE = "delete"
    DESCRIBE = "describe"
    """Change what a page shows: description, linked source, labels."""
    ADMINISTER = "administer"
    """Change visibility, inheritance, mutability, grants; delete the repository. Without a name: the registry's own."""
    LIST = "list"
    """See the names of repositories: each of them only if it may be pulled."""
    VISIT = "visit"
    """Ask whether this is a registry, and sign in."""


class Mode(enum.StrEnum):
    """Which rules the deployment lives by (docs/guide/modes.md)."""

    OPEN = "open"
    """Anyone who reaches the port may do everything."""
    HTPASSWD = "htpasswd"
    """Every user of the file may do everything."""
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """Another server's tokens say who may do what."""
    ACCOUNTS = "accounts"
    """Accounts with roles."""


class Visibility(enum.StrEnum):
    """Who may pull without a role."""

    PRIVATE = "private"
    INTERNAL = "internal"
    """Every account."""
    PUBLIC = "public"
    """Everybody."""


class Access(NamedTuple):
    """One action, on one repository or, without a name, on the registry; a tuple, because every request makes one."""

    action: Action
    repository: RepositoryName | None = None
    tags: tuple[str, ...] = ()
    """Of a push that sets tags, all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the database knows of one account at one repository name.

    A door loads one for every account, also where there is no name: a suspended account may not even visit.

    Args:
        repository_id: nothing if there is no repository of that name.
        created_by_self: when this account created the repository, in microseconds; nothing if it did not.
        visibility: of the repository.
        inherits: whether roles on its namespace reach it.
        on_deployment, on_registry, on_namespace, on_repository: the highest role there, its own or a team's.
        owns_namespace: whether the account is the user, or an owner of the organization, that the namespace belongs to.
        is_member: whether it is a member of that organization.
        is_withheld: whether that organization demands single sign-on of its members, the account is one, and its
            credential does not prove it. Then nothing that the account has at the name counts.
        demanded_by: an organization that the account belongs to, that demands single sign-on, and to which the
            credential does not prove it: the one that owns the namespace, or else any. Roles that only its teams gave
            are not among those above.
        anonymous_pull: whether deployment, registry and organization all let public mean everybody.
        suspended: whether the account is, or is gone; of a workload, whether every rule that let it in is gone.
        trusts: what each trust rule gives, if it is a workload.
    """

    repository_id: int | None = None
    created_by_self: int | None = None
    visibility: Visibility | None = None
    inherits: bool = False
    on_deployment: Role = Role.NONE
    on_registry: Role = Role.NONE
    on_namespace: Role = Role.NONE
    on_repository: Role = Role.NONE
    owns_namespace: bool = False
    is_member: bool = False
    is_withheld: bool = False
    demanded_by: str | None = None
    anonymous_pull: bool = True
    suspended: bool = False
    trusts: tuple[Trust, ...] = ()


NOWHERE: Final = Standing()


class Outcome(enum.Enum):
    """What a door is to answer."""

    ALLOWED = enum.auto()
    SIGN_IN = enum.auto()
    """401 with a challenge: signing in might change the answer."""
    WIDER_TOKEN = enum.auto()
    """401 with `insufficient_scope`: the rights would do, this token does not name them."""
    DENIED = enum.auto()
    """403."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and the rule that gave it."""

    outcome: Outcome
    rule: Sentence
    limited: bool = False
    """Whether it is the credential that stands against it: then the answer is the same for every name."""

    @property
    def allowed(self) -> bool:
        """Whether the answer is yes."""
        return self.outcome is Outcome.ALLOWED


_NEEDED: Final = {
    Action.PULL: Role.READ,
    Action.MOUNT: Role.READ,
    Action.LIST: Role.READ,
    Action.PUSH: Role.WRITE,
    Action.DESCRIBE: Role.WRITE,
    Action.DELETE: Role.ADMIN,
    Action.ADMINISTER: Role.ADMIN,
}
_READING: Final = frozenset({Scope.READ, Scope.WRITE, Scope.DELETE, Scope.ADMIN_PACKAGES})
_SCOPES: Final = {
    Action.PULL: _READING,
    Action.MOUNT: _READING,
    Action.LIST: _READING,
    Action.PUSH: frozenset({Scope.WRITE, Scope.ADMIN_PACKAGES}),
    Action.DELETE: frozenset({Scope.DELETE, Scope.ADMIN_PACKAGES}),
    Action.DESCRIBE: frozenset({Scope.ADMIN_PACKAGES}),
    Action.ADMINISTER: frozenset({Scope.ADMIN_PACKAGES}),
}
_MANAGING: Final = frozenset({Scope.ADMIN_REGISTRY})
_IN_ENTRIES: Final = {
    Action.PULL: "pull",
    Action.MOUNT: "pull",
    Action.LIST: "pull",
    Action.PUSH: "push",
    Action.DELETE: "delete",
}
"""What registry tokens call an action on a repository; what has no word here, they do not open."""
_WIDE_ROLES: Final = {Role.READ: "viewer", Role.WRITE: "write", Role.ADMIN: "manager"}
"""What roles are called on a registry and on the deployment."""

# Every request asks for these, so each is made once.
ON_DEPLOYMENT: Final = {
    Role.READ: Sentence("viewer on the deployment"),
    Role.WRITE: Sentence("write on the deployment"),
    Role.ADMIN: Sentence("manager on the deployment"),
}
ON_REGISTRY: Final = {
    Role.READ: Sentence("viewer on the registry"),
    Role.WRITE: Sentence("write on the registry"),
    Role.ADMIN: Sentence("manager on the registry"),
}
OWNER_OF_NAMESPACE: Final = Sentence("owner of the namespace")
_WHERE_FREE: Final = {
    Role.WRITE: Sentence("write on the namespace, where the name is free"),
    Role.ADMIN: Sentence("admin on the namespace, where the name is free"),
}
_ON_REPOSITORY: Final = {
    Role.READ: Sentence("read on the repository"),
    Role.WRITE: Sentence("write on the repository"),
    Role.ADMIN: Sentence("admin on the repository"),
}
_INHERITED: Final = {
    Role.READ: Sentence("read on the namespace, which the repository inherits"),
    Role.WRITE: Sentence("write on the namespace, which the repository inherits"),
    Role.ADMIN: Sentence("admin on the namespace, which the repository inherits"),
}
_MEMBER: Final = Sentence("member of the organization, which the repository inherits")
_PUBLIC: Final = Sentence("the repository is public")
_PUBLIC_TO_ACCOUNTS: Final = Sentence("the repository is public, which means every account here")
_INTERNAL: Final = Sentence("the repository is internal: every account may pull")

_OPEN: Final = Decision(Outcome.ALLOWED, Sentence("open mode: anyone who reaches the port may do everything"))
_USER_OF_FILE: Final = Decision(Outcome.ALLOWED, Sentence("every user of the htpasswd file may do everything"))
_UNKNOWN: Final = Decision(Outcome.SIGN_IN, Sentence("you have not signed in"))
_SUSPENDED: Final = Decision(Outcome.SIGN_IN, Sentence("the account is suspended"))
_ENDED: Final = Decision(Outcome.SIGN_IN, Sentence("the trust rules that let this workload in are gone"))
_VISITOR: Final = Decision(Outcome.ALLOWED, Sentence("everybody who signed in may ask whether this is a registry"))
_LISTER: Final = Decision(Outcome.ALLOWED, Sentence("lists show what you may pull"))
_NAMED: Final = Decision(Outcome.ALLOWED, Sentence("the token names it"))
_NOT_NAMED: Final = Decision(Outcome.WIDER_TOKEN, Sentence("the token does not name it"))
_NEVER_NAMED: Final = Decision(Outcome.DENIED, Sentence("no registry token opens it"), limited=True)
_ELSEWHERE: Final = Decision(
    Outcome.DENIED, Sentence("the token is limited to some repositories, and opens none of this name"), limited=True
)


def authorize(organization: str) -> Sentence:
    """Say what to do where an organization demands single sign-on, and the credential does not prove it."""
    return Sentence(
        "the organization %(organization)s demands single sign-on, and this credential is not authorized for it; sign "
        "in to the console through its provider, and authorize the token or key on the page of your profile",
        organization=organization,
    )


def decide(mode: Mode, principal: Principal, access: Access, standing: Standing = NOWHERE) -> Decision:
    """Answer whether the principal may have the access.

    Deletion switches and read-only mode are not access: they bind everyone and are answered as `UNSUPPORTED`.

    Args:
        mode: of the deployment.
        principal: who asks.
        access: for what.
        standing: where the principal stands at that name; only accounts have one.
    """
    match mode:
        case Mode.OPEN:
            return _OPEN
        case Mode.HTPASSWD:
            return _UNKNOWN if principal.is_anonymous else _USER_OF_FILE
        case Mode.TOKEN:
            return _by_token(principal, access)
        case Mode.ACCOUNTS:
            return _by_account(principal, access, standing)


def role_for(action: Action) -> Role | None:
    """Return the lowest role that may do it; nothing for what takes none."""
    return _NEEDED.get(action)


def rights(principal: Principal, access: Access, standing: Standing) -> Iterator[Right]:
    """Yield every role by which the principal reaches the repository, the name that is free, or the registry."""
    if not principal.is_anonymous:
        if standing.on_deployment:
            yield Right(standing.on_deployment, ON_DEPLOYMENT[standing.on_deployment])
        if standing.on_registry:
            yield Right(standing.on_registry, ON_REGISTRY[standing.on_registry])
        if access.repository is not None and not standing.is_withheld:
            yield from _at_name(standing)
        if standing.trusts:
            pushed = access.tags if access.action is Action.PUSH else None
            exists = standing.repository_id is not None
            for trust in standing.trusts:
                yield from given(trust, pushed, exists=exists, inherits=standing.inherits)
    if access.repository is not None and standing.repository_id is not None:
        yield from _by_visibility(principal, standing)


def _at_name(standing: Standing) -> Iterator[Right]:
    on_namespace = standing.on_namespace
    if standing.owns_namespace:
        yield Right(Role.ADMIN, OWNER_OF_NAMESPACE)
    if standing.repository_id is None:
        # Who may create the name may know that it is free. A reader may not: it could be one that does not inherit.
        if on_namespace >= Role.WRITE:
            yield Right(on_namespace, _WHERE_FREE[on_namespace])
        return
    if standing.on_repository:
        yield Right(standing.on_repository, _ON_REPOSITORY[standing.on_repository])
    if standing.inherits and on_namespace:
        yield Right(on_namespace, _INHERITED[on_namespace])
    if standing.inherits and standing.is_member:
        yield Right(Role.READ, _MEMBER)


def _by_visibility(principal: Principal, standing: Standing) -> Iterator[Right]:
    has_account = principal.account_id is not None
    match standing.visibility:
        case Visibility.PUBLIC if standing.anonymous_pull:
            yield Right(Role.READ, _PUBLIC)
        case Visibility.PUBLIC if has_account:
            yield Right(Role.READ, _PUBLIC_TO_ACCOUNTS)
        case Visibility.INTERNAL if has_account:
            yield Right(Role.READ, _INTERNAL)


def _by_account(principal: Principal, access: Access, standing: Standing) -> Decision:
    if standing.suspended:
        return _SUSPENDED if principal.workload is None else _ENDED
    if access.action is Action.VISIT:
        return _UNKNOWN if principal.is_anonymous else _VISITOR
    refused = _beyond_limits(principal, access, standing)
    if refused is not None:
        return _UNKNOWN if principal.is_anonymous else refused
    decision = _by_rights(principal, access, standing)
    entries = principal.ceiling.entries
    if entries is None or access.action is Action.MOUNT or not decision.allowed:
        return decision
    return decision if any(_opens(entry, access, standing) for entry in entries) else _NOT_NAMED


def _beyond_limits(principal: Principal, access: Access, standing: Standing) -> Decision | None:
    """Return a refusal of what the credential is not for; a name that its account cannot reach adds nothing to it."""
    ceiling = principal.ceiling
    if ceiling.scopes is not None:
        wanted = _MANAGING if _is_managing(access) else _SCOPES[access.action]
        if not ceiling.scopes & wanted:
            named = " or ".join(sorted(wanted - {Scope.ADMIN_PACKAGES} or wanted))
            return Decision(Outcome.DENIED, Sentence("the token lacks the scope %(scope)s", scope=named), limited=True)
    if ceiling.entries is not None and (_is_managing(access) or access.action not in _IN_ENTRIES):
        return _NEVER_NAMED
    if ceiling.repositories is None or _is_list(access):
        return None
    within = access.repository is not None and standing.repository_id in ceiling.repositories
    if within and any(rights(principal, access, standing)):
        return None
    # At such a name no role counts, so whether the token names it cannot be asked: it is the same for every name there.
    return Decision(Outcome.DENIED, _missing(access, standing)) if standing.is_withheld else _ELSEWHERE


def _by_rights(principal: Principal, access: Access, standing: Standing) -> Decision:
    if _is_list(access):
        return _LISTER if standing.anonymous_pull or not principal.is_anonymous else _UNKNOWN
    best = max(rights(principal, access, standing), key=lambda right: right.role, default=None)
    if best is not None and best.role >= _NEEDED[access.action]:
        return Decision(Outcome.ALLOWED, best.rule)
    if access.tags and standing.trusts and _by_rights(principal, access._replace(tags=()), standing).allowed:
        return Decision(Outcome.DENIED, Sentence("the trust rule lets this workload push here, but not under this tag"))
    return _UNKNOWN if principal.is_anonymous else Decision(Outcome.DENIED, _missing(access, standing))


def _missing(access: Access, standing: Standing) -> Sentence:
    """Name what is needed, from nothing but the question and what the account knows of itself."""
    role = _missing_role(access)
    if standing.demanded_by is None:
        return role
    if standing.is_withheld:
        return authorize(standing.demanded_by)
    return Sentence(
        "%(role)s; what you have through an organization may not count here: %(authorize)s",
        role=role,
        authorize=authorize(standing.demanded_by),
    )


def _missing_role(access: Access) -> Sentence:
    needed = _NEEDED[access.action]
    if access.repository is None:
        return Sentence("you need the role %(role)s on the registry", role=_WIDE_ROLES[needed])
    if access.action is Action.PUSH:
        return Sentence("you need the role write on the repository, or, to create it, on its namespace")
    return Sentence("you need the role %(role)s on the repository", role=WORDS[needed])


def _by_token(principal: Principal, access: Access) -> Decision:
    """Follow another server's token: what it does not name, the client is to ask that server for."""
    entries = principal.ceiling.entries
    if entries is None or principal.is_anonymous:
        return _UNKNOWN
    if access.action is Action.VISIT:
        return _VISITOR
    if _is_managing(access):
        return _NEVER_NAMED
    return _NAMED if any(_names(entry, access) or _is_all_of(entry, access) for entry in entries) else _NOT_NAMED


def _opens(entry: Entry, access: Access, standing: Standing) -> bool:
    """Say whether an entry of our own token covers the access to the repository that has the name now."""
    if not _names(entry, access):
        return False
    if access.repository is None:
        return True
    if entry.repository_id is not None:
        return entry.repository_id == standing.repository_id
    # The name was free when the token was made: it still is, or the token's own principal took it.
    made, since = standing.created_by_self, entry.created_since
    return since is not None and (standing.repository_id is None or (made is not None and made >= since))


def _names(entry: Entry, access: Access) -> bool:
    wanted = "*" if access.repository is None else _IN_ENTRIES.get(access.action)
    return entry.repository == access.repository and wanted in entry.actions


def _is_all_of(entry: Entry, access: Access) -> bool:
    return entry.everything and entry.repository == access.repository


def _is_list(access: Access) -> bool:
    return access.action is Action.LIST and access.repository is None


def _is_managing(access: Access) -> bool:
    """Say whether it is about the registry itself: all that has no name, except its list and a visit."""
    return access.repository is None and access.action is not Action.LIST
