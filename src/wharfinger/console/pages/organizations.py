# SPDX-License-Identifier: Apache-2.0
"""Organizations: making one, its settings, the single sign-on that it demands, and its end."""

from typing import Final

from wharfinger.console.accounts import frame, known, tried
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask, is_confirmed
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages import content
from wharfinger.console.pages.grants import VISIBILITIES
from wharfinger.console.routing import Route
from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import AccountKind, AccountName, parse_account_name, parse_new_account_name
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown, NamespaceUnknown
from wharfinger.domain.management import Target, Task
from wharfinger.domain.sentences import Sentence
from wharfinger.services.accounts import AccountChange, unknown
from wharfinger.web.access import Managing

_NEW: Final = "/organizations/new"
_SETTINGS: Final = "/accounts/{organization}/-/settings"
_LONGEST: Final = 100
_REFUSED: Final = mark("%(organization)s stays as it is.")
_CLAIMS: Final = {"claim": True, "leave": False}


async def show_new(call: Call) -> View:
    """Show the form for a new organization."""
    return await _new(call, {"owner": call.principal.name})


async def create(call: Call) -> View | Leave:
    """Make an organization with its first owner."""
    form = call.form
    wrong: dict[str, str] = {}
    texts = {name: form.text(name)[:300] for name in ("name", "owner", "display_name", "description", "claim")}
    try:
        name, owner = parse_new_account_name(texts["name"]), parse_account_name(texts["owner"])
        made = await call.services.accounts.create_organization(
            name,
            call.by,
            owner=owner,
            profile=_profile(texts["display_name"], texts["description"]),
            claim=_CLAIMS.get(texts["claim"]),
        )
    except AccountUnknown as error:
        wrong["owner"] = error.message
    except (AccountInvalid, AccountConflict) as error:
        wrong["name"] = error.message
    else:
        text = mark("There is an organization %(organization)s now. Add members, or make teams.")
        path = call.within(f"/accounts/{made.name}/-/members")
        return Leave(to=path, flash=Flash(text=text, values={"organization": made.name}))
    must_claim = "name" in wrong and texts["claim"] not in _CLAIMS and "claim" in wrong["name"]
    return await _new(call, texts, wrong, must_claim=must_claim or texts["claim"] in _CLAIMS)


async def show_settings(call: Call) -> View:
    """Show what can be changed of an organization."""
    organization = await _find(call)
    people = call.services.people
    provider, unready = await people.demands.of(organization)
    try:
        begins_as = (await call.services.namespaces.find(call.registry, organization)).default_visibility
    except NamespaceUnknown:  # it is made with its first repository
        begins_as = Visibility.PRIVATE
    return View(
        template="accounts/settings.html",
        values={
            **await frame(call, organization, "settings"),
            "begins_as": begins_as,
            "visibilities": VISIBILITIES,
            "governs": await call.can(Task.MANAGE, Target.NAMESPACE, organization),
            "providers": people.single_sign_on.providers,
            "provider": provider,
            "unready": unready,
            "supervises": await call.can(Task.SUPERVISE, Target.ORGANIZATION, organization),
            **await content.values_of(call, organization),
        },
    )


async def change(call: Call) -> Leave:
    """Change what is known of an organization, and whether public means everybody in it."""
    organization = await _find(call)
    profile = AccountChange(
        display_name=call.form.text("display_name")[:_LONGEST],
        description=call.form.text("description")[:_LONGEST],
        anonymous_pull=call.form.is_checked("anonymous_pull"),
    )

    async def work() -> None:
        _require_printable(profile)
        await call.services.accounts.change(organization, profile, call.by)

    return await tried(work(), _path(call), _said(call, mark("The settings are saved.")), _REFUSED)


async def demand(call: Call) -> Leave:
    """Have an organization demand single sign-on through a provider, or demand it no more."""
    organization, provider = await _find(call), call.form.text("provider")
    supervises = await call.can(Task.SUPERVISE, Target.ORGANIZATION, organization)
    if provider and call.session.provider != provider and not supervises:
        text = mark("Sign in through that provider first: otherwise you would shut yourself out with this.")
        return Leave(to=_path(call), flash=Flash(text=text, failed=True))

    async def work() -> None:
        if provider:
            await call.services.people.demands.make(organization, provider, call.by)
        else:
            await call.services.people.demands.lift(organization, call.by)

    text = mark("%(organization)s demands single sign-on now.")
    if not provider:
        text = mark("%(organization)s demands no single sign-on any more.")
    return await tried(work(), _path(call), _said(call, text), _REFUSED)


async def suspend(call: Call) -> Leave:
    """Stop an organization, or let it go on; both are one step away from each other."""
    organization = await _find(call)
    resumes = call.form.text("resume") == "yes"

    async def work() -> None:
        accounts = call.services.accounts
        await (accounts.resume if resumes else accounts.suspend)(organization, call.by, kind=AccountKind.ORGANIZATION)

    text = mark("%(organization)s is suspended: what its members, teams and robots have through it counts no more.")
    if resumes:
        text = mark("%(organization)s goes on as it was.")
    return await tried(work(), _path(call), _said(call, text), _REFUSED)


async def ask_to_delete(call: Call) -> View:
    """Ask whether an organization is to go."""
    return _asked(call, await _find(call))


async def delete(call: Call) -> View | Leave:
    """Delete an organization, whose name was typed."""
    organization = await _find(call)
    if not is_confirmed(call.form, organization):
        return _asked(call, organization, is_wrong=True)

    async def work() -> None:
        await call.services.accounts.delete(organization, call.by, kind=AccountKind.ORGANIZATION)

    return await tried(work(), call.within("/"), _said(call, mark("%(organization)s is deleted.")), _REFUSED)


async def _new(
    call: Call, texts: dict[str, str], wrong: dict[str, str] | None = None, *, must_claim: bool = False
) -> View:
    empty = dict.fromkeys(("name", "owner", "display_name", "description", "claim"), "")
    return View(
        template="organizations/new.html",
        values={
            "texts": empty | texts,
            "wrong": empty | (wrong or {}),
            "must_claim": must_claim,
            "known": await known(call),
        },
        status=400 if wrong else 200,
    )


def _asked(call: Call, organization: AccountName, *, is_wrong: bool = False) -> View:
    return ask(
        Asked(
            title=mark("Delete the organization %(organization)s?"),
            texts=(
                mark("Its teams and robots go with it, and their keys and tokens end at once."),
                mark("Its repositories stay, and belong to the registry from then on."),
                mark("The organization does not come back."),
            ),
            values={"organization": organization},
            to=f"{_path(call)}/deletion",
            back=_path(call),
            typed=organization,
            is_wrong=is_wrong,
        )
    )


def _profile(display_name: str, description: str) -> AccountChange:
    profile = AccountChange(display_name=display_name[:_LONGEST], description=description[:_LONGEST])
    _require_printable(profile)
    return profile


def _require_printable(profile: AccountChange) -> None:
    """Return if the texts fit on a line.

    Raises:
        AccountInvalid: one does not.
    """
    if not all((text or "").isprintable() for text in (profile.display_name, profile.description)):
        message = Sentence("A name and a description take characters that can be printed, on one line.")
        raise AccountInvalid(message)


async def _find(call: Call) -> AccountName:
    """Return the name of the organization of the address.

    Raises:
        AccountUnknown: there is none.
    """
    account = await call.services.accounts.find(AccountName(call.parameters["organization"]))
    if account.kind is not AccountKind.ORGANIZATION:
        raise unknown(account.name)
    return account.name


def _path(call: Call) -> str:
    return call.within(f"/accounts/{call.parameters['organization']}/-/settings")


def _said(call: Call, text: str) -> Flash:
    return Flash(text=text, values={"organization": call.parameters["organization"]})


_MANAGE: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
_ON_DEPLOYMENT: Final = Managing(Task.MANAGE, Target.DEPLOYMENT)
ROUTES: Final = (
    Route("GET", _NEW, _ON_DEPLOYMENT, show_new, for_accounts=True),
    Route("POST", _NEW, _ON_DEPLOYMENT, create, for_accounts=True),
    Route("GET", _SETTINGS, _MANAGE, show_settings),
    Route("POST", _SETTINGS, _MANAGE, change),
    Route("POST", _SETTINGS + "/single-sign-on", _MANAGE, demand),
    Route("POST", _SETTINGS + "/suspension", Managing(Task.SUPERVISE, Target.ORGANIZATION), suspend),
    Route("GET", _SETTINGS + "/deletion", _MANAGE, ask_to_delete),
    Route("POST", _SETTINGS + "/deletion", _MANAGE, delete),
)
