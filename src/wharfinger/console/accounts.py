# SPDX-License-Identifier: Apache-2.0
"""What the pages of an account share: the tabs below its name, whom a form may name, and what a refused form says."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.console.calls import Call, Leave
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.domain.access import Mode
from wharfinger.domain.accounts import AccountKind, AccountName
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown, Denied, NameUnknown, Unknown
from wharfinger.domain.management import Target, Task
from wharfinger.domain.sentences import Sentence

MOST_KNOWN: Final = 100
"""How many names a field offers; more can be typed."""
ROWS: Final = 30
"""Of a list, on one page: with a form in each row, more would make it heavy."""
MOST_HELD: Final = 100
"""Of what somebody holds, such as roles, which one page shows whole."""
_REFUSALS: Final = (AccountInvalid, AccountConflict, AccountUnknown, NameUnknown, Denied)


@dataclass(frozen=True, slots=True)
class Tab:
    """A page about the same account.

    Args:
        label: to be translated.
        to: its path below the site's prefix.
        is_here: whether it is this page.
    """

    label: str
    to: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody that a form may name.

    Args:
        name: as it is typed.
        kind: a word for it, to be translated.
    """

    name: str
    kind: str


_TABS: Final = (
    ("members", mark("Members"), Task.READ, Target.ORGANIZATION),
    ("teams", mark("Teams"), Task.READ, Target.ORGANIZATION),
    ("robots", mark("Robots"), Task.INSPECT, Target.ORGANIZATION),
    ("access", mark("Access"), Task.READ, Target.NAMESPACE),
    ("trust", mark("Trust"), Task.MANAGE, Target.NAMESPACE),
    ("settings", mark("Settings"), Task.MANAGE, Target.ORGANIZATION),
)


async def tabs(call: Call, name: str, page: str = "") -> Sequence[Tab]:
    """Return the pages of a user, an organization or a namespace that the visitor may see.

    Args:
        call: the request.
        name: whose.
        page: which of them this is: its word in the address; nothing for the overview.
    """
    overview = call.within(f"/accounts/{name}")
    found = [Tab(mark("Repositories"), overview, not page)]
    if call.mode is not Mode.ACCOUNTS:
        return found
    kind = await kind_of(call, name)
    for word, label, task, target in _TABS:
        is_there = target is Target.NAMESPACE or kind is AccountKind.ORGANIZATION
        if is_there and await call.can(task, target, name):
            found.append(Tab(label, f"{overview}/-/{word}", word == page))
    return found


async def kind_of(call: Call, name: str) -> AccountKind | None:
    """Return what kind of account has a name; nothing if none has, or it is a namespace of the registry."""
    try:
        return (await call.services.accounts.find(AccountName(name))).kind
    except AccountUnknown:
        return None


async def frame(call: Call, name: str, page: str) -> dict[str, object]:
    """Return what the template `accounts/frame.html` needs to know."""
    try:
        account = await call.services.accounts.find(AccountName(name))
    except AccountUnknown:
        account = None
    return {"owner": name, "account": account, "account_tabs": await tabs(call, name, page)}


async def known(
    call: Call, organization: str | None = None, *, teams: bool = False, robots: bool = False
) -> Sequence[Known]:
    """Return whom the visitor may name, as far as it may know them; a field offers them, and takes others too.

    Args:
        call: the request.
        organization: whose members, teams and robots are offered.
        teams: whether a team may be named.
        robots: whether a robot may be.
    """
    found: list[Known] = []
    if organization is not None and await kind_of(call, organization) is AccountKind.ORGANIZATION:
        found += await _known_of(call, AccountName(organization), teams=teams, robots=robots)
    if await call.can(Task.READ, Target.DEPLOYMENT):
        users = await call.services.accounts.list([AccountKind.USER], None, MOST_KNOWN)
        found += [Known(one.name, mark("user")) for one in users.items]
    by_name: dict[str, Known] = {}
    for one in found:
        by_name.setdefault(one.name, one)
    return list(by_name.values())[:MOST_KNOWN]


async def _known_of(call: Call, owner: AccountName, *, teams: bool, robots: bool) -> Sequence[Known]:
    """Return members, teams and robots of an organization, as far as the visitor may know them."""
    if not await call.can(Task.READ, Target.ORGANIZATION, owner):
        return ()
    organizations, found = call.services.organizations, []
    if teams:
        found += [
            Known(f"{owner}/{one.name}", mark("team")) for one in await organizations.teams(owner, limit=MOST_KNOWN)
        ]
    found += [Known(one.name, mark("member")) for one in await organizations.members(owner, limit=MOST_KNOWN)]
    if robots and await call.can(Task.INSPECT, Target.ORGANIZATION, owner):
        held = await call.services.accounts.robots(owner, limit=MOST_KNOWN)
        found += [Known(one.name, mark("robot")) for one in held]
    return found


async def tried(work: Awaitable[object], to: str, done: Flash, refused: str) -> Leave:
    """Do what a form asks for, and lead to a page that says that it was done, or why not.

    Args:
        work: what is to be done.
        to: the path of the page.
        done: what it says then.
        refused: what it says otherwise, before the service's own words; marked for translation.
    """
    try:
        await work
    except _REFUSALS as error:
        return Leave(to=to, flash=Flash(text=refused, values=done.values, said=error.message, failed=True))
    return Leave(to=to, flash=done)


def no_such_page() -> Unknown:
    """Return the error for a page of something that is not there."""
    message = Sentence("There is no page at this address.")
    return Unknown(message)
