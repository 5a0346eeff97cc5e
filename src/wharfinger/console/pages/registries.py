# SPDX-License-Identifier: Apache-2.0
"""Registries: the list, where each answers, its switches, making one and deleting one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask, is_confirmed
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import Several, mark
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action, Mode
from wharfinger.domain.errors import (
    Denied,
    RegistryConflict,
    RegistryInvalid,
    RuleInvalid,
    StoreFull,
    StoreUnavailable,
    Unauthenticated,
    Unsupported,
)
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.registries import parse_registry_name
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services.registries import FOR_GOOD, RegistryChange, registry_unknown
from wharfinger.web.access import Managing, OnRepository

_ALL: Final = "/registries"
_NEW: Final = "/registries/new"
_ONE: Final = "/registries/{registry}"
_SETTINGS: Final = f"{_ONE}/-/settings"
_DELETION: Final = f"{_ONE}/-/deletion"
_MOST_DAYS: Final = 36_500
_SWITCHES: Final = ("public", "anonymous_pull", "account_namespaces", "public_endpoint", "private_endpoint")
_REFUSALS: Final = (RegistryInvalid, RegistryConflict, RuleInvalid, Denied, Unsupported, StoreFull, StoreUnavailable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of a registry.

    Args:
        authority: as it stands in the name of an image: with the port under which this page was reached.
        on: whether it answers.
        private: whether to the listed networks alone.
    """

    authority: str
    on: bool = True
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A storage in the list that a new registry chooses from.

    Args:
        name: of the storage.
        place: its directory.
        taken_by: the registry that has it; nothing if it is free.
        left_by: the registry whose images are in it, and come back.
    """

    name: str
    place: str
    taken_by: str | None
    left_by: str | None


async def show_all(call: Call) -> View:
    """List the registries that the visitor may know of."""
    found = []
    for registry in await call.services.registries.all():
        row = await call.services.registry_switches.of(registry)
        if await _may_know(call, row):
            found.append((row, hosts_of(call, row)))
    if not found:
        message = Sentence("Sign in to see the registries.")
        raise Unauthenticated(message)
    on_the_way: Sequence[RegistryRow] = ()
    if await call.can(Task.READ, Target.DEPLOYMENT):
        held = (await call.services.lifecycle.holders()).values()
        on_the_way = [row for row in held if not row.is_live]
    return View(
        template="registries/list.html",
        values={
            "found": found,
            "on_the_way": on_the_way,
            "may_create": await call.can(Task.MANAGE, Target.DEPLOYMENT),
        },
    )


async def show(call: Call) -> View:
    """Show where a registry answers, and what is in it."""
    row = await _row(call)
    reads = await call.can(Task.READ, Target.REGISTRY, row.name)
    return View(
        template="registries/overview.html",
        values={
            **await frame(call, row, "overview"),
            "hosts": hosts_of(call, row),
            "reads": reads,
            "contents": await call.services.lifecycle.contents(call.registry) if reads else None,
            "networks": [str(one) for one in call.services.registries.domains.networks],
        },
    )


async def show_settings(call: Call) -> View:
    """Show the switches of a registry."""
    return await _settings(call, {})


async def change(call: Call) -> View | Leave:
    """Turn the switches of a registry as its form says."""
    row, form = await _row(call), call.form
    days = form.text("untagged_days")
    wrong: dict[str, str] = {}
    if days and not (days.isascii() and days.isdecimal() and 1 <= int(days[:9]) <= _MOST_DAYS and len(days) < 9):  # noqa: PLR2004 - digits
        wrong["untagged_days"] = mark("Give a number of days, or nothing to keep them.")
        return await _settings(call, wrong)
    wanted = RegistryChange(
        **{name: form.is_checked(name) for name in _SWITCHES},
        untagged_after=int(days) * DAY if days else FOR_GOOD,
        hosts=form.text("hosts").split() if await _gives_hosts(call, row) else None,
    )
    try:
        await call.services.registry_switches.change(call.registry, wanted, call.by)
    except (RegistryInvalid, RegistryConflict) as error:
        return await _settings(call, {"hosts": error.message})
    return Leave(to=_path(row.name, "settings"), flash=Flash(text=mark("The settings are saved.")))


async def show_new(call: Call) -> View:
    """Show the form for a new registry, with the list of storages."""
    return await _new(call, {}, {})


async def create(call: Call) -> View | Leave:
    """Make a registry over a storage of the list."""
    texts = {name: call.form.text(name)[:300] for name in ("name", "storage")}
    try:
        name = parse_registry_name(texts["name"])
    except RegistryInvalid as error:
        return await _new(call, texts, {"name": error.message})
    try:
        row = await call.services.lifecycle.create(name, texts["storage"], call.by)
    except _REFUSALS as error:
        field = "name" if isinstance(error, RegistryConflict) and "choose another name" in error.message else "storage"
        return await _new(call, texts, {field: error.message})
    contents = await call.services.lifecycle.contents(await call.services.registries.named(name))
    text = mark("There is a registry %(registry)s now.")
    if contents.repositories:
        text = mark("There is a registry %(registry)s now, and %(repositories)s came back with its storage.")
    back = Several("%(num)s repository", "%(num)s repositories", contents.repositories)
    return Leave(to=_path(row.name), flash=Flash(text=text, values={"registry": row.name, "repositories": back}))


async def ask_to_delete(call: Call) -> View:
    """Ask whether a registry is to go, and say what is in it."""
    return await _asked(call, images=call.query.get("images") == "delete")


async def delete(call: Call) -> View | Leave:
    """Delete a registry, whose name was typed."""
    row, images = await _row(call), call.form.text("images") == "delete"
    if not is_confirmed(call.form, row.name):
        return await _asked(call, images=images, is_wrong=True)
    try:
        await call.services.lifecycle.delete(call.registry, call.by, images=images)
        await call.services.lifecycle.settle()
    except _REFUSALS as error:
        text = mark("%(registry)s stays as it is.")
        flash = Flash(text=text, values={"registry": row.name}, failed=True, said=error.message)
        return Leave(to=_path(row.name, "settings"), flash=flash)
    is_free = row.storage not in await call.services.lifecycle.holders()
    text = mark("%(registry)s is deleted. Its storage is free once the background jobs are done with it.")
    if is_free:
        text = mark("%(registry)s is deleted, and its storage is free.")
    return Leave(to=_ALL, flash=Flash(text=text, values={"registry": row.name}))


def hosts_of(call: Call, row: RegistryRow) -> Sequence[Host]:
    """Return where a registry answers, the best first; `default` answers on the host of this page too."""
    domains, endpoints = call.services.registries.domains, row.endpoints
    port = call.address.authority.rpartition(":")[2]
    port = f":{port}" if port.isdecimal() and not call.address.authority.endswith("]") else ""
    found = [Host(authority=f"{host}{port}") for host in row.hosts]
    public, private = endpoints.public_host(domains), endpoints.private_host(domains)
    if public is not None:
        found.append(Host(authority=f"{public}{port}", on=row.public_endpoint))
    if private is not None:
        found.append(Host(authority=f"{private}{port}", on=row.private_endpoint, private=True))
    if row.name == DEFAULT_REGISTRY and call.registry.name == DEFAULT_REGISTRY:
        found.insert(0, Host(authority=call.address.authority))
    return found


async def _may_know(call: Call, row: RegistryRow) -> bool:
    """Say whether the visitor may know that there is a registry: their names are not for passers-by."""
    if call.mode is not Mode.ACCOUNTS or call.guest.session is not None:
        return True
    return row.public


async def _row(call: Call) -> RegistryRow:
    """Return the registry of the address, which the visitor may know of.

    Raises:
        RegistryUnknown: there is none, or not for this visitor.
    """
    row = await call.services.registry_switches.of(call.registry)
    if not await _may_know(call, row):
        raise registry_unknown(row.name)
    return row


async def frame(call: Call, row: RegistryRow, page: str) -> dict[str, object]:
    """Return what the template `registries/frame.html` needs to know.

    Args:
        call: the request.
        row: of the registry.
        page: which of its pages this is.
    """
    manages = await call.can(Task.MANAGE, Target.REGISTRY, row.name)
    tabs = [(mark("Overview"), _path(row.name), page == "overview")]
    if call.mode is Mode.ACCOUNTS and await call.can(Task.READ, Target.REGISTRY, row.name):
        tabs.append((mark("People"), _path(row.name, "people"), page == "people"))
    if manages:
        tabs.append((mark("Settings"), _path(row.name, "settings"), page == "settings"))
    return {"row": row, "tabs": tabs, "repositories": f"/registries/{row.name}/-/"}


async def _gives_hosts(call: Call, row: RegistryRow) -> bool:
    """Say whether the visitor may give hosts: one may be anybody's, so who has one registry does not take it."""
    return row.name != DEFAULT_REGISTRY and await call.can(Task.MANAGE, Target.DEPLOYMENT)


async def _settings(call: Call, wrong: dict[str, str]) -> View:
    row = await _row(call)
    domains = call.services.registries.domains
    return View(
        template="registries/settings.html",
        values={
            **await frame(call, row, "settings"),
            "wrong": {"hosts": "", "untagged_days": ""} | wrong,
            "hosts": call.form.text("hosts") if wrong else "\n".join(row.hosts),
            "untagged_days": "" if row.untagged_after is None else f"{row.untagged_after / DAY:g}",
            "gives_hosts": await _gives_hosts(call, row),
            "public_host": row.endpoints.public_host(domains),
            "private_domain": domains.private,
            "private_host": row.endpoints.private_host(domains),
            "may_delete": row.name != DEFAULT_REGISTRY and await call.can(Task.MANAGE, Target.DEPLOYMENT),
        },
        status=400 if wrong else 200,
    )


async def _new(call: Call, texts: dict[str, str], wrong: dict[str, str]) -> View:
    choices = [
        Choice(
            name=one.name,
            place=one.place,
            taken_by=None if one.holder is None else one.holder.name,
            left_by=one.left_by,
        )
        for one in await call.services.lifecycle.uses()
    ]
    free = [one.name for one in choices if one.taken_by is None]
    return View(
        template="registries/new.html",
        values={
            "texts": {"name": "", "storage": free[0] if len(free) == 1 else ""} | texts,
            "wrong": {"name": "", "storage": ""} | wrong,
            "choices": choices,
            "any_free": bool(free),
            "domain": call.services.registries.domains.public,
        },
        status=400 if wrong else 200,
    )


async def _asked(call: Call, *, images: bool, is_wrong: bool = False) -> View:
    row = await _row(call)
    contents = await call.services.lifecycle.contents(call.registry)
    fate = mark("Its images stay in the storage %(storage)s. A new registry over that storage has them again.")
    if images:
        fate = mark("Its images are deleted with it, and do not come back.")
    return ask(
        Asked(
            title=mark("Delete the registry %(registry)s?"),
            texts=(
                mark("What is in it, repositories: %(repositories)s, tags: %(tags)s, blobs: %(blobs)s."),
                fate,
                mark("Clients get 404 from now on. Roles, robots and trust rules on it end, and its trash too."),
            ),
            values={
                "registry": row.name,
                "storage": row.storage or "",
                "repositories": contents.repositories,
                "tags": contents.tags,
                "blobs": contents.blobs,
            },
            to=_path(row.name, "deletion"),
            back=_path(row.name, "settings"),
            typed=row.name,
            fields=(("images", "delete" if images else "keep"),),
            is_wrong=is_wrong,
        )
    )


def _path(name: str, below: str = "") -> str:
    return f"/registries/{name}{'/-/' if below else ''}{below}"


_LOOK: Final = OnRepository(Action.LIST)
_MANAGE: Final = Managing(Task.MANAGE, Target.REGISTRY)
_ON_DEPLOYMENT: Final = Managing(Task.MANAGE, Target.DEPLOYMENT)
_DELETE: Final = Managing(Task.MANAGE, Target.DEPLOYMENT, behind=Target.REGISTRY)
ROUTES: Final = (
    Route("GET", _ALL, _LOOK, show_all),
    Route("GET", _NEW, _ON_DEPLOYMENT, show_new),
    Route("POST", _NEW, _ON_DEPLOYMENT, create),
    Route("GET", _ONE, _LOOK, show),
    Route("GET", _SETTINGS, _MANAGE, show_settings),
    Route("POST", _SETTINGS, _MANAGE, change),
    Route("GET", _DELETION, _DELETE, ask_to_delete),
    Route("POST", _DELETION, _DELETE, delete),
)
