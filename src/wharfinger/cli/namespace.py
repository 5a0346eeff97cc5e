# SPDX-License-Identifier: Apache-2.0
"""`wharfinger namespace`: whose first parts of names are, and how private new repositories begin."""

from typing import Annotated

import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import PAGE, Config, act, day_of, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import parse_account_name
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.metadata.namespaces import Namespace
from wharfinger.services import Services
from wharfinger.services.namespaces import NamespaceChange

app = typer.Typer(help="List namespaces, and change whose they are.", no_args_is_help=True)

Registry = Annotated[str, typer.Option(help="The registry that has it.", metavar="NAME")]


@app.command("list")
def show(*, registry: Registry = DEFAULT_REGISTRY, config: Config = None) -> None:
    """List the namespaces: the first parts of names of several parts."""

    async def work(services: Services, _by: Actor) -> list[Namespace]:
        place = registry_named(services, registry)
        found: list[Namespace] = []
        while True:
            page = await services.namespaces.list(place, found[-1].name if found else None, PAGE)
            found.extend(page.items)
            if not page.more:
                return found

    print_table(
        ("name", "owner", "new repositories are", "repositories", "since"),
        (
            (one.name, one.owner, one.default_visibility, one.repositories, day_of(one.created_at))
            for one in act(config, work)
        ),
    )


@app.command("set")
def change(
    name: Annotated[str, typer.Argument(help="The first part of names.", metavar="NAME")],
    *,
    default_visibility: Annotated[
        Visibility | None, typer.Option(help="Who may pull what is made in it from now on.")
    ] = None,
    owned: Annotated[
        bool | None,
        typer.Option("--claim/--release", help="Give it to the user or the organization of its name, or back."),
    ] = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Change a namespace; repositories that are there keep their own visibility."""
    wanted = parsed(parse_account_name, name)
    change = NamespaceChange(default_visibility=default_visibility, owned=owned)
    if change == NamespaceChange():
        fail("say what to change: --default-visibility, --claim or --release")

    async def work(services: Services, by: Actor) -> Namespace:
        return await services.namespaces.change(registry_named(services, registry), wanted, change, by)

    found = act(config, work)
    owner = f"belongs to {found.owner}" if found.owner else "belongs to the registry"
    say(f"{found.name} {owner}; new repositories are {found.default_visibility}")
