# SPDX-License-Identifier: Apache-2.0
"""Why an answer is yes or no: asked by the admins of a repository, and by everybody about themselves."""

from typing import Annotated, Final

from fastapi import Query

from wharfinger.domain.access import Access, Action
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.identity import ANONYMOUS, Principal
from wharfinger.domain.names import RepositoryName
from wharfinger.management_api.calls import SIGNED_IN, require_on_repository
from wharfinger.management_api.fields import KnownRepository, OneLine, Shown
from wharfinger.management_api.routing import Calling, Route


class Explanation(Shown):
    """An answer, and the rule that gave it."""

    account: str
    action: Action
    repository: str
    allowed: bool
    rule: str


async def explain_access(
    call: Calling,
    repository: Annotated[KnownRepository, Query(description="The name of a repository.")],
    action: Annotated[Action, Query(description="What is to be done.")] = Action.PULL,
    account: Annotated[
        OneLine | None,
        Query(max_length=300, description="A user or a robot, or `anonymous`; without it, the caller itself."),
    ] = None,
) -> Explanation:
    """Say whether somebody may do something to a repository, and by which rule.

    About oneself, the limits of the credential that is shown count too.
    """
    name = RepositoryName(repository)
    principal = call.principal
    if account is not None and account != principal.name:
        await require_on_repository(call, Action.ADMINISTER, name)
        principal = ANONYMOUS
        if account != ANONYMOUS.name:
            found = await call.services.accounts.find(AccountName(account))
            principal = Principal(name=found.name, account_id=found.id)
    decision = await call.services.authorization.decide(principal, call.registry, Access(action, name))
    return Explanation(
        account=principal.name, action=action, repository=name, allowed=decision.allowed, rule=decision.rule
    )


ROUTES: Final = (Route("GET", "/access/explain", SIGNED_IN, explain_access),)
