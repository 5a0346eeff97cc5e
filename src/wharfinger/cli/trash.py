# SPDX-License-Identifier: Apache-2.0
"""`wharfinger trash`: what was deleted and comes back."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.filesize import decimal

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import PAGE, Config, Number, Yes, act, confirm, parsed, print_table, say
from wharfinger.cli.tag import time_of
from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import BlobUnknown, ManifestUnknown
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, RepositoryName, parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.trash import Trashed, TrashEntry, TrashKind, parse_trashed
from wharfinger.metadata.trash_lists import position_of
from wharfinger.services import Services
from wharfinger.services.registries import Registry as RegistryPlace

app = typer.Typer(help="Show what was deleted, bring it back, or end its time.", no_args_is_help=True)

What = Annotated[
    str,
    typer.Argument(help="A repository, a tag, or a manifest or blob.", metavar="NAME|NAME:TAG|NAME@DIGEST"),
]
Registry = Annotated[str, typer.Option(help="The registry that had it.", metavar="NAME")]


@app.command("list")
def show(
    name: Annotated[
        str | None, typer.Argument(help="Only what was deleted from this repository.", metavar="[NAME]")
    ] = None,
    *,
    most: Annotated[int, typer.Option(min=1, help="How many things to show.", metavar="NUMBER")] = PAGE,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """List what was deleted and comes back, the newest first: by whom, until when, and how much it holds."""
    repository = None if name is None else parsed(parse_repository_name, name)

    async def work(services: Services, _by: Actor) -> Sequence[tuple[TrashEntry, Instant]]:
        place = registry_named(services, registry)
        found: list[TrashEntry] = []
        while len(found) < most:
            last = position_of(found[-1]) if found else None
            page = await services.trash.list(place, repository, last, min(PAGE, most - len(found)))
            found.extend(page.items)
            if not page.more:
                break
        return [(entry, services.trash.until(entry)) for entry in found]

    print_table(
        ("what", "name", "deleted", "by", "comes back until", "size", "number"),
        (
            (
                entry.kind,
                entry,
                time_of(entry.deleted_at),
                entry.by,
                time_of(until),
                None if entry.size is None else decimal(entry.size),
                entry.number if entry.kind is TrashKind.REPOSITORY else None,
            )
            for entry, until in act(config, work)
        ),
    )


@app.command()
def restore(
    what: What,
    *,
    number: Number = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Bring back what was deleted, with everything that belongs to it."""
    wanted = parsed(parse_trashed, what)

    async def work(services: Services, by: Actor) -> str:
        place = registry_named(services, registry)
        if wanted.digest is not None:
            return await _restore_content(services, place, wanted.repository, wanted.digest, by)
        if wanted.tag is not None:
            digest = await services.tags.restore(place, wanted.repository, wanted.tag, by)
            return f"{wanted.repository}:{wanted.tag} names {digest}"
        name = await services.repositories.restore(place, wanted.repository, by, number=number)
        return f"the repository {name} is back"

    say(act(config, work))


@app.command()
def purge(
    what: What,
    *,
    number: Number = None,
    yes: Yes = False,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """End the time of what was deleted: it does not come back, and is collected as soon as nothing needs it."""
    wanted: Trashed = parsed(parse_trashed, what)
    confirm(f"End the time of {what}? It does not come back.", yes=yes)

    async def work(services: Services, by: Actor) -> None:
        await services.authorization.mode()  # accounts switch deletion on
        await services.trash.purge(registry_named(services, registry), wanted, by, number=number)

    act(config, work)
    say(f"{what} does not come back; what nothing else needs is removed soon")


async def _restore_content(
    services: Services, place: RegistryPlace, repository: RepositoryName, digest: Digest, by: Actor
) -> str:
    """Restore a manifest, or the blob of that digest."""
    try:
        restored = await services.manifests.restore(place, repository, digest, by)
    except ManifestUnknown:
        try:
            await services.blobs.restore(place, repository, digest, by)
        except BlobUnknown:
            message = Sentence(
                "Neither a manifest nor a blob %(digest)s is in the trash of %(repository)s.",
                digest=digest,
                repository=repository,
            )
            raise BlobUnknown(message) from None
        return f"the blob {repository}@{digest} is back"
    tags = f" with {', '.join(restored.tags)}" if restored.tags else ""
    others = f"; {len(restored.others)} manifests that it leads to came back too" if restored.others else ""
    return f"the manifest {repository}@{digest} is back{tags}{others}"
