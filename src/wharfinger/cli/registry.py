# SPDX-License-Identifier: Apache-2.0
"""`wharfinger registry`: registries, their storages and their switches."""

from typing import Annotated

import typer
from rich.filesize import decimal

from wharfinger.cli.shell import Config, Yes, act, confirm, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.clock import DAY
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.registries import Contents, Domains, parse_registry_name
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services import Services
from wharfinger.services.registries import FOR_GOOD, Registry, RegistryChange, untagged_in_words

app = typer.Typer(help="Create, change and delete registries.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of the registry.", metavar="[NAME]")]


@app.command("list")
def list_all(*, config: Config = None) -> None:
    """List the registries, where each answers, and which storage it has."""

    async def work(services: Services, _by: Actor) -> list[tuple[RegistryRow, str]]:
        domains, held = services.registries.domains, (await services.lifecycle.holders()).values()
        return [(row, " ".join(host for host, _ in row.endpoints.open(domains)) or "-") for row in held]

    rows = act(config, work)
    print_table(
        ["NAME", "STORAGE", "ANSWERS ON", "STATE"], [(row.name, row.storage, hosts, _state(row)) for row, hosts in rows]
    )


@app.command()
def storages(*, config: Config = None) -> None:
    """List the storages that the settings declare, and which registry has each."""

    async def work(services: Services, _by: Actor) -> list[tuple[str, str, str]]:
        found = []
        for one in await services.lifecycle.uses():
            free = "free" if one.left_by is None else f"free; holds the images of {one.left_by}"
            found.append((one.name, one.place, free if one.holder is None else f"serves {one.holder.name}"))
        return found

    print_table(["NAME", "DIRECTORY", "USE"], act(config, work))


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Its name: 3 to 30 lower-case letters, digits and hyphens.")],
    *,
    storage: Annotated[str, typer.Option(help="The storage, as `wharfinger registry storages` lists it.")],
    config: Config = None,
) -> None:
    """Create a registry over a free storage; images that another registry left there come back."""
    wanted = parsed(parse_registry_name, name)

    async def work(services: Services, by: Actor) -> tuple[RegistryRow, Contents, Domains]:
        row = await services.lifecycle.create(wanted, storage, by)
        registry = await services.registries.named(wanted)
        return row, await services.lifecycle.contents(registry), services.registries.domains

    row, contents, domains = act(config, work)
    say(f"the registry {row.name} is there, over the storage {row.storage}")
    if contents.repositories:
        say(f"{contents.repositories} repositories with {contents.tags} tags came back")
    _print_endpoints(row, domains)


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="The name of the registry.")],
    *,
    images: Annotated[
        bool,
        typer.Option("--images", help="Delete its images too. Otherwise they stay in the storage, with an inventory."),
    ] = False,
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Delete a registry. Its images stay in the storage, and come back with a new registry over it."""

    async def look(services: Services, _by: Actor) -> Contents:
        return await services.lifecycle.contents(registry_named(services, name))

    contents = act(config, look)
    say(
        f"{name} has {contents.repositories} repositories, {contents.tags} tags and {contents.blobs} blobs, "
        f"{decimal(contents.size)} in all; {contents.trashed} repositories are in the trash, and do not come back"
    )
    fate = "its images are deleted, and do not come back" if images else "its images stay in the storage"
    confirm(f"Delete the registry {name}? Clients get 404 at once; {fate}.", yes=yes)

    async def work(services: Services, by: Actor) -> int:
        await services.lifecycle.delete(registry_named(services, name), by, images=images)
        return await services.lifecycle.settle()

    if act(config, work):
        say(f"the registry {name} is deleted, and its storage is free")
    elif images:
        say(f"the registry {name} is deleted; its storage is free once the background jobs have removed the images")
    else:
        say(f"the registry {name} is deleted; the background jobs write its inventory when the storage answers")


@app.command("set")
def change(
    name: Name = DEFAULT_REGISTRY,
    *,
    anonymous_pull: Annotated[
        bool | None,
        typer.Option("--anonymous-pull/--no-anonymous-pull", help="Whether public means everybody, or every account."),
    ] = None,
    account_namespaces: Annotated[
        bool | None,
        typer.Option(
            "--account-namespaces/--no-account-namespaces",
            help="Whether new namespaces belong to the accounts of their names.",
        ),
    ] = None,
    untagged_after: Annotated[
        int | None,
        typer.Option(
            help="Collect manifests without a tag so many days after they were last used.", metavar="DAYS", min=1
        ),
    ] = None,
    keep_untagged: Annotated[
        bool, typer.Option("--keep-untagged", help="Keep manifests without a tag until somebody deletes them.")
    ] = False,
    public: Annotated[
        bool | None, typer.Option("--public/--no-public", help="Whether anyone may pull everything.")
    ] = None,
    public_endpoint: Annotated[
        bool | None,
        typer.Option("--public-endpoint/--no-public-endpoint", help="Whether it answers on the host of its name."),
    ] = None,
    private_endpoint: Annotated[
        bool | None,
        typer.Option("--private-endpoint/--no-private-endpoint", help="Whether it answers on its private host."),
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="A host of its own; give all of them. An empty one takes all away.")
    ] = None,
    config: Config = None,
) -> None:
    """Turn switches of a registry; those that are not named stay as they are."""
    if keep_untagged and untagged_after is not None:
        fail("say one: --untagged-after or --keep-untagged")
    change = RegistryChange(
        anonymous_pull=anonymous_pull,
        account_namespaces=account_namespaces,
        untagged_after=FOR_GOOD if keep_untagged else None if untagged_after is None else untagged_after * DAY,
        public=public,
        public_endpoint=public_endpoint,
        private_endpoint=private_endpoint,
        hosts=None if host is None else [one for one in host if one],
    )
    if change == RegistryChange():
        fail("say which: --public, --public-endpoint, --anonymous-pull or another switch; --help lists them")

    async def work(services: Services, by: Actor) -> tuple[RegistryRow, Domains]:
        row = await services.registry_switches.change(registry_named(services, name), change, by)
        return row, services.registries.domains

    _print(*act(config, work))


@app.command()
def show(name: Name = DEFAULT_REGISTRY, *, config: Config = None) -> None:
    """Show a registry: where it answers, and its switches."""

    async def work(services: Services, _by: Actor) -> tuple[RegistryRow, Domains]:
        row = await services.registry_switches.of(registry_named(services, name))
        return row, services.registries.domains

    _print(*act(config, work))


def registry_named(services: Services, name: str) -> Registry:
    """Return the registry of that name.

    Raises:
        RegistryUnknown: there is none.
    """
    return services.registries.known(name)


def _state(row: RegistryRow) -> str:
    if row.deleted_at is not None:
        return "being deleted"
    return "open" if row.opened_at is not None else "being opened"


def _print_endpoints(row: RegistryRow, domains: Domains) -> None:
    public, private = row.endpoints.public_host(domains), row.endpoints.private_host(domains)
    say(f"public endpoint         {public or 'none: registries.publicdomain is not set'}{_off(on=row.public_endpoint)}")
    say(f"private endpoint        {private or 'none'}{_off(on=row.private_endpoint)}")
    say(f"hosts of its own        {' '.join(row.hosts) or 'none'}")


def _off(*, on: bool) -> str:
    return "" if on else " (off)"


def _print(row: RegistryRow, domains: Domains) -> None:
    say(f"name                    {row.name}")
    say(f"storage                 {row.storage}")
    _print_endpoints(row, domains)
    say(f"public registry         {'on' if row.public else 'off'}")
    say(f"anonymous pull          {'on' if row.anonymous_pull else 'off'}")
    say(f"namespaces of accounts  {'on' if row.account_namespaces else 'off'}")
    say(f"untagged manifests      {untagged_in_words(row.untagged_after)}")
