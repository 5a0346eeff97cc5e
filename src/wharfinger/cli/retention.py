# SPDX-License-Identifier: Apache-2.0
"""`wharfinger retention`: which tags of a repository stay."""

from typing import Annotated

import typer

from wharfinger.cli.registry import registry_named
from wharfinger.cli.shell import Config, act, parsed, print_table, say
from wharfinger.cli.terminal import fail
from wharfinger.clock import DAY
from wharfinger.domain.errors import RuleInvalid
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import DEFAULT_REGISTRY, parse_repository_name
from wharfinger.domain.policies.retention import Policy, Rule, make_policy, make_rule, words_of
from wharfinger.services import Services
from wharfinger.services.registries import Registry as RegistryOf
from wharfinger.services.retention import Governing, Plan

app = typer.Typer(help="Say which tags stay, look at what would go, and let it go.", no_args_is_help=True)

Repository = Annotated[str | None, typer.Argument(help="The name of the repository.", metavar="[NAME]")]
OneRepository = Annotated[str, typer.Argument(help="The name of the repository.", metavar="NAME")]
Namespace = Annotated[
    str | None,
    typer.Option(
        help="Instead of one repository: all of a namespace that have no policy of their own.", metavar="NAME"
    ),
]
Registry = Annotated[str, typer.Option(help="The registry that has it.", metavar="NAME")]


@app.command()
def show(
    name: Repository = None,
    *,
    namespace: Namespace = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Show the policy that counts."""
    _require_one(name, namespace)

    async def work(services: Services, _by: Actor) -> Governing | None:
        place = registry_named(services, registry)
        if namespace is not None:
            policy = await services.retention.of_namespace(place, namespace)
            return None if policy is None else Governing(policy=policy)
        return await services.retention.of_repository(place, parsed(parse_repository_name, name or ""))

    found = act(config, work)
    if found is None:
        say("there is no policy: everything stays")
        return
    if found.namespace is not None:
        say(f"the policy of the namespace {found.namespace}")
    _print_policy(found.policy)


@app.command("set")
def change(
    name: Repository = None,
    *,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="What stays; give the option several times. NAME: PATTERNS: newest N, moved N, pulled N (days).",
            metavar="RULE",
        ),
    ] = None,
    untagged: Annotated[
        int | None, typer.Option(help="For how many days a manifest without a tag stays.", metavar="DAYS")
    ] = None,
    namespace: Namespace = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Set the whole policy: `--rule 'reviews: pr-*: moved 14'`. Nothing goes before the next run."""
    _require_one(name, namespace)
    if not rule and untagged is None:
        fail("say what stays: --rule, --untagged, or both; `retention clear` takes the policy away")
    policy = _policy(rule or [], untagged)
    act(config, lambda services, by: _set(services, registry, name, namespace, policy, by))
    _print_policy(policy)
    say(f"look at what goes: wharfinger retention preview {name or 'NAME'}")


@app.command()
def clear(
    name: Repository = None,
    *,
    namespace: Namespace = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Take the policy away; a repository follows that of its namespace then."""
    _require_one(name, namespace)
    act(config, lambda services, by: _set(services, registry, name, namespace, None, by))
    say(f"{name or namespace} has no policy of its own any more")


@app.command()
def preview(
    name: OneRepository,
    *,
    rule: Annotated[list[str] | None, typer.Option(help="Try these rules instead, and set nothing.")] = None,
    untagged: Annotated[int | None, typer.Option(help="With them: as of `set`.", metavar="DAYS")] = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Show what a run would do now, and by which rule."""
    wanted = parsed(parse_repository_name, name)
    policy = _policy(rule or [], untagged) if rule or untagged is not None else None
    plan = act(
        config, lambda services, _by: services.retention.preview(registry_named(services, registry), wanted, policy)
    )
    _print_plan(plan)
    if policy is None:  # of one that is only tried, nothing can be run
        say(f"this plan and no other: wharfinger retention run {wanted} --expect {plan.fingerprint}")


@app.command()
def run(
    name: OneRepository,
    *,
    expect: Annotated[
        str | None, typer.Option(help="Only if the plan is the one with this mark, as `preview` prints it.")
    ] = None,
    registry: Registry = DEFAULT_REGISTRY,
    config: Config = None,
) -> None:
    """Do now what the background job does by itself; what goes can be restored from the trash."""
    wanted = parsed(parse_repository_name, name)
    plan = act(
        config,
        lambda services, by: services.retention.run(registry_named(services, registry), wanted, by, expected=expect),
    )
    for one in plan.going:
        say(f"removed {one.tag or one.digest}: {one.reason}")
    say(f"removed: {len(plan.going)}")


async def _set(
    services: Services, registry: str, name: str | None, namespace: str | None, policy: Policy | None, by: Actor
) -> None:
    place: RegistryOf = registry_named(services, registry)
    if namespace is not None:
        await services.retention.set_for_namespace(place, namespace, policy, by)
    else:
        repository = parsed(parse_repository_name, name or "")
        await services.retention.set_for_repository(place, repository, policy, by)


def _require_one(name: str | None, namespace: str | None) -> None:
    if (name is None) == (namespace is None):
        fail("say whose: the name of a repository, or --namespace")


def _policy(rules: list[str], untagged: int | None) -> Policy:
    try:
        return make_policy([_rule(text) for text in rules], untagged)
    except RuleInvalid as error:
        fail(error.message)


def _rule(text: str) -> Rule:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 3:  # noqa: PLR2004 - the parts of a rule
        fail(f"{text!r} is no rule: write NAME: PATTERNS: WHAT STAYS, such as 'reviews: pr-*: moved 14'")
    name, tags, keeps = parts
    found: dict[str, int] = {}
    for condition in keeps.split(","):
        word, _, number = condition.strip().partition(" ")
        if word not in {"newest", "moved", "pulled"} or not (number.isascii() and number.isdecimal()):
            fail(f"{condition.strip()!r} says not what stays: write `newest 10`, `moved 14` or `pulled 90`")
        found[word] = int(number[:9])
    return make_rule(
        name,
        tags,
        newest=found.get("newest"),
        moved_within=found.get("moved"),
        pulled_within=found.get("pulled"),
    )


def _print_policy(policy: Policy) -> None:
    print_table(("rule", "tags", "keeps"), ((rule.name, rule.tags, words_of(rule)) for rule in policy.rules))
    if policy.untagged_after is not None:
        say(f"manifests without a tag stay for {policy.untagged_after // DAY} days")


def _print_plan(plan: Plan) -> None:
    print_table(
        ("", "tag", "rule", "because"),
        (
            ("stays" if one.kept else "goes", one.tag or one.digest, one.rule, one.reason)
            for one in sorted(plan.verdicts, key=lambda one: one.kept)
        ),
    )
    say(f"goes: {len(plan.going)}, stays: {len(plan.verdicts) - len(plan.going)}")
