# SPDX-License-Identifier: Apache-2.0
"""`wharfinger tag`: what a tag names, what it has named, what is inside, deleting it, and bringing it back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import typer

from wharfinger.cli.inspection import print_comparison, print_inspection
from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import PAGE, Config, Yes, act, confirm, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.clock import SECOND, Instant, as_datetime
from wharfinger.domain.comparison import Comparison, parse_side
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.identity import Actor
from wharfinger.domain.inspection import Inspection
from wharfinger.domain.names import DEFAULT_REGISTRY, RepositoryName, TagName
from wharfinger.domain.referrers import Attached
from wharfinger.domain.trash import parse_trashed
from wharfinger.metadata.tag_history import Movement
from wharfinger.services import Services
from wharfinger.services.tags import TagThen

app = typer.Typer(help="Show what tags have named, delete them, and bring them back.", no_args_is_help=True)

Registry = Annotated[str, typer.Option(help="The registry that has the repository.", metavar="NAME")]
One = Annotated[str, typer.Argument(help="The tag, as NAME:TAG.", metavar="NAME:TAG")]
At = Annotated[
    str | None,
    typer.Option(help="A time, as 2026-11-21T14:30:00Z; without a zone it is in UTC.", metavar="TIME"),
]
Platform = Annotated[
    str | None,
    typer.Option(help="Of an image for several platforms, which one; or its digest.", metavar="PLATFORM"),
]


class _Named(NamedTuple):
    repository: RepositoryName
    tag: TagName


@app.command()
def history(
    what: Annotated[str, typer.Argument(help="A tag, or a repository for all its tags.", metavar="NAME[:TAG]")],
    *,
    most: Annotated[int, typer.Option(min=1, help="How many movements to show.", metavar="NUMBER")] = PAGE,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """List the movements of a tag, the newest first: when it was made, moved or deleted, and by whom."""
    wanted = parsed(parse_trashed, what)
    if wanted.digest is not None:
        fail("name a tag or a repository: NAME:TAG or NAME")

    async def work(services: Services, _by: Actor) -> Sequence[Movement]:
        place = registry_named(services, registry)
        found: list[Movement] = []
        while len(found) < most:
            last = found[-1].id if found else None
            limit = min(PAGE, most - len(found))
            page = await services.tags.history(place, wanted.repository, wanted.tag, last, limit)
            found.extend(page.items)
            if not page.more:
                break
        return found

    print_table(
        ("time", "tag", "from", "to", "by", "why"),
        ((time_of(one.at), one.tag, one.before, one.after, one.by, one.detail) for one in act(config, work)),
    )


@app.command()
def show(
    what: One,
    *,
    at: At = None,
    platform: Platform = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Show what a tag names, or what it named at a time, and what is inside."""
    wanted = _parsed_tag(what)
    time = None if at is None else _parsed_time(at)

    async def work(services: Services, _by: Actor) -> tuple[TagThen, Inspection | None, Attached]:
        place = registry_named(services, registry)
        then = await services.tags.at(place, wanted.repository, wanted.tag, time)
        if not then.is_here:
            return then, None, Attached(referrers=(), more=False)
        inside = await services.inspections.look(place, wanted.repository, then.digest, variant=platform)
        return then, inside, await services.inspections.attached(place, wanted.repository, then.digest)

    found, inside, attached = act(config, work)
    say(f"digest   {found.digest}")
    say(f"since    {time_of(found.since)}")
    say(f"by       {found.by}")
    if found.is_here:
        say(f"pull it  {wanted.repository}@{found.digest}")
    elif found.in_trash:
        say(f"deleted; `wharfinger trash restore {wanted.repository}@{found.digest}` brings it back")
    else:
        say("collected: it has to be pushed again")
    if inside is not None:
        print_inspection(inside, attached)


@app.command("compare")
def compare_two(
    before: Annotated[str, typer.Argument(help="A tag or a digest of a repository.", metavar="NAME:TAG")],
    after: Annotated[str, typer.Argument(help="Another one, or a tag of the same repository.", metavar="NAME:TAG")],
    *,
    platform: Platform = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Show how two images differ: layers, configuration, environment, labels and platforms."""
    first = parsed(lambda text: parse_side(text, RepositoryName("")), before)
    if not first.repository:
        fail("name the first one whole: NAME:TAG or NAME@DIGEST")
    second = parsed(lambda text: parse_side(text, first.repository), after)

    async def work(services: Services, _by: Actor) -> Comparison:
        return await services.inspections.compare(registry_named(services, registry), first, second, variant=platform)

    print_comparison(act(config, work))


@app.command()
def delete(
    what: Annotated[list[str], typer.Argument(help="Tags of one repository, each as NAME:TAG.", metavar="NAME:TAG...")],
    *,
    yes: Yes = False,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Delete tags, all of them or none; their manifests stay, and `restore` brings a tag back."""
    wanted = [_parsed_tag(one) for one in what]
    repository = wanted[0].repository
    if any(one.repository != repository for one in wanted):
        fail("name tags of one repository at a time")
    confirm(f"Delete {', '.join(what)}?", yes=yes)

    async def work(services: Services, by: Actor) -> None:
        await services.authorization.mode()  # accounts switch deletion on
        names = [one.tag for one in wanted]
        await services.tags.delete_all(registry_named(services, registry), repository, names, by)

    act(config, work)
    for one in what:
        say(f"the tag {one} was deleted; `wharfinger tag restore {one}` brings it back")


@app.command()
def restore(
    what: One,
    *,
    to: Annotated[
        str | None, typer.Option(help="A manifest that the tag has named, as in its history.", metavar="DIGEST")
    ] = None,
    at: At = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Set a tag to what it named before it was deleted or moved, with its manifest if that was deleted too."""
    wanted = _parsed_tag(what)
    if to is not None and at is not None:
        fail("say --to or --at, not both")
    digest = None if to is None else parsed(parse_digest, to)
    time = None if at is None else _parsed_time(at)

    async def work(services: Services, by: Actor) -> Digest:
        place = registry_named(services, registry)
        target = digest
        if time is not None:
            target = (await services.tags.at(place, wanted.repository, wanted.tag, time)).digest
        return await services.tags.restore(place, wanted.repository, wanted.tag, by, to=target)

    say(f"{wanted.repository}:{wanted.tag} names {act(config, work)}")


def time_of(instant: Instant) -> str:
    """Return an instant as people read it, to the second and in UTC."""
    return f"{as_datetime(instant):%Y-%m-%dT%H:%M:%SZ}"


def _parsed_tag(text: str) -> _Named:
    named = parsed(parse_trashed, text)
    if named.tag is None:
        fail("name a tag: NAME:TAG")
    return _Named(named.repository, named.tag)


def _parsed_time(text: str) -> Instant:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a time: write it as 2026-11-21T14:30:00Z")
    return Instant(int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * SECOND))
