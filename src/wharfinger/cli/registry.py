# SPDX-License-Identifier: Apache-2.0
"""`wharfinger registry`: the switches of a registry."""

from typing import Annotated

import typer

from wharfinger.cli.shell import Config, act, say
from wharfinger.cli.terminal import fail
from wharfinger.clock import DAY
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services import Services
from wharfinger.services.registries import FOR_GOOD, Registry, RegistryChange, untagged_in_words

app = typer.Typer(help="Show the switches of a registry, and turn them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of the registry.", metavar="[NAME]")]


@app.command()
def show(name: Name = DEFAULT_REGISTRY, *, config: Config = None) -> None:
    """Show the switches of a registry."""
    _print(act(config, lambda services, _by: services.registry_switches.of(registry_named(services, name))))


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
    config: Config = None,
) -> None:
    """Turn switches of a registry; those that are not named stay as they are."""
    if keep_untagged and untagged_after is not None:
        fail("say one: --untagged-after or --keep-untagged")
    change = RegistryChange(
        anonymous_pull=anonymous_pull,
        account_namespaces=account_namespaces,
        untagged_after=FOR_GOOD if keep_untagged else None if untagged_after is None else untagged_after * DAY,
    )
    if change == RegistryChange():
        fail("say which: --[no-]anonymous-pull, --[no-]account-namespaces, --untagged-after or --keep-untagged")

    async def work(services: Services, by: Actor) -> RegistryRow:
        return await services.registry_switches.change(registry_named(services, name), change, by)

    _print(act(config, work))


def registry_named(services: Services, name: str) -> Registry:
    """Return the registry of that name.

    Raises:
        RegistryUnknown: there is none.
    """
    return services.registries.known(name)


def _print(row: RegistryRow) -> None:
    say(f"name                    {row.name}")
    say(f"anonymous pull          {'on' if row.anonymous_pull else 'off'}")
    say(f"namespaces of accounts  {'on' if row.account_namespaces else 'off'}")
    say(f"untagged manifests      {untagged_in_words(row.untagged_after)}")
