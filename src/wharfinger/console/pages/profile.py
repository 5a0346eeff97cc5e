# SPDX-License-Identifier: Apache-2.0
"""One's own page: who one is, how one signed in, and which tokens count where single sign-on is demanded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant, after
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import FORGET, mark
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import (
    AccountName,
    CredentialKind,
    parse_account_name,
    parse_display_name,
    parse_email,
    parse_language,
)
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, SignOnDenied
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.credentials import Credential
from wharfinger.metadata.demands import Demand
from wharfinger.services.accounts import AccountChange
from wharfinger.services.sessions import LONGEST, Session
from wharfinger.web.access import SIGNED_IN

PATH: Final = "/profile"
_WRONG_NAME: Final = mark("A name has at most 100 characters, on one line.")
_WRONG_EMAIL: Final = mark("This is not an e-mail address. Write it as in ann@example.com, or leave it empty.")
_WRONG_LANGUAGE: Final = mark("Choose one of the languages.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demanded:
    """An organization that demands single sign-on of who looks, and what is met of it.

    Args:
        demand: what it demands.
        provider: what the provider is called on buttons.
        known: whether the settings still know the provider.
        met: whether this session came through it.
        fresh: whether it did so a moment ago, so that tokens may be authorized.
        credentials: the tokens and keys, each with whether it counts.
    """

    demand: Demand
    provider: str
    known: bool
    met: bool
    fresh: bool
    credentials: Sequence[tuple[Credential, bool]]


async def show(call: Call) -> View | Leave:
    """Show who is signed in."""
    account = await call.services.accounts.find(call.session.name)
    typed = {"display_name": account.display_name, "email": account.email, "language": account.language or ""}
    return await _page(call, account, typed)


async def change(call: Call) -> View | Leave:
    """Change what is known of who looks."""
    session, form = call.session, call.form
    typed = {name: form.text(name) for name in ("display_name", "email", "language")}
    wrong = {}
    for name, parse, text in (
        ("display_name", parse_display_name, _WRONG_NAME),
        ("email", parse_email, _WRONG_EMAIL),
        ("language", parse_language, _WRONG_LANGUAGE),
    ):
        try:
            parse(typed[name]) if typed[name] else None
        except AccountInvalid:
            wrong[name] = text
    if wrong:
        return await _page(call, await call.services.accounts.find(session.name), typed, wrong)
    wanted = AccountChange(display_name=typed["display_name"], email=typed["email"], language=typed["language"])
    await call.services.accounts.change(session.name, wanted, call.by)
    # What this browser kept of languages is forgotten: what was chosen just now counts.
    return Leave(to=f"{PATH}?lang={typed['language'] or FORGET}", flash=Flash(text=mark("Your profile was saved.")))


async def authorize(call: Call) -> View | Leave:
    """Have a token or key count for an organization; only right after a sign-in through its provider."""
    session, organization, number = _asked(call)
    found = await _demanded(call, session)
    if not any(one.demand.organization == organization and one.met and one.fresh for one in found):
        message = Sentence(
            "To authorize a token for %(organization)s, sign in through its provider again first, and "
            "do it within a quarter of an hour.",
            organization=organization,
        )
        raise SignOnDenied(message)
    await call.services.people.demands.authorize(session.name, number, organization, call.by)
    return Leave(to=PATH)


async def withdraw(call: Call) -> View | Leave:
    """Have a token or key count no more for an organization; this takes away, so any sign-in will do."""
    session, organization, number = _asked(call)
    await call.services.people.demands.withdraw(session.name, number, organization, call.by)
    return Leave(to=PATH)


async def _page(
    call: Call, account: Account, typed: Mapping[str, str | None], wrong: Mapping[str, str] | None = None
) -> View:
    session = call.session
    values = {
        "account": account,
        "typed": typed,
        "wrong": defaultdict(str, wrong or {}),
        "session": session,
        "through": _display_name(call, session.provider),
        "ends_at": _end_of(session),
        "identities": await call.services.people.external_identities.list(session.name),
        "demanded": await _demanded(call, session),
    }
    return View(template="profile/one.html", values=values, status=400 if wrong else 200)


def _asked(call: Call) -> tuple[Session, AccountName, int]:
    session = call.session
    number = call.form.get("credential", "")
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(2**63))):
        message = Sentence("There is no such token.")
        raise AccountUnknown(message)
    return session, parse_account_name(call.form.get("organization", "")), min(int(number), 2**63 - 1)


async def _demanded(call: Call, session: Session) -> Sequence[Demanded]:
    people = call.services.people
    demanded = await people.demands.every(session.account_id)
    if not demanded.demands:
        return ()
    held = [one for one in await call.services.credentials.list(session.name) if _is_usable(one, call.now)]
    known = {one.name for one in people.single_sign_on.providers}
    return [
        Demanded(
            demand=demand,
            provider=_display_name(call, demand.provider) or demand.provider,
            known=demand.provider in known,
            met=session.provider == demand.provider,
            fresh=session.provider == demand.provider and people.sessions.is_fresh(session),
            credentials=[(one, (one.id, demand.organization_id) in demanded.authorized) for one in held],
        )
        for demand in demanded.demands
    ]


def _is_usable(credential: Credential, now: Instant) -> bool:
    is_over = credential.expires_at is not None and credential.expires_at <= now
    return credential.kind is not CredentialKind.REFRESH and credential.revoked_at is None and not is_over


def _display_name(call: Call, provider: str | None) -> str | None:
    named = {one.name: one.display_name for one in call.services.people.single_sign_on.providers}
    return provider if provider is None else named.get(provider, provider)


def _end_of(session: Session) -> Instant:
    return after(session.signed_in_at, LONGEST)


ROUTES: Final = (
    Route("GET", PATH, SIGNED_IN, show),
    Route("POST", PATH, SIGNED_IN, change),
    Route("POST", "/profile/authorize", SIGNED_IN, authorize),
    Route("POST", "/profile/withdraw", SIGNED_IN, withdraw),
)
