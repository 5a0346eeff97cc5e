# SPDX-License-Identifier: Apache-2.0
"""Who may do what: one pure function, asked by every door before a handler runs (ADR 0022).

A route declares the action; the door fills in the name; the database says where the principal stands; `decide`
answers with the rule that decided, so that a log line, a refusal and an explanation all say the same.

```text
rights    highest of: deployment · registry · owner of the namespace · repository
                      · namespace and membership (only if the repository inherits) · visibility
ceiling   scopes of a token · repositories of a token · entries of a registry token
allowed   rights reach the action, and the ceiling does not cut it off
```
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from wharfinger.domain.identity import ANONYMOUS, Ceiling, Entry, Principal, Scope
from wharfinger.domain.names import RepositoryName


class Action(enum.StrEnum):
    """What can be done to a repository, or to the registry's list of them."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    DESCRIBE = "describe"
    """Change what a page shows: description, linked source, labels."""
    ADMINISTER = "administer"
    """Change visibility, inheritance, mutability, grants; delete the repository."""
    LIST = "list"
    """See the names of repositories: each of them only if it may be pulled."""
    VISIT = "visit"
    """Ask whether this is a registry, and sign in."""


class Mode(enum.StrEnum):
    """Which rules the deployment lives by (docs/guide/modes.md)."""

    OPEN = "open"
    """Anyone who reaches the port may push and pull."""
    HTPASSWD = "htpasswd"
    """Every user of the file may do everything."""
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """Another server's tokens say who may do what."""
    ACCOUNTS = "accounts"
    """Accounts with roles."""


class Role(enum.IntEnum):
    """What a grant gives; each includes those before it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the database knows of one account at one repository name.

    Args:
        repository_id: nothing if there is no repository of that name.
        created_by_self: when this account created the repository, in microseconds; nothing if it did not.
        visibility: of the repository.
        inherits: whether roles on its namespace reach it.
        on_deployment, on_registry, on_namespace, on_repository: the highest role there, its own or a team's.
        owns_namespace: whether the account is the user, or an owner of the organization, that the namespace belongs to.
        is_member: whether it is a member of that organization.
        anonymous_pull: whether deployment, registry and organization all let public mean everybody.
        suspended: whether the account is.
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
    anonymous_pull: bool = True
    suspended: bool = False


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
    rule: str

    @property
    def allowed(self) -> bool:
        """Whether the answer is yes."""
        return self.outcome is Outcome.ALLOWED


class Right(NamedTuple):
    """A role that reaches a repository, and the rule by which it does."""

    role: Role
    rule: str


_NEEDED: Final = {
    Action.PULL: Role.READ,
    Action.PUSH: Role.WRITE,
    Action.DESCRIBE: Role.WRITE,
    Action.DELETE: Role.ADMIN,
    Action.ADMINISTER: Role.ADMIN,
}
_SCOPES: Final = {
    Action.PULL: frozenset({Scope.READ, Scope.WRITE, Scope.DELETE, Scope.ADMIN_PACKAGES}),
    Action.PUSH: frozenset({Scope.WRITE, Scope.ADMIN_PACKAGES}),
    Action.DELETE: frozenset({Scope.DELETE, Scope.ADMIN_PACKAGES}),
    Action.DESCRIBE: frozenset({Scope.ADMIN_PACKAGES}),
    Action.ADMINISTER: frozenset({Scope.ADMIN_PACKAGES}),
    Action.LIST: frozenset({Scope.READ, Scope.WRITE, Scope.DELETE, Scope.ADMIN_PACKAGES}),
}
_OPEN: Final = Decision(Outcome.ALLOWED, "open mode: anyone who reaches the port may push and pull")
_KNOWN: Final = Decision(Outcome.ALLOWED, "every user of the htpasswd file may do everything")
_UNKNOWN: Final = Decision(Outcome.SIGN_IN, "you have not signed in")
_VISITOR: Final = Decision(Outcome.ALLOWED, "everybody who signed in may ask whether this is a registry")
_LISTER: Final = Decision(Outcome.ALLOWED, "lists show what you may pull")


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
            return _UNKNOWN if principal is ANONYMOUS else _KNOWN
        case Mode.TOKEN:
            return _by_token(principal, access)
        case Mode.ACCOUNTS:
            return _by_account(principal, access, standing)


def rights(principal: Principal, standing: Standing) -> Iterator[Right]:
    """Yield every role by which a principal reaches a repository, or could create it where there is none."""
    yield Right(standing.on_deployment, f"{_word(standing.on_deployment)} on the deployment")
    yield Right(standing.on_registry, f"{_word(standing.on_registry)} on the registry")
    if standing.owns_namespace:
        yield Right(Role.ADMIN, "owner of the namespace")
    if standing.repository_id is None:
        yield Right(standing.on_namespace, f"{_word(standing.on_namespace)} on the namespace")
        return
    yield Right(standing.on_repository, f"{_word(standing.on_repository)} on the repository")
    if standing.inherits:
        yield Right(standing.on_namespace, f"{_word(standing.on_namespace)} on the namespace, which it inherits")
        if standing.is_member:
            yield Right(Role.READ, "member of the organization, which it inherits")
    if standing.visibility is Visibility.PUBLIC:
        if standing.anonymous_pull:
            yield Right(Role.READ, "the repository is public")
        elif principal.account_id is not None:
            yield Right(Role.READ, "the repository is public to every account")
    if standing.visibility is Visibility.INTERNAL and principal.account_id is not None:
        yield Right(Role.READ, "the repository is internal: every account may pull")


def _by_account(principal: Principal, access: Access, standing: Standing) -> Decision:
    if standing.suspended:
        return Decision(Outcome.SIGN_IN, "the account is suspended")
    if access.action is Action.VISIT:
        return _UNKNOWN if principal.account_id is None else _VISITOR
    if access.repository is None:
        return _by_scopes(principal, access.action) or _LISTER
    best = max(rights(principal, standing), key=lambda right: right.role)
    needed = _NEEDED[access.action]
    if standing.repository_id is None:
        # Whoever may create a name may know that it is free; to all others it is as if it were private.
        needed = max(needed, Role.WRITE)
    if best.role < needed:
        if principal.account_id is None:
            return _UNKNOWN
        return Decision(Outcome.DENIED, f"you need {_word(needed)} there, and have {_word(best.role)}")
    return _by_ceiling(principal, access, standing) or Decision(Outcome.ALLOWED, best.rule)


def _by_token(principal: Principal, access: Access) -> Decision:
    """Follow another server's token: what it does not name, the client is to ask that server for."""
    entries = principal.ceiling.entries
    if entries is None:
        return _UNKNOWN
    if access.action is Action.VISIT:
        return _VISITOR
    if access.repository is None:
        listed = any(entry.repository == "catalog" and "*" in entry.actions for entry in entries)
    else:
        listed = any(entry.repository == access.repository and access.action in entry.actions for entry in entries)
    if listed:
        return Decision(Outcome.ALLOWED, "the token names it")
    return Decision(Outcome.WIDER_TOKEN, "the token does not name it")


def _by_scopes(principal: Principal, action: Action) -> Decision | None:
    scopes = principal.ceiling.scopes
    if scopes is None or scopes & _SCOPES[action]:
        return None
    wanted = " or ".join(sorted(_SCOPES[action] - {Scope.ADMIN_PACKAGES})) or Scope.ADMIN_PACKAGES
    return Decision(Outcome.DENIED, f"the token lacks the scope {wanted}")


def _by_ceiling(principal: Principal, access: Access, standing: Standing) -> Decision | None:
    """Return a refusal if the credential may not be used for what its account may do."""
    ceiling: Ceiling = principal.ceiling
    if ceiling.repositories is not None and standing.repository_id not in ceiling.repositories:
        return Decision(Outcome.DENIED, "the token is limited to other repositories")
    refused = _by_scopes(principal, access.action)
    if refused is not None:
        return refused
    if ceiling.entries is not None and not any(_opens(entry, access, standing) for entry in ceiling.entries):
        return Decision(Outcome.WIDER_TOKEN, "the token does not name it")
    return None


def _opens(entry: Entry, access: Access, standing: Standing) -> bool:
    """Say whether an entry of a registry token covers the access to the repository that has the name now."""
    if entry.repository != access.repository or access.action not in entry.actions:
        return False
    if standing.repository_id is None or entry.repository_id == standing.repository_id:
        return True
    made, since = standing.created_by_self, entry.created_since
    return entry.repository_id is None and made is not None and since is not None and made >= since


def _word(role: Role) -> str:
    return "no role" if role is Role.NONE else role.name.lower()
