# SPDX-License-Identifier: Apache-2.0
"""What a repository says of itself: its full description, and the page on which it is written."""

from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.markdown import rendered
from wharfinger.console.pages.repository import frame
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.errors import PreconditionFailed, RepositoryInvalid
from wharfinger.domain.repositories import MAX_FULL_DESCRIPTION, parse_full_description
from wharfinger.services.descriptions import Description
from wharfinger.web.access import OnRepository

_LONGEST_FORM: Final = 16 * MAX_FULL_DESCRIPTION
"""A letter of another script is nine bytes of a form."""


async def show(call: Call) -> View:
    """Show the full description."""
    found = await call.services.descriptions.find(call.registry, call.name)
    return View(
        template="repositories/description.html",
        values={
            **await frame(call, "description"),
            "description": found,
            "html": "" if found is None else await rendered(found.text),
        },
    )


async def edit(call: Call) -> View:
    """Show the form to write it."""
    found = await call.services.descriptions.find(call.registry, call.name)
    return await _form(call, "" if found is None else found.text, _version(found))


async def save(call: Call) -> View | Leave:
    """Show what was written, or keep it."""
    text, seen = call.form.get("markdown", "").replace("\r\n", "\n"), call.form.get("seen", "")
    try:
        wanted = parse_full_description(text)
    except RepositoryInvalid as error:
        return await _form(call, text, seen, error=error.message)
    if call.form.get("do") == "preview":
        return await _form(call, text, seen, preview=wanted)
    if not await _keep(call, wanted, seen):
        found = await call.services.descriptions.find(call.registry, call.name)
        return await _form(call, text, _version(found), overtaken_by=found)
    return Leave(
        to=call.repository_path("description"),
        flash=Flash(text=mark("The description was saved.") if wanted else mark("The description was taken away.")),
    )


async def _keep(call: Call, wanted: str, seen: str) -> bool:
    """Keep what was written, and say whether it is what the writer saw that was replaced."""
    found = await call.services.descriptions.find(call.registry, call.name)
    if seen != _version(found):
        return False
    before = "" if found is None else found.text
    try:
        await call.services.descriptions.change(call.registry, call.name, wanted, call.by, seen=before)
    except PreconditionFailed:
        return False
    return True


async def _form(
    call: Call,
    text: str,
    seen: str,
    *,
    preview: str | None = None,
    error: str | None = None,
    overtaken_by: Description | None = None,
) -> View:
    is_wrong = error is not None or overtaken_by is not None
    return View(
        template="repositories/description_form.html",
        values={
            **await frame(call, "description"),
            "text": text,
            "seen": seen,
            "html": "" if preview is None else await rendered(preview),
            "is_preview": preview is not None,
            "error": error,
            "overtaken_by": overtaken_by,
            "most": MAX_FULL_DESCRIPTION,
        },
        status=400 if is_wrong else 200,
    )


def _version(found: Description | None) -> str:
    """Return what tells whether somebody else wrote meanwhile."""
    return "0" if found is None else str(found.changed_at)


_DESCRIPTION: Final = "/repositories/{name}/-/description"
_DESCRIBE: Final = OnRepository(Action.DESCRIBE)
ROUTES: Final = (
    Route("GET", _DESCRIPTION, OnRepository(Action.PULL), show),
    Route("GET", _DESCRIPTION + "/edit", _DESCRIBE, edit),
    Route("POST", _DESCRIPTION + "/edit", _DESCRIBE, save, longest_form=_LONGEST_FORM),
)
