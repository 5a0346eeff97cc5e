# SPDX-License-Identifier: Apache-2.0
"""Why an answer is yes or no: asked by the admins of a repository, and by everybody about themselves."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from wharfinger.domain.access import Access, Action
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.content import ContentKind
from wharfinger.domain.explanations import Change
from wharfinger.domain.grants import word_of
from wharfinger.domain.names import RepositoryName
from wharfinger.management_api.calls import SIGNED_IN
from wharfinger.management_api.fields import KnownRepository, OneLine, Shown
from wharfinger.management_api.grants import ShownPlace, show_place
from wharfinger.management_api.routing import Calling, Route


class GivenRole(Shown):
    """A role that the account has around the name."""

    role: Annotated[str, Field(examples=["write"])]
    """`read`, `write` or `admin`."""
    place: ShownPlace
    through: Annotated[str | None, Field(examples=["acme/builders"])]
    """The team that it was given to, or the organization that the account owns or belongs to; nothing for itself."""
    counts: bool
    """Whether it reaches the repository: roles on a namespace do not reach one that keeps to itself."""


class ProposedChange(Shown):
    """A change that would let the account do it."""

    change: Change
    role: Annotated[str | None, Field(examples=["write"])]
    sentence: str
    """The same in words."""


class RefusedKind(Shown):
    """A kind of content that nobody can push there."""

    kind: ContentKind
    sentence: str
    """What a push of it is told: where it is switched off, and who can switch it on."""


class AccessExplanation(Shown):
    """An answer, and the rule that gave it."""

    account: str
    action: Action
    repository: str
    allowed: bool
    rule: str
    needed: str | None
    """The lowest role that may do it."""
    given: list[GivenRole]
    """What the account has around the name; shown to who administers the repository, and empty for others."""
    changes: list[ProposedChange]
    """What would turn a no into a yes, the narrowest first; about others, and for who administers the repository."""
    refused_kinds: list[RefusedKind]
    """Of a push that is allowed, the kinds of content that are switched off; otherwise empty."""


async def explain_access(
    call: Calling,
    repository: Annotated[KnownRepository, Query(description="The name of a repository.")],
    action: Annotated[Action, Query(description="What is to be done.")] = Action.PULL,
    account: Annotated[
        OneLine | None,
        Query(max_length=300, description="A user or a robot, or `anonymous`; without it, the caller itself."),
    ] = None,
) -> AccessExplanation:
    """Say whether somebody may do something to a repository, by which rule, and what would change that.

    About oneself, the limits of the credential that is shown count too.
    """
    access = Access(action, RepositoryName(repository))
    who = None if account is None else AccountName(account)
    found = await call.services.explanations.explain(call.principal, call.registry, access, who)
    return AccessExplanation(
        account=found.who,
        action=action,
        repository=repository,
        allowed=found.decision.allowed,
        rule=found.decision.rule,
        needed=None if found.needed is None else word_of(found.needed),
        given=[
            GivenRole(role=word_of(one.role), place=show_place(call, one.place), through=one.through, counts=one.counts)
            for one in found.given
        ],
        changes=[
            ProposedChange(
                change=one.change,
                role=None if one.role is None else word_of(one.role),
                sentence=one.sentence(RepositoryName(repository), found.who),
            )
            for one in found.remedies
        ],
        refused_kinds=[RefusedKind(kind=kind, sentence=why) for kind, why in found.refused.items()],
    )


ROUTES: Final = (Route("GET", "/access/explain", SIGNED_IN, explain_access),)
