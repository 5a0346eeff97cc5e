# SPDX-License-Identifier: Apache-2.0
"""`wharfinger repository`: what a repository says of itself, and who reaches it."""

from typing import Annotated

import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import PAGE, Config, act, day_of, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.domain.access import Visibility
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, parse_repository_name
from wharfinger.domain.repositories import parse_description, parse_source
from wharfinger.metadata.repositories import Repository
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services import Services
from wharfinger.services.repositories import RepositoryChange

app = typer.Typer(help="List repositories, and change what they say and who reaches them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of the repository.", metavar="NAME")]
Registry = Annotated[str, typer.Option(help="The registry that has it.", metavar="NAME")]


@app.command("list")
def list_all(*, registry: Registry = DEFAULT_REGISTRY, config: Config = None) -> None:
    """List every repository that has had a manifest, with who may pull it."""

    async def work(services: Services, _by: Actor) -> list[Repository]:
        place = registry_named(services, registry)
        found: list[Repository] = []
        while True:
            page = await services.repositories.list(place, found[-1].name if found else None, PAGE, EVERYTHING)
            found.extend(page.items)
            if not page.more:
                return found

    print_table(
        ("name", "visibility", "inherits", "description", "source", "last push"),
        (
            (
                one.name,
                one.visibility,
                "yes" if one.inherits else "no",
                one.description,
                one.source,
                day_of(one.changed_at),
            )
            for one in act(config, work)
        ),
    )


@app.command()
def show(name: Name, *, registry: Registry = DEFAULT_REGISTRY, config: Config = None) -> None:
    """Show what a repository says of itself, and who reaches it."""
    wanted = parsed(parse_repository_name, name)
    _print(act(config, lambda services, _by: services.repositories.find(registry_named(services, registry), wanted)))


@app.command("set")
def change(
    name: Name,
    *,
    description: Annotated[str | None, typer.Option(help="One line for lists; empty to take it away.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Where its images are built from; empty to take it away.", metavar="URL")
    ] = None,
    visibility: Annotated[Visibility | None, typer.Option(help="Who may pull without a role.")] = None,
    inherits: Annotated[
        bool | None, typer.Option("--inherit/--no-inherit", help="Whether roles on its namespace reach it.")
    ] = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Change a repository; what is not named stays as it is."""
    wanted = parsed(parse_repository_name, name)
    change = RepositoryChange(
        description=None if description is None else parsed(parse_description, description),
        source=None if source is None else parsed(parse_source, source),
        visibility=visibility,
        inherits=inherits,
    )
    if change == RepositoryChange():
        fail("say what to change: --description, --source, --visibility, --inherit or --no-inherit")

    async def work(services: Services, by: Actor) -> Repository:
        return await services.repositories.change(registry_named(services, registry), wanted, change, by)

    _print(act(config, work))


def _print(repository: Repository) -> None:
    say(f"name         {repository.name}")
    say(f"description  {repository.description or '-'}")
    say(f"source       {repository.source or '-'}")
    say(f"visibility   {repository.visibility}")
    say(f"inherits     {'yes' if repository.inherits else 'no'}")
    say(f"created      {day_of(repository.created_at)}")
