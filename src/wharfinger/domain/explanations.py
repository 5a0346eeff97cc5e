# SPDX-License-Identifier: Apache-2.0
"""Why an answer is yes or no, and what would turn a no into a yes: pure, over the same facts as `domain.access.decide`.

```text
who asks about itself         the answer, its rule, the role that is needed: nothing that a refusal does not say
who administers the name      also what was given to whom it asks about, and every change that would help
```

What only shows whether a private repository is there is never said to who could not pull it.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wharfinger.domain.access import Access, Action, Decision, Outcome, Standing, Visibility, role_for
from wharfinger.domain.content import ContentKind
from wharfinger.domain.grants import Place, word_of
from wharfinger.domain.identity import Principal
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.domain.roles import Role
from wharfinger.domain.sentences import Sentence


class Change(enum.StrEnum):
    """Something that would let somebody do what it may not do now."""

    SIGN_IN = "sign-in"
    RESUME_ACCOUNT = "resume-account"
    PROVE_SIGN_ON = "prove-sign-on"
    """An organization demands single sign-on: its holder authorizes the token or key for it."""
    GRANT_ON_REPOSITORY = "grant-on-repository"
    GRANT_ON_NAMESPACE = "grant-on-namespace"
    GRANT_ON_REGISTRY = "grant-on-registry"
    INHERIT = "inherit"
    """It has the role on the namespace, and the repository does not inherit it."""
    MAKE_INTERNAL = "make-internal"
    MAKE_PUBLIC = "make-public"
    ASK = "ask"
    """Somebody who administers the repository or its namespace can say more, and can give the role."""


_SENTENCES: Final = {
    Change.SIGN_IN: "sign in",
    Change.RESUME_ACCOUNT: "resume the account {who}",
    Change.PROVE_SIGN_ON: "{who} authorizes the token or key for the organization, on the page of the profile",
    Change.GRANT_ON_REPOSITORY: "give {who} the role {role} on the repository {name}",
    Change.GRANT_ON_NAMESPACE: "give {who} the role {role} on the namespace {namespace}",
    Change.GRANT_ON_REGISTRY: "give {who} the role {role} on the registry",
    Change.INHERIT: "have the repository {name} inherit the roles on its namespace",
    Change.MAKE_INTERNAL: "make the repository {name} internal: every account may pull then",
    Change.MAKE_PUBLIC: "make the repository {name} public: everybody may pull then",
    Change.ASK: "ask who administers {name} or its namespace for the role {role}",
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change that would help, and for which role it asks, if it is about one."""

    change: Change
    role: Role | None = None

    def sentence(self, name: RepositoryName, who: str) -> str:
        """Return what is to be done, in words."""
        role = "" if self.role is None else word_of(self.role)
        return _SENTENCES[self.change].format(who=who, role=role, name=name, namespace=namespace_of(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A role that an account has at a place around a name, and whether it counts for that name.

    Args:
        role: which one.
        place: where it holds.
        through: the team that it was given to, or the organization whose owner or member it is; nothing for itself.
        counts: whether it reaches the name. Roles on a namespace do not reach a repository that keeps to itself.
    """

    role: Role
    place: Place
    through: str | None
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An answer and what is to be said of it.

    Args:
        who: whom it is about.
        access: what it is about.
        decision: the answer, with the rule that gave it.
        needed: the role that it takes; nothing where roles do not decide.
        given: what the account has around the name; empty for who may not know it.
        remedies: what would turn a no into a yes; none for a yes.
        refused: of a push that is allowed, the kinds of content that nobody can push there, each with what a push of it
            is told.
    """

    who: str
    access: Access
    decision: Decision
    needed: Role | None
    given: Sequence[Given] = ()
    remedies: Sequence[Remedy] = ()
    refused: Mapping[ContentKind, Sentence] = field(default_factory=dict)


def remedies(principal: Principal, access: Access, standing: Standing, decision: Decision) -> Iterator[Remedy]:
    """Yield what would let a principal do what it may not; for who administers the name, and so may know all of it.

    The narrowest change comes first.
    """
    if decision.allowed or access.repository is None:
        return
    needed = role_for(access.action) or Role.READ
    if standing.suspended:
        yield Remedy(Change.RESUME_ACCOUNT)
        return
    if principal.is_anonymous:
        yield Remedy(Change.SIGN_IN)
    elif standing.is_withheld:
        yield Remedy(Change.PROVE_SIGN_ON)
    elif decision.outcome is Outcome.DENIED and not decision.limited:
        yield from _by_roles(access, standing, needed)
    if needed is Role.READ and standing.repository_id is not None:
        yield from _by_visibility(principal, standing)


def remedies_for_oneself(principal: Principal, access: Access, decision: Decision) -> Iterator[Remedy]:
    """Yield what somebody can do who does not administer the name: from nothing but the question and the answer."""
    if decision.allowed or access.repository is None:
        return
    if principal.is_anonymous:
        yield Remedy(Change.SIGN_IN)
    elif decision.outcome is Outcome.DENIED and not decision.limited:
        yield Remedy(Change.ASK, role_for(access.action))


def counts(place: Place, role: Role, standing: Standing) -> bool:
    """Say whether a role at a place around the name reaches it.

    A role that the standing does not have comes from a team whose organization is suspended, or demands single sign-on.
    """
    if place.registry_id is None:
        return role <= standing.on_deployment
    if place.repository is None and place.namespace is None:
        return role <= standing.on_registry
    if standing.is_withheld:
        return False
    if place.repository is not None:
        return role <= standing.on_repository
    reaches = role >= Role.WRITE if standing.repository_id is None else standing.inherits
    return reaches and role <= standing.on_namespace


def _by_roles(access: Access, standing: Standing, needed: Role) -> Iterator[Remedy]:
    exists = standing.repository_id is not None
    if exists:
        yield Remedy(Change.GRANT_ON_REPOSITORY, needed)
    has_on_namespace = standing.on_namespace >= needed or (standing.is_member and needed is Role.READ)
    if exists and not standing.inherits and has_on_namespace:
        yield Remedy(Change.INHERIT)
    if access.repository is not None and namespace_of(access.repository) is not None:
        if standing.inherits or (not exists and access.action is Action.PUSH):
            yield Remedy(Change.GRANT_ON_NAMESPACE, needed)
    elif not exists:
        yield Remedy(Change.GRANT_ON_REGISTRY, needed)


def _by_visibility(principal: Principal, standing: Standing) -> Iterator[Remedy]:
    if principal.is_anonymous:
        if standing.anonymous_pull and standing.visibility is not Visibility.PUBLIC:
            yield Remedy(Change.MAKE_PUBLIC)
    elif principal.account_id is not None and standing.visibility is Visibility.PRIVATE:
        yield Remedy(Change.MAKE_INTERNAL)
