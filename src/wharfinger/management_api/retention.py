# SPDX-License-Identifier: Apache-2.0
"""Retention: which tags of a repository, or of all in a namespace, stay; what would go, and letting it go."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.clock import DAY
from wharfinger.domain.access import Action
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.policies.retention import MAX_DAYS, MAX_NEWEST, MAX_RULES, Policy, Rule, make_policy, make_rule
from wharfinger.management_api.calls import Managing, OnRepository
from wharfinger.management_api.fields import Model, NamespacePath, OneLine, RepositoryPath, Shown, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.retention import Plan

Days = Annotated[int, Field(ge=1, le=MAX_DAYS, examples=[90])]


class RetentionRule(Model):
    """A rule. It keeps what any of its three conditions holds for, of the tags that it is about."""

    name: Annotated[OneLine, Field(min_length=1, max_length=60, examples=["releases"])]
    tags: Annotated[OneLine, Field(min_length=1, max_length=10_000, examples=["v*, !*-rc*"])]
    """Patterns of the tags that it is about."""
    newest: Annotated[int, Field(ge=1, le=MAX_NEWEST, examples=[10])] | None = None
    """How many stay, those that moved last."""
    moved_days: Days | None = None
    """For how many days a tag stays after it moved."""
    pulled_days: Days | None = None
    """For how many days a tag stays after it was pulled."""


class RetentionPolicy(Model):
    """A policy. Tags that no rule is about stay."""

    rules: Annotated[list[RetentionRule], Field(max_length=MAX_RULES)] = Field(default_factory=list)
    untagged_days: Days | None = None
    """For how many days a manifest without a tag stays after it was last used; null for as the registry keeps it."""


class Governing(Shown):
    """The policy that counts."""

    policy: RetentionPolicy | None
    """Nothing where everything stays."""
    namespace: str | None
    """Whose it is, if it is the namespace's and not the repository's own."""


class RetentionTrial(Model):
    """What is to be looked at."""

    policy: RetentionPolicy | None = None
    """A policy to try; nothing of it is set. Null for the one that counts."""


class RetentionRun(Model):
    """What is to be run."""

    expected: Annotated[OneLine, Field(min_length=1, max_length=100)] | None = None
    """The fingerprint of the preview that you agreed to: if something else would go now, nothing does (412)."""


class RetentionVerdict(Shown):
    """Whether something stays, and why."""

    tag: str | None
    """Nothing for a manifest without one."""
    digest: str
    kept: bool
    rule: str | None
    reason: str


class RetentionPlan(Shown):
    """What a policy does to a repository at one moment: every tag is in it."""

    at: datetime
    fingerprint: str
    """The same for plans that remove the same."""
    verdicts: list[RetentionVerdict]


async def read_policy(call: Calling, name: RepositoryPath) -> Governing:
    """Show the policy that counts for a repository: its own, or else its namespace's."""
    found = await call.services.retention.of_repository(call.registry, RepositoryName(name))
    if found is None:
        return Governing(policy=None, namespace=None)
    return Governing(policy=_show(found.policy), namespace=found.namespace)


async def set_policy(call: Calling, name: RepositoryPath, policy: RetentionPolicy) -> None:
    """Set the whole policy of a repository. Nothing goes before the next run."""
    made = _policy(policy)
    await call.services.retention.set_for_repository(call.registry, RepositoryName(name), made, call.by)


async def clear_policy(call: Calling, name: RepositoryPath) -> None:
    """Take the policy of a repository away: it follows that of its namespace then."""
    await call.services.retention.set_for_repository(call.registry, RepositoryName(name), None, call.by)


async def preview_policy(call: Calling, name: RepositoryPath, trial: RetentionTrial) -> RetentionPlan:
    """Say what a run would do now, and by which rule. Nothing is changed."""
    wanted = None if trial.policy is None else _policy(trial.policy)
    return _plan(await call.services.retention.preview(call.registry, RepositoryName(name), wanted))


async def run_policy(call: Calling, name: RepositoryPath, run: RetentionRun) -> RetentionPlan:
    """Do now what the policy says; what goes can be restored from the trash."""
    repository = RepositoryName(name)
    return _plan(await call.services.retention.run(call.registry, repository, call.by, expected=run.expected))


async def read_policy_of_namespace(call: Calling, namespace: NamespacePath) -> Governing:
    """Show the policy of a namespace."""
    found = await call.services.retention.of_namespace(call.registry, namespace)
    return Governing(policy=None if found is None else _show(found), namespace=None if found is None else namespace)


async def set_policy_of_namespace(call: Calling, namespace: NamespacePath, policy: RetentionPolicy) -> None:
    """Set the whole policy of a namespace, for all its repositories that have none of their own.

    It reaches repositories that do not inherit, too: so it takes its owner, or a manager.
    """
    await call.services.retention.set_for_namespace(call.registry, namespace, _policy(policy), call.by)


async def clear_policy_of_namespace(call: Calling, namespace: NamespacePath) -> None:
    """Take the policy of a namespace away."""
    await call.services.retention.set_for_namespace(call.registry, namespace, None, call.by)


def _policy(said: RetentionPolicy) -> Policy:
    rules = [
        make_rule(one.name, one.tags, newest=one.newest, moved_within=one.moved_days, pulled_within=one.pulled_days)
        for one in said.rules
    ]
    return make_policy(rules, said.untagged_days)


def _show(policy: Policy) -> RetentionPolicy:
    return RetentionPolicy(rules=[_show_rule(one) for one in policy.rules], untagged_days=_days(policy.untagged_after))


def _show_rule(rule: Rule) -> RetentionRule:
    return RetentionRule(
        name=rule.name,
        tags=str(rule.tags),
        newest=rule.newest,
        moved_days=_days(rule.moved_within),
        pulled_days=_days(rule.pulled_within),
    )


def _days(span: int | None) -> int | None:
    return None if span is None else span // DAY


def _plan(plan: Plan) -> RetentionPlan:
    verdicts = [
        RetentionVerdict(tag=one.tag, digest=one.digest, kept=one.kept, rule=one.rule, reason=one.reason)
        for one in plan.verdicts
    ]
    return RetentionPlan(at=time_of(plan.at), fingerprint=plan.fingerprint, verdicts=verdicts)


_ADMINISTER: Final = OnRepository(Action.ADMINISTER)
_GOVERN: Final = Managing(Task.GOVERN, Target.NAMESPACE)
_OF_REPOSITORY: Final = "/repositories/{name:path}/-/retention"
_OF_NAMESPACE: Final = "/namespaces/{namespace}/retention"
ROUTES: Final = (
    Route("GET", _OF_REPOSITORY, OnRepository(Action.PULL), read_policy),
    Route("PUT", _OF_REPOSITORY, _ADMINISTER, set_policy, status=204),
    Route("DELETE", _OF_REPOSITORY, _ADMINISTER, clear_policy, status=204),
    Route("POST", _OF_REPOSITORY + "/preview", _ADMINISTER, preview_policy),
    Route("POST", _OF_REPOSITORY + "/run", _ADMINISTER, run_policy, conflicts=True),
    Route("GET", _OF_NAMESPACE, Managing(Task.READ, Target.NAMESPACE), read_policy_of_namespace),
    Route("PUT", _OF_NAMESPACE, _GOVERN, set_policy_of_namespace, status=204),
    Route("DELETE", _OF_NAMESPACE, _GOVERN, clear_policy_of_namespace, status=204),
)
