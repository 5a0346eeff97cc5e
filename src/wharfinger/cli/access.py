# SPDX-License-Identifier: Apache-2.0
"""`wharfinger access`: why an answer is yes or no."""

from typing import Annotated

import typer

from wharfinger.cli.identity_token import read_token
from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, act, parsed, say
from wharfinger.cli.terminal import fail
from wharfinger.domain.access import Access, Action
from wharfinger.domain.accounts import parse_any_account_name
from wharfinger.domain.explanations import Explanation
from wharfinger.domain.grants import word_of
from wharfinger.domain.identity import ANONYMOUS, Actor, Principal
from wharfinger.domain.names import DEFAULT_REGISTRY, parse_repository_name
from wharfinger.services import Services
from wharfinger.services.registries import Registry

app = typer.Typer(help="Explain who may do what.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Explain who may do what."""


@app.command()
def explain(
    who: Annotated[
        str,
        typer.Argument(
            help="A user or a robot; `anonymous` for nobody; `@FILE` for a workload whose identity token is in a file, "
            "`@-` for one on standard input.",
            metavar="WHO",
        ),
    ],
    action: Annotated[Action, typer.Argument(help="What is to be done.", metavar="ACTION")],
    what: Annotated[str, typer.Argument(help="The repository.", metavar="REPOSITORY")],
    *,
    tag: Annotated[list[str] | None, typer.Option(help="Of a push: a tag that it sets.")] = None,
    registry: Annotated[str, typer.Option(help="The registry that has it.", metavar="NAME")] = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Say whether somebody may do something, and by which rule; ends with 1 if not."""
    name = parsed(parse_repository_name, what)
    token = read_token(who[1:]) if who.startswith("@") else None
    account = None if token is not None or who == ANONYMOUS.name else parsed(parse_any_account_name, who)

    async def work(services: Services, _by: Actor) -> Explanation:
        principal = ANONYMOUS
        place = registry_named(services, registry)
        if account is not None:
            found = await services.accounts.find(account)
            principal = Principal(name=found.name, account_id=found.id)
        if token is not None:
            principal = await _workload(services, token, place)
        return await services.explanations.explain_all(principal, place, access)

    access = Access(action, name, tuple(tag or ()))
    explanation = act(config, work)
    decision = explanation.decision
    say(f"{'yes' if decision.allowed else 'no'}: {decision.rule}")
    for why in explanation.refused.values():
        say(f"but: {why}")
    if decision.allowed:
        return
    for one in explanation.given:
        through = "" if one.through is None else f", through {one.through}"
        say(f"has {word_of(one.role)} on {one.place}{through}{'' if one.counts else ', which does not count here'}")
    for remedy in explanation.remedies:
        say(f"to change it: {remedy.sentence(name, explanation.who)}")
    raise typer.Exit(1)


async def _workload(services: Services, token: str, registry: Registry) -> Principal:
    """Return the workload that a token stands for, or end the command with what is wrong with it."""
    report = await services.trust.test(token, registry)
    if report.principal is None:
        why = f"the token is {report.problem}" if report.problem else "no trust rule lets it in"
        fail(f"{why}; `wharfinger trust test` says more")
    return report.principal
