# SPDX-License-Identifier: Apache-2.0
"""`wharfinger content`: which kinds of content are taken, in the deployment or in a namespace."""

from collections.abc import Sequence
from typing import Annotated

import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, act, parsed, print_table, say
from wharfinger.domain.accounts import parse_account_name
from wharfinger.domain.content import ContentKind, in_words
from wharfinger.domain.errors import NamespaceUnknown
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.services import Services
from wharfinger.services.namespaces import NamespaceChange

app = typer.Typer(
    help="Switch kinds of content off: images, Helm charts, other artifacts. Pulls go on.", no_args_is_help=True
)

Namespace = Annotated[
    str | None, typer.Option(help="Only in this first part of names; without it everywhere.", metavar="NAME")
]
Registry = Annotated[str, typer.Option(help="The registry that has the namespace.", metavar="NAME")]
Kinds = Annotated[list[ContentKind], typer.Argument(help="Which kinds.")]


@app.command("list")
def show(*, namespace: Namespace = None, registry: Registry = DEFAULT_REGISTRY, config: Config = None) -> None:
    """Show which kinds of content are taken."""

    async def work(services: Services, _by: Actor) -> tuple[frozenset[ContentKind], frozenset[ContentKind]]:
        everywhere = await services.content.off()
        if namespace is None:
            return everywhere, frozenset()
        place = registry_named(services, registry)
        try:
            found = await services.namespaces.find(place, parsed(parse_account_name, namespace))
        except NamespaceUnknown:  # it comes into being with its first repository
            return everywhere, frozenset()
        return everywhere, found.kinds_off

    everywhere, here = act(config, work)
    states = {True: "off", False: "on"}
    print_table(
        ("kind", "deployment", *(() if namespace is None else (namespace,))),
        (
            (kind, states[kind in everywhere], *(() if namespace is None else (states[kind in here],)))
            for kind in ContentKind
        ),
    )


@app.command("off")
def switch_off(
    kinds: Kinds, *, namespace: Namespace = None, registry: Registry = DEFAULT_REGISTRY, config: Config = None
) -> None:
    """Take no pushes of some kinds any more. What is there is pulled as before."""
    _switch(kinds, namespace, registry, config, taken=False)


@app.command("on")
def switch_on(
    kinds: Kinds, *, namespace: Namespace = None, registry: Registry = DEFAULT_REGISTRY, config: Config = None
) -> None:
    """Take pushes of some kinds again."""
    _switch(kinds, namespace, registry, config, taken=True)


def _switch(kinds: Sequence[ContentKind], namespace: str | None, registry: str, config: Config, *, taken: bool) -> None:
    wanted = dict.fromkeys(kinds, taken)
    name = None if namespace is None else parsed(parse_account_name, namespace)

    async def work(services: Services, by: Actor) -> frozenset[ContentKind]:
        if name is None:
            return await services.content.change(wanted, by)
        place = registry_named(services, registry)
        return (await services.namespaces.change(place, name, NamespaceChange(taken=wanted), by)).kinds_off

    place = "the deployment" if namespace is None else f"the namespace {namespace}"
    say(f"switched off in {place}: {in_words(act(config, work))}")
