# SPDX-License-Identifier: Apache-2.0
"""Why may, or may not: somebody, an action and a repository; the answer, the rule that gave it, and what changes it."""

from dataclasses import dataclass
from typing import Final

from wharfinger.console.accounts import known
from wharfinger.console.calls import Call, View
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.console.rules import ACTIONS, CHANGES
from wharfinger.domain.access import Access, Action
from wharfinger.domain.accounts import AccountKind, AccountName, parse_any_account_name
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, Denied, NameInvalid, NameUnknown
from wharfinger.domain.explanations import Change, Explanation, Given, Remedy
from wharfinger.domain.grants import word_of
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.names import RepositoryName, namespace_of, parse_repository_name
from wharfinger.domain.sentences import Sentence
from wharfinger.services.accounts import unknown
from wharfinger.web.access import SIGNED_IN

_PATH: Final = "/access"
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Step:
    """One change that would help.

    Args:
        text: to be translated, with places.
        values: what stands in them.
        to: the page where it is done, below the site's prefix; nothing where the visitor cannot do it on a page.
    """

    text: str
    values: dict[str, str]
    to: str | None


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A role that somebody has around the name; `place` is to be translated, and `to` is where it is given."""

    role: str
    place: str
    target: str | None
    to: str
    through: str | None
    counts: bool


async def show(call: Call) -> View:
    """Show the form, and the answer if something was asked."""
    texts = {name: call.query.get(name, "").strip()[:_LONGEST] for name in ("who", "action", "what")}
    wrong = dict.fromkeys(texts, "")
    found: Explanation | None = None
    if texts["what"]:
        found, wrong = await _ask(call, texts, wrong)
    namespace = None if not texts["what"] else texts["what"].partition("/")[0]
    return View(
        template="access.html",
        values={
            "texts": {**texts, "who": texts["who"] or call.principal.name, "action": texts["action"] or Action.PULL},
            "wrong": wrong,
            "found": found,
            "is_oneself": found is not None and found.who == call.principal.name,
            "steps": [] if found is None else [_step(call, found, one) for one in found.remedies],
            "given": [] if found is None else [_given(call, found, one) for one in found.given],
            "needed": "" if found is None or found.needed is None else word_of(found.needed),
            "actions": list(ACTIONS.items()),
            "asked": "" if found is None else ACTIONS[found.access.action],
            "known": await known(call, namespace, robots=True),
        },
        status=400 if any(wrong.values()) else 200,
    )


async def _ask(call: Call, texts: dict[str, str], wrong: dict[str, str]) -> tuple[Explanation | None, dict[str, str]]:
    """Return the answer, or what is wrong with which field."""
    try:
        who = None if texts["who"] in {"", call.principal.name} else await _account(call, texts["who"])
    except (AccountInvalid, AccountUnknown) as error:
        return None, {**wrong, "who": error.message}
    try:
        action = {str(one): one for one in ACTIONS}[texts["action"] or Action.PULL]
        access = Access(action, parse_repository_name(texts["what"]))
        return await call.services.explanations.explain(call.principal, call.registry, access, who), wrong
    except (NameInvalid, NameUnknown, Denied) as error:
        return None, {**wrong, "what": error.message}
    except AccountUnknown as error:
        return None, {**wrong, "who": error.message}
    except KeyError:
        message = Sentence("%(word)r is nothing that is done to a repository.", word=texts["action"][:20])
        return None, {**wrong, "action": message}


async def _account(call: Call, text: str) -> AccountName:
    """Return whom the visitor asks about.

    Raises:
        AccountInvalid: no account can have that name.
        AccountUnknown: it is an organization, which does nothing itself. Whether there is an account at all, only who
            administers the repository is told.
    """
    if text == ANONYMOUS.name:
        return AccountName(text)
    name = parse_any_account_name(text)
    try:
        account = await call.services.accounts.find(name)
    except AccountUnknown:
        return name
    if account.kind is AccountKind.ORGANIZATION:
        raise unknown(name)
    return name


def _step(call: Call, found: Explanation, remedy: Remedy) -> Step:
    name = found.access.repository or RepositoryName("")
    values = {
        "who": found.who,
        "name": name,
        "namespace": namespace_of(name) or "",
        "role": "" if remedy.role is None else word_of(remedy.role),
    }
    return Step(CHANGES[remedy.change], values, _page_of(call, found.who, name, remedy.change))


def _page_of(call: Call, who: str, name: RepositoryName, change: Change) -> str | None:
    repository = call.within(f"/repositories/{name}/-")
    pages = {
        Change.SIGN_IN: None,
        Change.RESUME_ACCOUNT: f"/robots/{who}" if "+" in who else f"/administration/users/{who}",
        Change.PROVE_SIGN_ON: "/profile" if who == call.principal.name else None,
        Change.GRANT_ON_REPOSITORY: f"{repository}/people",
        Change.GRANT_ON_NAMESPACE: call.within(f"/accounts/{namespace_of(name)}/-/access"),
        Change.GRANT_ON_REGISTRY: f"/registries/{call.registry.name}/-/people",
        Change.INHERIT: f"{repository}/people",
        Change.MAKE_INTERNAL: f"{repository}/settings",
        Change.MAKE_PUBLIC: f"{repository}/settings",
        Change.ASK: None,
    }
    return pages[change]


def _given(call: Call, found: Explanation, one: Given) -> GivenRow:
    place, target, to = mark("deployment"), None, "/administration/users"
    if one.place.repository is not None:
        place, target = mark("repository"), str(one.place.repository)
        to = call.within(f"/repositories/{one.place.repository}/-/people")
    elif one.place.namespace is not None:
        place, target = mark("namespace"), one.place.namespace
        to = call.within(f"/accounts/{one.place.namespace}/-/access")
    elif one.place.registry_id is not None:
        place, target, to = mark("registry"), call.registry.name, f"/registries/{call.registry.name}/-/people"
    through = None if one.through == found.who else one.through
    return GivenRow(word_of(one.role), place, target, to, through, one.counts)


ROUTES: Final = (Route("GET", _PATH, SIGNED_IN, show),)
