# SPDX-License-Identifier: Apache-2.0
"""One's own stars: the repositories that who looks has marked, and taking a mark back."""

from typing import Final

from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.errors import NameInvalid, QueryInvalid
from wharfinger.domain.names import parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.web.access import SIGNED_IN

STARS_PAGE: Final = 50
PATH: Final = "/profile/stars"


async def show(call: Call) -> View:
    """Show what is marked and can still be seen, by name."""
    last = _last(call)
    page = await call.services.stars.of_account(call.registry, call.principal, last, STARS_PAGE, await call.sight())
    return View(
        template="profile/stars.html",
        values={
            "stars": page.items,
            "first": last is None,
            "next": page.items[-1].repository if page.more else None,
        },
    )


async def remove(call: Call) -> Leave:
    """Take a mark back."""
    name = parse_repository_name(call.form.get("name", ""))
    await call.services.stars.remove(call.registry, name, call.by)
    return Leave(to=PATH, flash=Flash(text=mark("%(name)s has no star of yours any more."), values={"name": name}))


def _last(call: Call) -> str | None:
    text = call.query.get("after")
    if text is None:
        return None
    try:
        return parse_repository_name(text)
    except NameInvalid:
        message = Sentence("`after` must be a repository name, the last one of the page before.")
        raise QueryInvalid(message) from None


ROUTES: Final = (
    Route("GET", PATH, SIGNED_IN, show),
    Route("POST", PATH, SIGNED_IN, remove),
)
