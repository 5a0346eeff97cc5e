# SPDX-License-Identifier: Apache-2.0
"""`wharfinger search`: repositories, tags, digests and accounts by a text."""

import sys
from dataclasses import asdict
from typing import Annotated, Final

import orjson
import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, act, day_of, print_table, say
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.search import MAX_RESULTS, FoundKind
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services import Services
from wharfinger.services.search import ALL, EVERYBODY, Found

_SOME: Final = 20
_TRIES: Final = (
    "repositories are found by names, descriptions and label:NAME=VALUE, tags by names or as app:v1, digests by 6 "
    "digits, accounts by names"
)


def search(
    words: Annotated[
        list[str], typer.Argument(help="Words, a reference such as app:v1, or the beginning of a digest.")
    ],
    *,
    kind: Annotated[list[FoundKind] | None, typer.Option(help="Only of this kind; may be said again.")] = None,
    most: Annotated[int, typer.Option(min=1, max=MAX_RESULTS, help="How many of each kind.", metavar="NUMBER")] = _SOME,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    registry: Annotated[str, typer.Option(help="The registry to search.", metavar="NAME")] = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Find repositories, tags, digests and accounts, the best first. Ends with 1 if there is nothing."""

    async def work(services: Services, _by: Actor) -> Found:
        place = registry_named(services, registry)
        return await services.search.find(
            place, " ".join(words), EVERYTHING, limit=most, kinds=kind or ALL, accounts=EVERYBODY
        )

    found = act(config, work)
    if as_json:
        shown = {one.value: asdict(getattr(found, one.value)) for one in FoundKind}
        sys.stdout.write(orjson.dumps(shown).decode() + "\n")
    elif found.is_empty:
        say(f"nothing was found; {_TRIES}")
    else:
        _show(found)
    if found.is_empty:
        raise typer.Exit(1)


def _show(found: Found) -> None:
    if found.repositories.items:
        rows = ((one.name, one.description, day_of(one.changed_at)) for one in found.repositories.items)
        print_table(("repository", "description", "last push"), rows)
        _tell(more=found.repositories.more)
    if found.tags.items:
        print_table(
            ("tag", "digest", "moved"),
            ((f"{one.repository}:{one.name}", one.digest, day_of(one.moved_at)) for one in found.tags.items),
        )
        _tell(more=found.tags.more)
    if found.digests.items:
        print_table(
            ("content", "type", "manifest"),
            ((f"{one.repository}@{one.digest}", one.media_type, one.manifest) for one in found.digests.items),
        )
        _tell(more=found.digests.more)

    if found.accounts.items:
        rows_of_accounts = ((one.kind, one.name, one.display_name) for one in found.accounts.items)
        print_table(("kind", "name", "called"), rows_of_accounts)
        _tell(more=found.accounts.more)


def _tell(*, more: bool) -> None:
    if more:
        say("… and more: add a word, or say --most")
