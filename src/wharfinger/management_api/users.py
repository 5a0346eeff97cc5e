# SPDX-License-Identifier: Apache-2.0
"""Users, for managers of the deployment; each of them sees and changes itself at `/me`."""

from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.accounts import AccessType, AccountKind, AccountName
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.accounts import (
    AccessTypeField,
    User,
    UserChange,
    change_of,
    find,
    require_other,
    show_user,
)
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import (
    After,
    Description,
    DisplayName,
    EMail,
    Model,
    NewName,
    Secret,
    Size,
    UserPath,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.passwords import hashed
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.accounts import AccountChange

Claim = Annotated[bool | None, Field(examples=[None])]


class NewUser(Model):
    """A user that is to be created."""

    name: NewName
    display_name: DisplayName | None = None
    email: EMail | None = None
    description: Description | None = None
    access_type: AccessTypeField = AccessType.BOTH
    password: Secret | None = None
    """Without one it cannot sign in with a password."""
    one_time: bool = False
    """Whether that password is only good for choosing another one, in the console, before anything else."""
    claim: Claim = None
    """Where repositories begin with the name already: whether the user takes them over. Must be said then."""


class NewPassword(Model):
    """A new password of somebody else."""

    new_password: Secret
    one_time: bool = False
    """Whether it is only good for choosing another one, in the console, before anything else."""


async def list_users(call: Calling, size: Size = PAGE, last: After = None) -> Page[User]:
    """List the users, by name."""
    found = await call.services.accounts.list([AccountKind.USER], last, size)
    return page(call, found, key=lambda one: one.name, show=show_user)


async def create_user(call: Calling, new: NewUser) -> User:
    """Create a user."""
    name = AccountName(new.name)
    profile = AccountChange(
        display_name=new.display_name, email=new.email, description=new.description, access_type=new.access_type
    )
    password = None if new.password is None else await hashed(name, new.password, "/password")
    made = await call.services.accounts.create_user(
        name, call.by, profile=profile, password_hash=password, one_time=new.one_time, claim=new.claim
    )
    shown = show_user(made)
    mark(call, shown)
    return shown


async def read_user(call: Calling, user: UserPath) -> User:
    """Show a user."""
    shown = show_user(await find(call, user, AccountKind.USER))
    mark(call, shown)
    return shown


async def change_user(call: Calling, user: UserPath, change: UserChange) -> User:
    """Change a user."""
    account = await find(call, user, AccountKind.USER)
    seen = account if matches(call, show_user(account)) else None
    shown = show_user(await call.services.accounts.change(account.name, change_of(change), call.by, seen=seen))
    mark(call, shown)
    return shown


async def delete_user(call: Calling, user: UserPath) -> None:
    """Delete a user, with its credentials and roles; repositories stay."""
    require_other(call, user, "delete")
    await call.services.accounts.delete(AccountName(user), call.by, kind=AccountKind.USER)


async def set_password(call: Calling, user: UserPath, password: NewPassword) -> None:
    """Set the password of somebody else; whoever signed in with the old one has to sign in again."""
    require_other(call, user, "set here the password of")
    account = await find(call, user, AccountKind.USER)
    new = await hashed(account.name, password.new_password, "/new_password")
    await call.services.accounts.set_password(account.name, new, call.by, one_time=password.one_time)


async def suspend_user(call: Calling, user: UserPath) -> None:
    """Stop a user, and everything that it holds, at once."""
    require_other(call, user, "suspend")
    await call.services.accounts.suspend(AccountName(user), call.by, kind=AccountKind.USER)


async def resume_user(call: Calling, user: UserPath) -> None:
    """Let a suspended user in again, with all that it held."""
    await call.services.accounts.resume(AccountName(user), call.by, kind=AccountKind.USER)


_SUPERVISE: Final = Managing(Task.SUPERVISE, Target.USER)
ROUTES: Final = (
    Route("GET", "/users", Managing(Task.READ, Target.DEPLOYMENT), list_users),
    Route("POST", "/users", Managing(Task.MANAGE, Target.DEPLOYMENT), create_user, status=201, conflicts=True),
    Route("GET", "/users/{user}", Managing(Task.READ, Target.USER), read_user),
    Route("PATCH", "/users/{user}", _SUPERVISE, change_user, conditional=True),
    Route("DELETE", "/users/{user}", _SUPERVISE, delete_user, status=204, conflicts=True),
    Route("PUT", "/users/{user}/password", _SUPERVISE, set_password, status=204, conflicts=True),
    Route("PUT", "/users/{user}/suspension", _SUPERVISE, suspend_user, status=204, conflicts=True),
    Route("DELETE", "/users/{user}/suspension", _SUPERVISE, resume_user, status=204),
)
