# SPDX-License-Identifier: Apache-2.0
"""`wharfinger access`: why an answer is yes or no."""

from typing import Annotated

import typer

from wharfinger.cli.shell import Config, act, parsed, say
from wharfinger.domain.access import Access, Action, Decision
from wharfinger.domain.accounts import parse_any_account_name
from wharfinger.domain.identity import ANONYMOUS, Actor, Principal
from wharfinger.domain.names import parse_repository_name
from wharfinger.services import Services

app = typer.Typer(help="Explain who may do what.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Explain who may do what."""


@app.command()
def explain(
    who: Annotated[str, typer.Argument(help="A user or a robot; `anonymous` for nobody.", metavar="WHO")],
    action: Annotated[Action, typer.Argument(help="What is to be done.", metavar="ACTION")],
    what: Annotated[str, typer.Argument(help="The repository.", metavar="REPOSITORY")],
    *,
    config: Config = None,
) -> None:
    """Say whether somebody may do something, and by which rule; ends with 1 if not."""
    name = parsed(parse_repository_name, what)
    account = None if who == ANONYMOUS.name else parsed(parse_any_account_name, who)

    async def work(services: Services, _by: Actor) -> Decision:
        principal = ANONYMOUS
        if account is not None:
            found = await services.accounts.find(account)
            principal = Principal(name=found.name, account_id=found.id)
        (registry, *_) = services.registries.all()
        return await services.authorization.decide(principal, registry, Access(action, name))

    decision = act(config, work)
    say(f"{'yes' if decision.allowed else 'no'}: {decision.rule}")
    if not decision.allowed:
        raise typer.Exit(1)
