# SPDX-License-Identifier: Apache-2.0
"""Kinds of content that the deployment does not take. Those of a namespace are a field of the namespace."""

from typing import Final

from wharfinger.domain.content import ContentKind
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import KindsOff, Model, Shown
from wharfinger.management_api.routing import Calling, Route


class DeploymentContent(Shown):
    """What the deployment takes."""

    kinds_off: list[ContentKind]
    """Kinds of content that nobody can push. What is there is pulled as before."""


class DeploymentContentChange(Model):
    """What the deployment is to take."""

    kinds_off: KindsOff
    """All kinds of content that nobody can push from now on."""


async def read_deployment_content(call: Calling) -> DeploymentContent:
    """Show which kinds of content are switched off for the whole deployment."""
    return DeploymentContent(kinds_off=sorted(await call.services.content.off()))


async def put_deployment_content(call: Calling, content: DeploymentContentChange) -> DeploymentContent:
    """Switch kinds of content off for the whole deployment, and all others on."""
    taken = {kind: kind not in content.kinds_off for kind in ContentKind}
    return DeploymentContent(kinds_off=sorted(await call.services.content.change(taken, call.by)))


ROUTES: Final = (
    Route("GET", "/deployment/content", Managing(Task.READ, Target.DEPLOYMENT), read_deployment_content),
    Route("PUT", "/deployment/content", Managing(Task.MANAGE, Target.DEPLOYMENT), put_deployment_content),
)
