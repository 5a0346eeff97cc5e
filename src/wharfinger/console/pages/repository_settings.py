# SPDX-License-Identifier: Apache-2.0
"""Settings of a repository: what it says of itself in one line, who may pull, which tags never move; and its end."""

from collections.abc import Mapping, Sequence
from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask, is_confirmed
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.repository import frame
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action, Mode, Visibility
from wharfinger.domain.errors import (
    DeletionDisabled,
    EndpointUnknown,
    QueryInvalid,
    ReadOnly,
    RepositoryInvalid,
    RuleInvalid,
)
from wharfinger.domain.repositories import MAX_DESCRIPTION, MAX_SOURCE, parse_description, parse_source
from wharfinger.domain.sentences import Sentence
from wharfinger.services.repositories import RepositoryChange
from wharfinger.web.access import OnRepository

VISIBILITIES: Final[Sequence[tuple[Visibility, str, str]]] = (
    (Visibility.PRIVATE, mark("Private"), mark("Only who has a role may pull.")),
    (Visibility.INTERNAL, mark("Internal"), mark("Everybody who signs in may pull.")),
    (Visibility.PUBLIC, mark("Public"), mark("Everybody may pull, also without signing in where that is allowed.")),
)


async def show(call: Call) -> View:
    """Show the forms that the visitor may send."""
    return await _page(call)


async def describe(call: Call) -> View | Leave:
    """Set the short description and the source."""
    said = {"description": call.form.text("description"), "source": call.form.text("source")}
    errors: dict[str, str] = {}
    for field, parse in (("description", parse_description), ("source", parse_source)):
        try:
            parse(said[field])
        except RepositoryInvalid as error:
            errors[field] = error.message
    if errors:
        return await _page(call, said=said, errors=errors)
    found = await call.services.repositories.find(call.registry, call.name)
    source = parse_source(said["source"])
    change = RepositoryChange(
        description=parse_description(said["description"]),
        # What nobody ever said is not taken away: a manifest may still say it.
        source=None if not source and not found.source else source,
    )
    return await _change(call, change)


async def set_visibility(call: Call) -> View | Leave:
    """Set who may pull without a role."""
    if call.mode is not Mode.ACCOUNTS:
        message = Sentence("There is no page at this address.")
        raise EndpointUnknown(message)
    try:
        wanted = Visibility(call.form.get("visibility", ""))
    except ValueError:
        message = Sentence("The form names no visibility that there is.")
        raise QueryInvalid(message) from None
    return await _change(call, RepositoryChange(visibility=wanted))


async def set_immutability(call: Call) -> View | Leave:
    """Set which tags never move, and whether such a tag may be deleted."""
    choice, patterns = call.form.get("immutable", ""), call.form.text("patterns")
    change = RepositoryChange(
        immutable_tags=patterns if choice == "patterns" else choice,
        immutable_deletable=call.form.is_checked("deletable"),
    )
    try:
        return await _change(call, change)
    except RuleInvalid as error:
        said = {"immutable": choice, "patterns": patterns, "deletable": change.immutable_deletable}
        return await _page(call, said=said, errors={"patterns": error.message})


async def ask_to_delete(call: Call) -> View:
    """Ask whether the whole repository is to go."""
    return ask(_asked(call))


async def delete(call: Call) -> View | Leave:
    """Put the repository into the trash, if its name was typed."""
    if not is_confirmed(call.form, call.name):
        return ask(_asked(call, is_wrong=True))
    try:
        await call.services.repositories.delete(call.registry, call.name, call.by)
    except (DeletionDisabled, ReadOnly) as error:
        to = call.repository_path("settings")
        return Leave(to=to, flash=Flash(text=mark("Nothing was deleted."), said=error.message, failed=True))
    return Leave(
        to=call.within("/"),
        flash=Flash(
            text=mark("%(name)s is in the trash with all its tags, and its name is free."),
            values={"name": call.name},
            link=(mark("Bring it back from the trash"), call.within("/trash")),
        ),
    )


async def _change(call: Call, change: RepositoryChange) -> Leave:
    await call.services.repositories.change(call.registry, call.name, change, call.by)
    return Leave(to=call.repository_path("settings"), flash=Flash(text=mark("The settings were saved.")))


async def _page(
    call: Call, *, said: Mapping[str, object] | None = None, errors: Mapping[str, str] | None = None
) -> View:
    around = await frame(call, "settings")
    found = await call.services.repositories.find(call.registry, call.name)
    rules = str(found.immutability)
    shown: dict[str, object] = {
        "description": found.description or "",
        "source": found.source or "",
        "immutable": rules if rules in {"none", "all"} else "patterns",
        "patterns": "" if rules in {"none", "all"} else rules,
        "deletable": found.immutable_deletable,
        **(said or {}),
    }
    governing = None
    if around["may_administer"]:
        governing = await call.services.retention.of_repository(call.registry, call.name)
    return View(
        template="repositories/settings.html",
        values={
            **around,
            "shown": shown,
            "errors": errors or {},
            "visibilities": VISIBILITIES,
            "governing": governing,
            "longest": {"description": MAX_DESCRIPTION, "source": MAX_SOURCE},
            "why_nothing_goes": call.services.repositories.why_nothing_goes(),
        },
        status=400 if errors else 200,
    )


def _asked(call: Call, *, is_wrong: bool = False) -> Asked:
    return Asked(
        title=mark("Delete the repository %(name)s?"),
        texts=(
            mark("All its tags go with it, immutable ones too, and nobody can pull from it from then on."),
            mark("The trash keeps it for a while; until then it comes back as it was."),
        ),
        values={"name": call.name},
        to=call.repository_path("delete"),
        back=call.repository_path("settings"),
        button=mark("Delete the repository"),
        typed=call.name,
        is_wrong=is_wrong,
    )


_SETTINGS: Final = "/repositories/{name}/-/settings"
_DELETE: Final = "/repositories/{name}/-/delete"
_DESCRIBE: Final = OnRepository(Action.DESCRIBE)
_ADMINISTER: Final = OnRepository(Action.ADMINISTER)
ROUTES: Final = (
    Route("GET", _SETTINGS, _DESCRIBE, show),
    Route("POST", _SETTINGS, _DESCRIBE, describe),
    Route("POST", _SETTINGS + "/visibility", _ADMINISTER, set_visibility),
    Route("POST", _SETTINGS + "/immutability", _ADMINISTER, set_immutability),
    Route("GET", _DELETE, _ADMINISTER, ask_to_delete),
    Route("POST", _DELETE, _ADMINISTER, delete),
)
