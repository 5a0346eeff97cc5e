# SPDX-License-Identifier: Apache-2.0
"""The deployment at a glance: what its operator should know, its health, its settings and where they were said."""

from datetime import datetime
from typing import Final

import wharfinger
from wharfinger.domain.access import Mode
from wharfinger.domain.deployment import ConcernKind
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import Shown, time_of
from wharfinger.management_api.routing import Calling, Route


class Concern(Shown):
    """Something that the operator should act on, or know on purpose."""

    kind: ConcernKind
    about: str
    """A check, a registry or a job, where there are several; else empty."""
    detail: str
    setting: str
    """The setting that decides, if one does; else empty."""
    origin: str
    """Where that setting was said: a line of a file, a variable, or `default`."""


class Problem(Shown):
    """A check that fails."""

    check: str
    problem: str


class DeploymentNode(Shown):
    """A host that runs background jobs."""

    name: str
    seen_at: datetime


class DeploymentGlance(Shown):
    """The deployment at a glance."""

    version: str
    mode: Mode
    """Who may sign in."""
    database: str
    problems: list[Problem]
    """Empty if all is well."""
    nodes: list[DeploymentNode]
    """Hosts whose background jobs said anything within the last hours."""
    concerns: list[Concern]
    """The most urgent first."""


class Setting(Shown):
    """One setting, as it counts."""

    key: str
    value: str
    """As it would be written in the file; secrets are hidden."""
    origin: str
    """Where it was said: a line of a file, a variable, or `default`."""


class Settings(Shown):
    """All of them."""

    items: list[Setting]


async def read_deployment(call: Calling) -> DeploymentGlance:
    """Show the deployment at a glance: its health, its nodes, and what its operator should know."""
    found = await call.services.premises.look()
    return DeploymentGlance(
        version=wharfinger.__version__,
        mode=found.mode,
        database=found.database,
        problems=[Problem(check=name, problem=text) for name, text in found.problems.items()],
        nodes=[DeploymentNode(name=name, seen_at=time_of(at)) for name, at in found.nodes.items()],
        concerns=[
            Concern(kind=one.kind, about=one.about, detail=one.detail, setting=one.key, origin=one.origin)
            for one in found.concerns
        ],
    )


async def list_settings(call: Calling) -> Settings:
    """List every setting, with where it was said. Settings are changed in the file or the environment."""
    found = call.services.premises.settings
    return Settings(items=[Setting(key=one.key, value=one.value, origin=one.origin) for one in found])


_READ: Final = Managing(Task.READ, Target.DEPLOYMENT)
ROUTES: Final = (
    Route("GET", "/deployment", _READ, read_deployment),
    Route("GET", "/deployment/settings", _READ, list_settings),
)
