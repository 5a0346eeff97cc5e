# SPDX-License-Identifier: Apache-2.0
"""People of a registry: who has a role on the whole of it, giving one and taking one away."""

from dataclasses import replace
from typing import Final

from wharfinger.console.accounts import known
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask
from wharfinger.console.languages import mark
from wharfinger.console.pages.grants import give_at, rows_at, take_at
from wharfinger.console.pages.registries import frame
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import parse_subject
from wharfinger.domain.grants import Place
from wharfinger.domain.management import Target, Task
from wharfinger.web.access import Managing

ROLES: Final = (
    ("viewer", mark("viewer"), mark("see and pull everything in the registry")),
    ("write", mark("write"), mark("also push everywhere in it")),
    ("manager", mark("manager"), mark("also delete, change settings and trust rules, and give roles")),
)
"""Of a registry: word, label, and what it may."""


async def show(call: Call) -> View:
    """Show the roles on the registry itself, in the order of their giving."""
    row = await call.services.registry_switches.of(call.registry)
    manages = await call.can(Task.MANAGE, Target.REGISTRY, row.name)
    return View(
        template="registries/people.html",
        values={
            **await frame(call, row, "people"),
            **await rows_at(call, _place(call)),
            "is_first": "last" not in call.query,
            "manages": manages,
            "known": await known(call) if manages else (),
            "roles": ROLES,
        },
    )


async def give(call: Call) -> Leave:
    """Give a role on the registry, or another one than before."""
    return await give_at(call, _place(call), call.registry.name, _path(call))


async def ask_to_take(call: Call) -> View:
    """Ask whether somebody is to lose a role that reaches every repository of the registry."""
    subject = str(parse_subject(call.query.get("subject", "")))
    texts = [mark("What %(subject)s has by other ways stays, such as a role on a namespace or on the deployment.")]
    if subject == call.principal.name:
        texts.insert(0, mark("This is your own role: without it you may not be able to give it back to yourself."))
    return ask(
        Asked(
            title=mark("Take the role on %(place)s away from %(subject)s?"),
            texts=texts,
            values={"subject": subject, "place": call.registry.name},
            to=f"{_path(call)}/removal",
            back=_path(call),
            button=mark("Take away"),
            fields=(("subject", subject),),
        )
    )


async def take(call: Call) -> Leave:
    """Take a role on the registry away; who took its own may not see this page any more."""
    left = await take_at(call, _place(call), call.registry.name, _path(call))
    if await call.can(Task.READ, Target.REGISTRY, call.registry.name):
        return left
    return replace(left, to=f"/registries/{call.registry.name}")


def _place(call: Call) -> Place:
    return Place(registry_id=call.registry.id)


def _path(call: Call) -> str:
    return f"/registries/{call.registry.name}/-/people"


_PEOPLE: Final = "/registries/{registry}/-/people"
_READ: Final = Managing(Task.READ, Target.REGISTRY)
_MANAGE: Final = Managing(Task.MANAGE, Target.REGISTRY)
ROUTES: Final = (
    Route("GET", _PEOPLE, _READ, show, for_accounts=True),
    Route("POST", _PEOPLE, _MANAGE, give, for_accounts=True),
    Route("GET", _PEOPLE + "/removal", _MANAGE, ask_to_take, for_accounts=True),
    Route("POST", _PEOPLE + "/removal", _MANAGE, take, for_accounts=True),
)
