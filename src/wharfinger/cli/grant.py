# SPDX-License-Identifier: Apache-2.0
"""`wharfinger grant`: who has which role where."""

from collections.abc import Sequence
from typing import Annotated

import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, OnNamespace, OnRegistry, OnRepository, act, day_of, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.domain.accounts import parse_account_name, parse_subject
from wharfinger.domain.grants import DEPLOYMENT, Place, parse_role, word_of
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, parse_repository_name
from wharfinger.metadata.grants import Grant
from wharfinger.services import Services

app = typer.Typer(help="Give roles and take them away.", no_args_is_help=True)

Subject = Annotated[
    str, typer.Argument(help="A user, a robot (ORG+NAME, @REGISTRY+NAME) or a team (ORG/TEAM).", metavar="SUBJECT")
]
Deployment = Annotated[bool, typer.Option("--deployment", help="On the whole deployment.")]


@app.command()
def give(
    subject: Subject,
    role: Annotated[str, typer.Argument(help="read, write or admin; also viewer and manager.", metavar="ROLE")],
    *,
    repository: OnRepository = None,
    namespace: OnNamespace = None,
    registry: OnRegistry = None,
    deployment: Deployment = False,
    config: Config = None,
) -> None:
    """Give a role at a place, instead of the one that the subject was given there before."""
    who = parsed(parse_subject, subject)
    _require_one_place(repository, namespace, registry, deployment=deployment)

    async def work(services: Services, by: Actor) -> str:
        place = _place_of(services, repository, namespace, registry, deployment=deployment)
        wanted = parse_role(role, place)
        await services.grants.give(who, place, wanted, by)
        return f"{who} has {word_of(wanted)} on {place}"

    say(act(config, work))


@app.command()
def take(
    subject: Subject,
    *,
    repository: OnRepository = None,
    namespace: OnNamespace = None,
    registry: OnRegistry = None,
    deployment: Deployment = False,
    config: Config = None,
) -> None:
    """Take away the role that was given at a place; what the subject has by other ways stays."""
    who = parsed(parse_subject, subject)
    _require_one_place(repository, namespace, registry, deployment=deployment)

    async def work(services: Services, by: Actor) -> str:
        place = _place_of(services, repository, namespace, registry, deployment=deployment)
        await services.grants.take(who, place, by)
        return f"what {who} was given on {place} was taken away"

    say(act(config, work))


@app.command("list")
def show(
    subject: Annotated[str | None, typer.Argument(help="Whose roles are listed.", metavar="[SUBJECT]")] = None,
    *,
    repository: OnRepository = None,
    namespace: OnNamespace = None,
    registry: OnRegistry = None,
    deployment: Deployment = False,
    config: Config = None,
) -> None:
    """List the roles of somebody, or those given at a place."""
    who = None if subject is None else parsed(parse_subject, subject)
    if who is None:
        _require_one_place(repository, namespace, registry, deployment=deployment)
    elif deployment or repository or namespace or registry:
        fail("list the roles of somebody, or those at a place, not both")

    async def work(services: Services, _by: Actor) -> Sequence[Grant]:
        if who is not None:
            return await services.grants.of_subject(who)
        place = _place_of(services, repository, namespace, registry, deployment=deployment)
        return await services.grants.of_place(place)

    print_table(
        ("subject", "role", "place", "since"),
        ((one.subject, word_of(one.role), one.place, day_of(one.created_at)) for one in act(config, work)),
    )


def _require_one_place(
    repository: str | None, namespace: str | None, registry: str | None, *, deployment: bool
) -> None:
    """End the command unless it names exactly one place."""
    inside = [one for one in (repository, namespace) if one is not None]
    named = len(inside) + int(deployment) if inside else int(deployment) + int(registry is not None)
    if named != 1:
        fail("say where: one of --repository, --namespace, --registry or --deployment")


def _place_of(
    services: Services, repository: str | None, namespace: str | None, registry: str | None, *, deployment: bool
) -> Place:
    if deployment:
        return DEPLOYMENT
    number = registry_named(services, registry or DEFAULT_REGISTRY).id
    if repository is not None:
        return Place(registry_id=number, repository=parse_repository_name(repository))
    return Place(registry_id=number, namespace=None if namespace is None else parse_account_name(namespace))
