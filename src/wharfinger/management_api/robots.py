# SPDX-License-Identifier: Apache-2.0
"""Robots: accounts for machines, of an organization or of a registry."""

from typing import Final

from wharfinger.domain.accounts import AccountKind, AccountName, RobotName
from wharfinger.domain.management import Target, Task
from wharfinger.domain.pages import page_of
from wharfinger.management_api.accounts import Robot, RobotChange, change_of, find, show_robot
from wharfinger.management_api.calls import Call, Managing
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import (
    After,
    Description,
    DisplayName,
    Model,
    OrganizationPath,
    PartName,
    RegistryPath,
    RobotPath,
    Size,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.accounts import AccountChange


class NewRobot(Model):
    """A robot that is to be created."""

    name: PartName
    """The part after the `+`: `ci` of the organization `acme` signs in as `acme+ci`."""
    display_name: DisplayName | None = None
    description: Description | None = None


async def list_robots(
    call: Calling, organization: OrganizationPath, size: Size = PAGE, last: After = None
) -> Page[Robot]:
    """List the robots of an organization, by name."""
    found = await call.services.accounts.robots(AccountName(organization), last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.name, show=show_robot)


async def create_robot(call: Calling, organization: OrganizationPath, new: NewRobot) -> Robot:
    """Create a robot of an organization."""
    return await _create(call, RobotName(new.name, organization=AccountName(organization)), new)


async def list_robots_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    size: Size = PAGE,
    last: After = None,
) -> Page[Robot]:
    """List the robots of a registry, by name."""
    found = await call.services.accounts.robots_of_registry(call.registry.id, last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.name, show=show_robot)


async def create_robot_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    new: NewRobot,
) -> Robot:
    """Create a robot of a registry."""
    return await _create(call, RobotName(new.name, registry=call.registry.name), new)


async def read_robot(call: Calling, robot: RobotPath) -> Robot:
    """Show a robot."""
    shown = show_robot(await find(call, robot, AccountKind.ROBOT))
    mark(call, shown)
    return shown


async def change_robot(call: Calling, robot: RobotPath, change: RobotChange) -> Robot:
    """Change a robot."""
    account = await find(call, robot, AccountKind.ROBOT)
    seen = account if matches(call, show_robot(account)) else None
    shown = show_robot(await call.services.accounts.change(account.name, change_of(change), call.by, seen=seen))
    mark(call, shown)
    return shown


async def delete_robot(call: Calling, robot: RobotPath) -> None:
    """Delete a robot, with its keys, tokens and roles."""
    await call.services.accounts.delete(AccountName(robot), call.by, kind=AccountKind.ROBOT)


async def suspend_robot(call: Calling, robot: RobotPath) -> None:
    """Stop a robot, and everything that it holds, at once."""
    await call.services.accounts.suspend(AccountName(robot), call.by, kind=AccountKind.ROBOT)


async def resume_robot(call: Calling, robot: RobotPath) -> None:
    """Let a suspended robot in again, with all that it held."""
    await call.services.accounts.resume(AccountName(robot), call.by, kind=AccountKind.ROBOT)


async def _create(call: Call, name: RobotName, new: NewRobot) -> Robot:
    profile = AccountChange(display_name=new.display_name, description=new.description)
    shown = show_robot(await call.services.accounts.create_robot(name, call.by, profile=profile))
    mark(call, shown)
    return shown


_READ: Final = Managing(Task.READ, Target.ROBOT)
_MANAGE: Final = Managing(Task.MANAGE, Target.ROBOT)
_OF_ORGANIZATION: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
_OF_REGISTRY: Final = Managing(Task.MANAGE, Target.REGISTRY)
ROUTES: Final = (
    Route("GET", "/organizations/{organization}/robots", Managing(Task.INSPECT, Target.ORGANIZATION), list_robots),
    Route("POST", "/organizations/{organization}/robots", _OF_ORGANIZATION, create_robot, status=201, conflicts=True),
    Route("GET", "/registries/{registry}/robots", Managing(Task.READ, Target.REGISTRY), list_robots_of_registry),
    Route("POST", "/registries/{registry}/robots", _OF_REGISTRY, create_robot_of_registry, status=201, conflicts=True),
    Route("GET", "/robots/{robot}", _READ, read_robot),
    Route("PATCH", "/robots/{robot}", _MANAGE, change_robot, conditional=True),
    Route("DELETE", "/robots/{robot}", _MANAGE, delete_robot, status=204),
    Route("PUT", "/robots/{robot}/suspension", _MANAGE, suspend_robot, status=204),
    Route("DELETE", "/robots/{robot}/suspension", _MANAGE, resume_robot, status=204),
)
