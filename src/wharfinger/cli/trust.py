# SPDX-License-Identifier: Apache-2.0
"""`wharfinger trust`: which CI jobs and programs in clusters may come in with their own identity."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple, NoReturn
from urllib.parse import urlsplit

import typer

from wharfinger.cli.identity_token import Token, read_token
from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, OnNamespace, OnRegistry, OnRepository, act, day_of, print_table, say
from wharfinger.cli.terminal import fail, read_settings
from wharfinger.clock import as_datetime
from wharfinger.domain.accounts import parse_account_name
from wharfinger.domain.forges import Code, Wish, github, gitlab, kubernetes
from wharfinger.domain.grants import Place, parse_role, word_of
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, parse_repository_name
from wharfinger.domain.trust import NewRule, TrustRule, parse_claims
from wharfinger.services import Services
from wharfinger.services.trust import Report

app = typer.Typer(help="Let CI jobs and clusters in by their own identity, without a secret.", no_args_is_help=True)

Role = Annotated[str, typer.Option(help="read, write or admin.", metavar="ROLE")]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", help="A pattern of tags that may be pushed, as 'v*'; several times for several.", metavar="PATTERN"
    ),
]
Audience = Annotated[
    str | None,
    typer.Option(help="The `aud` that the tokens have for this deployment; the host of http.host.", metavar="TEXT"),
]
Name = Annotated[str | None, typer.Option(help="What the rule is called.", metavar="TEXT")]
Host = Annotated[str | None, typer.Option(help="Of an installation of your own, as git.example.com.", metavar="HOST")]
OwnerId = Annotated[
    str | None, typer.Option(help="The owner's number, which a later owner of the same name does not get.")
]
Refs = Annotated[
    list[str] | None,
    typer.Option("--ref", help="Only from branches and tags like this, as 'refs/tags/v*'.", metavar="PATTERN"),
]
Events = Annotated[
    list[str] | None, typer.Option("--event", help="Only when started by this; instead of those that are usual.")
]
Environments = Annotated[list[str] | None, typer.Option("--environment", help="Only for this environment.")]
Whole = Annotated[
    bool, typer.Option("--whole", help="Everything at the place, not only what is linked to the job's own source.")
]
Jwks = Annotated[
    Path | None,
    typer.Option(help="The issuer's keys, for an issuer that cannot be asked for them.", metavar="FILE"),
]
RuleId = Annotated[int, typer.Argument(help="The id, as `trust list` shows it.", metavar="ID")]
_MOST_BYTES: Final = 256 * 1024


class Given(NamedTuple):
    """What every way to make a rule is given with."""

    role: str
    tags: list[str] | None
    audience: str | None
    name: str | None


def _add_forge(make: Callable[[Code, Wish], NewRule], owner: str, argument: str, doc: str) -> None:
    """Add the command that makes a rule for the jobs of a forge: in all of them they are told apart alike.

    Args:
        make: the ready-made rule, which the command is called by.
        owner: what the forge calls an owner.
        argument: the help of the owner.
        doc: the help of the command.
    """

    @app.command(make.__name__, help=doc)
    def command(
        path: Annotated[str, typer.Argument(help=argument, metavar=owner)],
        *,
        repository: OnRepository = None,
        namespace: OnNamespace = None,
        registry: OnRegistry = None,
        role: Role = "write",
        tag: Tags = None,
        ref: Refs = None,
        event: Events = None,
        environment: Environments = None,
        owner_id: OwnerId = None,
        whole: Whole = False,
        host: Host = None,
        audience: Audience = None,
        name: Name = None,
        config: Config = None,
    ) -> None:
        code = Code(
            path=path,
            host=host,
            owner_id=owner_id,
            refs=ref or (),
            events=event or (),
            environments=environment or (),
            linked=not whole,
        )
        where, given = _own(path, repository, namespace, registry), Given(role, tag, audience, name)
        _add(config, lambda services: make(code, _wish(services, config, where, given)))


_add_forge(
    github,
    "OWNER",
    "OWNER, or OWNER/REPOSITORY for the workflows of one.",
    "Let workflows of GitHub Actions push to what is linked to their own source, in the namespace of their owner.",
)
_add_forge(
    gitlab,
    "GROUP",
    "GROUP, or GROUP/PROJECT for the jobs of one.",
    "Let jobs of GitLab CI push to what is linked to their own source, in the namespace of their group.",
)


@app.command("kubernetes")
def add_kubernetes(
    account: Annotated[
        str, typer.Argument(help="NAMESPACE/SERVICE-ACCOUNT of the pods; `*` for every account.", metavar="ACCOUNT")
    ],
    *,
    issuer: Annotated[str, typer.Option(help="Of the cluster: the `iss` of its tokens.", metavar="URL")],
    repository: OnRepository = None,
    namespace: OnNamespace = None,
    registry: OnRegistry = None,
    role: Role = "read",
    tag: Tags = None,
    jwks: Jwks = None,
    audience: Audience = None,
    name: Name = None,
    config: Config = None,
) -> None:
    """Let the pods of a service account pull, or with --role write also push."""
    pods, slash, service_account = account.partition("/")
    if not slash:
        fail("say whose pods: NAMESPACE/SERVICE-ACCOUNT, as in default/web or default/*")
    keys = _read_keys(jwks)
    _add(
        config,
        lambda services: kubernetes(
            issuer,
            pods,
            service_account,
            _wish(services, config, (repository, namespace, registry), Given(role, tag, audience, name)),
            keys,
        ),
    )


@app.command()
def add(
    issuer: Annotated[str, typer.Argument(help="The `iss` of the tokens, an https:// URL.", metavar="ISSUER")],
    *,
    claim: Annotated[
        list[str] | None,
        typer.Option(
            help="CLAIM=VALUE that the token must have; `*` stands for anything. The same claim again: one of the "
            "values. A claim within others is written as a path: /kubernetes.io/namespace=prod.",
            metavar="CLAIM=VALUE",
        ),
    ] = None,
    repository: OnRepository = None,
    namespace: OnNamespace = None,
    registry: OnRegistry = None,
    role: Role = "read",
    tag: Tags = None,
    source: Annotated[
        str | None,
        typer.Option(help="Only what is linked to the job's own source, as https://HOST/{CLAIM}.", metavar="TEMPLATE"),
    ] = None,
    jwks: Jwks = None,
    audience: Audience = None,
    name: Name = None,
    config: Config = None,
) -> None:
    """Let in who has a token of an issuer with certain claims."""
    conditions: dict[str, tuple[str, ...]] = {}
    for text in claim or ():
        path, equals, value = text.partition("=")
        if not equals:
            fail(f"{text!r} is no condition: write CLAIM=VALUE")
        conditions[path] = (*conditions.get(path, ()), value)
    keys = _read_keys(jwks)

    def make(services: Services) -> NewRule:
        wish = _wish(services, config, (repository, namespace, registry), Given(role, tag, audience, name))
        return NewRule(
            name=wish.name or urlsplit(issuer).hostname or issuer[:100],
            issuer=issuer,
            audience=wish.audience,
            conditions=conditions,
            place=wish.place,
            role=wish.role,
            source=source,
            tags=tuple(wish.tags),
            jwks=keys,
        )

    _add(config, make)


@app.command("list")
def show(*, config: Config = None) -> None:
    """List all trust rules."""

    async def work(services: Services, _by: Actor) -> Sequence[TrustRule]:
        return await services.trust.list()

    print_table(
        ("id", "name", "issuer", "audience", "conditions", "role", "place", "tags", "since"),
        (
            (
                one.id,
                one.name,
                one.issuer + (" (keys by file)" if one.jwks else ""),
                one.audience,
                ", ".join(f"{claim}={'|'.join(values)}" for claim, values in one.conditions.items()) or None,
                word_of(one.role),
                f"{one.place}, linked to {one.source}" if one.source else one.place,
                " ".join(one.tags) or None,
                day_of(one.created_at),
            )
            for one in act(config, work)
        ),
    )


@app.command()
def remove(number: RuleId, *, config: Config = None) -> None:
    """Remove a rule: whom it let in is out with the next request."""
    rule = act(config, lambda services, by: services.trust.remove(number, by))
    say(f"{rule} is removed")


@app.command()
def keys(
    number: RuleId,
    file: Annotated[Path | None, typer.Argument(help="The new keys; without one the issuer is asked.")] = None,
    *,
    config: Config = None,
) -> None:
    """Give a rule the new keys of its issuer, where they are given by file."""
    content = _read_keys(file)
    rule = act(config, lambda services, by: services.trust.change_keys(number, content, by))
    say(f"{rule} {'has new keys' if content else 'asks its issuer for keys'}")


@app.command("test")
def explain(token: Token, *, config: Config = None) -> None:
    """Say which rules let the holder of an identity token in, and why the others do not; ends with 1 if none does.

    The file may also hold the claims of a token as JSON: then signature and times are not looked at.
    """
    text = read_token(token)

    async def work(services: Services, _by: Actor) -> Report:
        if text.startswith("{"):
            claims = parse_claims(text)
            return await services.trust.test_claims(claims, registry_named(services, DEFAULT_REGISTRY))
        return await services.trust.test(text, registry_named(services, DEFAULT_REGISTRY))

    report = act(config, work)
    _say_of(report)
    has_token = report.expires_at is not None
    if not has_token:
        say("only the claims were looked at: neither the signature, nor when the token ends")
    if report.principal is None and (has_token or all(one.reasons for one in report.verdicts)):
        raise typer.Exit(1)


def _say_of(report: Report) -> None:
    """Say what a token says, and what every rule says of it."""
    say(f"issuer    {report.issuer}")
    say(f"subject   {report.subject}")
    say(f"audience  {', '.join(report.audience) or '-'}")
    if report.expires_at is not None:
        say(f"ends      {as_datetime(report.expires_at):%Y-%m-%d %H:%M:%S} UTC")
    if report.principal is not None and report.principal.workload is not None:
        say(f"source    {report.principal.workload.source or '-'}")
    for verdict in report.verdicts:
        if verdict.reasons:
            say(f"no   {verdict.rule}: {'; '.join(verdict.reasons)}")
        else:
            say(f"yes  {verdict.rule}: {word_of(verdict.rule.role)} on {verdict.rule.place}")
    if not report.verdicts:
        say("there are no trust rules; make one with `wharfinger trust github`, `gitlab`, `kubernetes` or `add`")
    if report.problem is not None:
        say(f"no rule counts: the token is {report.problem}")


def _add(config: Path | None, make: Callable[[Services], NewRule]) -> None:
    async def work(services: Services, by: Actor) -> TrustRule:
        return await services.trust.create(make(services), by)

    rule = act(config, work)
    say(f"{rule} gives {word_of(rule.role)} on {rule.place}" + (f", linked to {rule.source}" if rule.source else ""))
    say(f"tokens come from {rule.issuer} and must be made for the audience {rule.audience}")


_Where = tuple[str | None, str | None, str | None]
"""A repository, a namespace, a registry."""


def _own(path: str, repository: str | None, namespace: str | None, registry: str | None) -> _Where:
    """Return the place that was named, or the namespace of the forge's owner."""
    if repository is None and namespace is None and registry is None:
        return None, path.partition("/")[0].lower(), None
    return repository, namespace, registry


def _wish(
    services: Services,
    config: Path | None,
    where: _Where,
    given: Given,
) -> Wish:
    repository, namespace, registry = where
    if (repository is not None and namespace is not None) or where == (None, None, None):
        _fail_without_place()
    place = Place(
        registry_id=registry_named(services, registry or DEFAULT_REGISTRY).id,
        namespace=None if namespace is None else parse_account_name(namespace),
        repository=None if repository is None else parse_repository_name(repository),
    )
    return Wish(
        audience=given.audience or _own_audience(config),
        place=place,
        role=parse_role(given.role, place),
        tags=given.tags or (),
        name=given.name,
    )


def _fail_without_place() -> NoReturn:
    fail("say where: one of --repository, --namespace or --registry")


def _own_audience(config: Path | None) -> str:
    host = read_settings(config).settings.http.host
    if host is None:
        fail(
            "say for whom the tokens are made: --audience registry.example.com, the name of this deployment; with "
            "http.host in the settings it is known. A token that is made for all is good for all."
        )
    return urlsplit(host).hostname or host


def _read_keys(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode()
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file} is no text")
