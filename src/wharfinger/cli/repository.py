# SPDX-License-Identifier: Apache-2.0
"""`wharfinger repository`: what a repository says of itself, who reaches it, and how it goes and comes back."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import PAGE, Config, Number, Yes, act, confirm, day_of, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.domain.access import Visibility
from wharfinger.domain.errors import NameUnknown
from wharfinger.domain.grants import word_of
from wharfinger.domain.identity import ANONYMOUS, Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, RepositoryName, parse_repository_name
from wharfinger.domain.policies.immutability import parse_immutability
from wharfinger.domain.repositories import (
    MAX_FULL_DESCRIPTION,
    parse_description,
    parse_full_description,
    parse_source,
)
from wharfinger.metadata.repositories import Repository
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services import Services
from wharfinger.services.descriptions import Description
from wharfinger.services.pulls import WHOLE
from wharfinger.services.reach import Reach, Way
from wharfinger.services.registries import Registry as RegistryRow
from wharfinger.services.repositories import RepositoryChange

app = typer.Typer(help="List repositories, change them, delete them and bring them back.", no_args_is_help=True)

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
    """Show what a repository says of itself, who reaches it, and how much is in it."""
    wanted = parsed(parse_repository_name, name)

    async def work(services: Services, _by: Actor) -> tuple[Repository, Sequence[str]]:
        place = registry_named(services, registry)
        return await services.repositories.find(place, wanted), await _figures(services, place, wanted)

    found, figures = act(config, work)
    _print(found)
    for line in figures:
        say(line)


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
    immutable: Annotated[
        str | None,
        typer.Option(help="Which tags never move: none, all, or patterns such as 'v*, !v*-rc*'.", metavar="RULES"),
    ] = None,
    immutable_deletable: Annotated[
        bool | None,
        typer.Option("--immutable-deletable/--no-immutable-deletable", help="Whether an immutable tag may be deleted."),
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
        immutable_tags=None if immutable is None else str(parsed(parse_immutability, immutable)),
        immutable_deletable=immutable_deletable,
    )
    if change == RepositoryChange():
        fail(
            "say what to change: --description, --source, --visibility, --[no-]inherit, --immutable or "
            "--[no-]immutable-deletable"
        )

    async def work(services: Services, by: Actor) -> Repository:
        return await services.repositories.change(registry_named(services, registry), wanted, change, by)

    _print(act(config, work))


@app.command()
def describe(
    name: Name,
    *,
    file: Annotated[
        Path | None,
        typer.Option(help="Write it from a file with Markdown; - for standard input, an empty one takes it away."),
    ] = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Print the full description of a repository, or write it from a file."""
    wanted = parsed(parse_repository_name, name)
    text = None if file is None else parsed(parse_full_description, _read(file))

    async def work(services: Services, by: Actor) -> Description | None:
        place = registry_named(services, registry)
        if text is None:
            return await services.descriptions.find(place, wanted)
        return await services.descriptions.change(place, wanted, text, by)

    found = act(config, work)
    if text is not None:
        size = 0 if found is None else len(found.text)
        say(f"the full description of {wanted} has {size:,} characters")
    elif found is not None:
        sys.stdout.write(f"{found.text}\n")


@app.command()
def people(name: Name, *, registry: Registry = DEFAULT_REGISTRY, config: Config = None) -> None:
    """List who reaches a repository, with which role, and by what."""
    wanted = parsed(parse_repository_name, name)

    async def work(services: Services, _by: Actor) -> Reach:
        return await services.reaches.of_repository(registry_named(services, registry), wanted)

    found = act(config, work)
    print_table(
        ("who", "role", "by", "counts"),
        ((one.subject, word_of(one.role), _WAYS[one.way], "yes" if one.counts else "no") for one in found.people),
    )
    if found.is_cut:
        say("There are more of one kind than are listed here.")


@app.command()
def delete(
    name: Name,
    *,
    yes: Yes = False,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Delete a repository with all its tags, immutable ones too; `restore` brings it back."""
    wanted = parsed(parse_repository_name, name)
    confirm(f"Delete the repository {wanted} with all its tags?", yes=yes)

    async def work(services: Services, by: Actor) -> None:
        await services.authorization.mode()  # accounts switch deletion on
        await services.repositories.delete(registry_named(services, registry), wanted, by)

    act(config, work)
    say(f"the repository {wanted} was deleted; `wharfinger repository restore {wanted}` brings it back")


@app.command()
def restore(
    name: Name,
    *,
    new_name: Annotated[
        str | None, typer.Option("--as", help="What it is to be called, if its name is taken.", metavar="NAME")
    ] = None,
    number: Number = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Bring a deleted repository back as it was."""
    wanted = parsed(parse_repository_name, name)
    called = None if new_name is None else parsed(parse_repository_name, new_name)

    async def work(services: Services, by: Actor) -> str:
        place = registry_named(services, registry)
        return await services.repositories.restore(place, wanted, by, new_name=called, number=number)

    say(f"the repository {act(config, work)} is back")


_WAYS: Final = {
    Way.REPOSITORY: "a role on the repository",
    Way.OWNER: "owner of the namespace",
    Way.NAMESPACE: "a role on the namespace",
    Way.MEMBER: "member of the organization",
    Way.REGISTRY: "a role on the registry",
    Way.DEPLOYMENT: "a role on the deployment",
}


async def _figures(services: Services, registry: RegistryRow, name: RepositoryName) -> Sequence[str]:
    """Return lines with how much is in a repository; none before its first manifest."""
    try:
        size = await services.sizes.of_repository(registry, name)
    except NameUnknown:
        return ()
    pulls = (await services.pulls.of(registry, name)).get(WHOLE)
    stars = (await services.stars.of_repository(registry, name, ANONYMOUS)).stars
    return (
        f"tags         {size.tags:,}",
        f"manifests    {size.manifests:,}",
        f"size         {size.total:,} bytes, {size.shared:,} of them shared with other repositories",
        f"pulls        {0 if pulls is None else pulls.pulls:,}",
        f"stars        {stars:,}",
    )


def _read(file: Path) -> str:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
            return source.read(8 * MAX_FULL_DESCRIPTION).decode()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file} is not text in UTF-8")


def _print(repository: Repository) -> None:
    say(f"name         {repository.name}")
    say(f"description  {repository.description or '-'}")
    say(f"source       {repository.source or '-'}")
    say(f"visibility   {repository.visibility}")
    say(f"inherits     {'yes' if repository.inherits else 'no'}")
    say(f"immutable    {repository.immutability}{_deletable(repository)}")
    say(f"created      {day_of(repository.created_at)}")
    say(f"changed      {day_of(repository.changed_at)}")


def _deletable(repository: Repository) -> str:
    return "; immutable tags may be deleted" if repository.immutable_deletable else ""
