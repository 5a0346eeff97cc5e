# SPDX-License-Identifier: Apache-2.0
"""Repositories: the list that is the first page."""

from typing import Final

from wharfinger.console import commands
from wharfinger.console.calls import Call, View
from wharfinger.console.listing import listing
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.web.access import OnRepository


async def show_list(call: Call) -> View:
    """Show what is in the registry, and how to push to it."""
    person = call.guest.session
    image = "hello" if person is None else f"{person.name}/hello"
    return View(
        template="repositories/list.html",
        values={"listing": await listing(call), "push": commands.push(call.address, image, image="hello")},
    )


ROUTES: Final = (Route("GET", "/", OnRepository(Action.LIST), show_list),)
