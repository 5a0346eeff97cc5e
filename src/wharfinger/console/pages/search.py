# SPDX-License-Identifier: Apache-2.0
"""Search: what was found, the best of each kind; the field that leads here is on every page."""

from collections.abc import Mapping
from typing import Final

from wharfinger.console.calls import Call, View
from wharfinger.console.kinds import kind_of
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.search import MAX_QUERY, MAX_RESULTS, SHORTEST_DIGEST, FoundKind, pieces
from wharfinger.services.search import ALL, FoundAccount
from wharfinger.web.access import OnRepository

_SOME: Final = 10
"""Of each kind, as long as all kinds are shown."""


_KINDS: Final[Mapping[str, str]] = {
    "user": mark("user"),
    "organization": mark("organization"),
    "team": mark("team"),
}


async def show(call: Call) -> View:
    """Show what fits the text; the address is the same for everybody, what is found is not."""
    text = call.query.get("q", "")[:MAX_QUERY].strip()
    alone = next((kind for kind in FoundKind if kind.value == call.query.get("kind")), None)
    found = await call.services.search.find(
        call.registry,
        text,
        await call.sight(),
        limit=_SOME if alone is None else MAX_RESULTS,
        kinds=ALL if alone is None else (alone,),
        hosts=(call.address.authority,),
        accounts=await call.services.management.sight(call.principal, call.registry),
    )
    words = (*found.query.words, *found.query.tag_words, *found.query.within)
    digits = [digest for one in found.query.digests for digest in (one, one.partition(":")[2])]
    return View(
        template="search.html",
        values={
            "q": text,
            "found": found,
            "alone": alone,
            "digits": SHORTEST_DIGEST,
            "kind_of": kind_of,
            "marked": lambda shown: pieces(shown, words),
            "marked_digest": lambda shown: pieces(shown, digits),
            "at_most": MAX_RESULTS,
            "to_account": lambda one: _account_path(call, one),
            "account_kinds": _KINDS,
            "to_page": lambda name, below="": call.repository_path(below, name),
        },
    )


def _account_path(call: Call, one: FoundAccount) -> str:
    organization, _, team = one.name.partition("/")
    return call.within(f"/accounts/{organization}{f'/-/teams/{team}' if team else ''}")


ROUTES: Final = (Route("GET", "/search", OnRepository(Action.LIST), show),)
