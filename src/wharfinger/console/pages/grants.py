# SPDX-License-Identifier: Apache-2.0
"""Roles on a namespace: who was given which, what new repositories in it begin as; and what somebody was given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant
from wharfinger.console.accounts import MOST_HELD, ROWS, frame, kind_of, known, tried
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages import content
from wharfinger.console.routing import Route
from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import AccountKind, Subject, TeamName, parse_subject
from wharfinger.domain.errors import NamespaceUnknown
from wharfinger.domain.grants import Place, parse_role, word_of
from wharfinger.domain.management import Target, Task
from wharfinger.domain.pages import page_of
from wharfinger.metadata.grants import Grant
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.web.access import Managing, parse_number

_PATH: Final = "/accounts/{namespace}/-/access"
_REFUSED: Final = mark("The roles on %(place)s stay as they are.")
_KEPT: Final = mark("%(namespace)s stays as it is.")
ROLES: Final = (
    ("read", mark("read"), mark("pull, and read what a page shows")),
    ("write", mark("write"), mark("also push, and change the description")),
    ("admin", mark("admin"), mark("also delete, set visibility and rules, and give roles")),
)
"""Of a repository or a namespace: word, label, and what it may."""
VISIBILITIES: Final = (
    (Visibility.PRIVATE, mark("private"), mark("only who has a role may pull")),
    (Visibility.INTERNAL, mark("internal"), mark("every account here may pull")),
    (Visibility.PUBLIC, mark("public"), mark("everybody may pull, without signing in where that is allowed")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """A role as a table shows it.

    Args:
        subject: who has it.
        subject_path: its page, below the site's prefix; nothing if it has none.
        role: its word, to be translated.
        place: where, in words to be translated.
        target: the name of that place; nothing for the deployment.
        place_path: the page where it is given.
        since: when it was given.
    """

    subject: str
    subject_path: str | None
    role: str
    place: str
    target: str | None
    place_path: str
    since: Instant


def subject_path(call: Call, subject: Subject) -> str:
    """Return the path of the page of a user, a robot or a team."""
    if isinstance(subject, TeamName):
        return call.within(f"/accounts/{subject.organization}/-/teams/{subject.team}")
    return f"/robots/{subject}" if "+" in subject else call.within(f"/accounts/{subject}")


async def rows_of_subject(call: Call, subject: Subject) -> Sequence[GrantRow]:
    """Return what somebody was given, as far as a page shows it."""
    return [row(call, one) for one in await call.services.grants.of_subject(subject, limit=MOST_HELD)]


def row(call: Call, grant: Grant) -> GrantRow:
    """Return a grant as a table shows it."""
    place = grant.place
    name = None if place.registry_id is None else call.services.registries.name_of(place.registry_id)
    here = call.here if name in {None, call.registry.name} else f"/registries/{name}/-"
    where: tuple[str, str | None, str]
    if place.repository is not None:
        where = mark("repository"), str(place.repository), f"{here}/repositories/{place.repository}/-/people"
    elif place.namespace is not None:
        where = mark("namespace"), place.namespace, f"{here}/accounts/{place.namespace}/-/access"
    elif name is not None:
        where = mark("registry"), name, f"/registries/{name}/-/people"
    else:
        where = mark("deployment"), None, "/administration/users"
    wide = {"read": mark("viewer"), "admin": mark("manager")} if not (place.repository or place.namespace) else {}
    word = word_of(grant.role)
    return GrantRow(
        subject=str(grant.subject),
        subject_path=subject_path(call, grant.subject),
        role=wide.get(word, word),
        place=where[0],
        target=where[1],
        place_path=where[2],
        since=grant.created_at,
    )


async def rows_at(call: Call, place: Place) -> dict[str, object]:
    """Return one page of the roles that were given at a place, in the order of their giving, and where the next begins.

    Raises:
        AccountUnknown, NameUnknown: there is no such place.
        NameInvalid: the page was asked for in a way that no list shows.
    """
    last = call.query.get("last", "")
    given = await call.services.grants.of_place(place, parse_number(last) if last else None, ROWS + 1)
    found = page_of(given, ROWS)
    return {"grants": [row(call, one) for one in found.items], "next": found.items[-1].id if found.more else None}


async def give_at(call: Call, place: Place, name: str, to: str) -> Leave:
    """Give the role that a form says at a place, or another one than before.

    Args:
        call: the request.
        place: where.
        name: how the place is called.
        to: the path of the page that says what was done.
    """
    who, role = call.form.text("subject"), call.form.text("role")

    async def work() -> None:
        await call.services.grants.give(parse_subject(who), place, parse_role(role, place), call.by)

    done = Flash(text=mark("%(subject)s has a role on %(place)s now."), values={"subject": who, "place": name})
    return await tried(work(), to, done, _REFUSED)


async def take_at(call: Call, place: Place, name: str, to: str) -> Leave:
    """Take a role at a place away from whom a form names; the same arguments as for `give_at`."""
    who = call.form.text("subject")

    async def work() -> None:
        await call.services.grants.take(parse_subject(who), place, call.by)

    done = Flash(text=mark("%(subject)s has no role on %(place)s any more."), values={"subject": who, "place": name})
    return await tried(work(), to, done, _REFUSED)


async def show(call: Call) -> View:
    """Show the roles on a namespace, in the order of their giving."""
    namespace = call.parameters["namespace"]
    try:
        about = await call.services.namespaces.find(call.registry, namespace)
        roles = await rows_at(call, _place(call))
    except NamespaceUnknown:  # it is made with its first repository, or with the first role on it
        about, roles = None, {"grants": (), "next": None}
    manages = await call.can(Task.MANAGE, Target.NAMESPACE, namespace)
    is_organization = await kind_of(call, namespace) is AccountKind.ORGANIZATION
    return View(
        template="accounts/access.html",
        values={
            **await frame(call, namespace, "access"),
            "begins_as": Visibility.PRIVATE if about is None else about.default_visibility,
            **roles,
            "manages": manages,
            "known": await known(call, namespace if is_organization else None, teams=True, robots=True)
            if manages
            else (),
            "roles": ROLES,
            "visibilities": VISIBILITIES,
            "is_organization": is_organization,
            **await content.values_of(call, namespace),
        },
    )


async def give(call: Call) -> Leave:
    """Give a role on a namespace, or another one than before."""
    return await give_at(call, _place(call), call.parameters["namespace"], _path(call))


async def take(call: Call) -> Leave:
    """Take a role on a namespace away; giving it again is one step, so nobody is asked."""
    return await take_at(call, _place(call), call.parameters["namespace"], _path(call))


async def change_visibility(call: Call) -> Leave:
    """Say what new repositories of a namespace begin as."""
    namespace, wanted = call.parameters["namespace"], call.form.text("visibility")

    async def work() -> None:
        if wanted in set(Visibility):
            change = NamespaceChange(default_visibility=Visibility(wanted))
            await call.services.namespaces.change(call.registry, namespace, change, call.by)

    done = Flash(
        text=mark("New repositories of %(namespace)s begin as chosen. Those that are there keep theirs."),
        values={"namespace": namespace},
    )
    return await tried(work(), _path(call), done, _KEPT)


def _path(call: Call) -> str:
    return call.within(f"/accounts/{call.parameters['namespace']}/-/access")


def _place(call: Call) -> Place:
    return Place(registry_id=call.registry.id, namespace=call.parameters["namespace"])


_MANAGE: Final = Managing(Task.MANAGE, Target.NAMESPACE)
ROUTES: Final = (
    Route("GET", _PATH, Managing(Task.READ, Target.NAMESPACE), show),
    Route("POST", _PATH, _MANAGE, give),
    Route("POST", _PATH + "/removal", _MANAGE, take),
    Route("POST", _PATH + "/visibility", _MANAGE, change_visibility),
)
