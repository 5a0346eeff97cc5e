# SPDX-License-Identifier: Apache-2.0
"""One's own page: who is signed in and how, where else, and which tokens count where single sign-on is demanded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant, after
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.routing import Route
from wharfinger.domain.accounts import AccountName, CredentialKind, parse_account_name
from wharfinger.domain.errors import AccountUnknown, SignOnDenied
from wharfinger.metadata.credentials import Credential
from wharfinger.metadata.demands import Demand
from wharfinger.services.sessions import LONGEST, Session
from wharfinger.web.access import SIGNED_IN

PATH = "/profile"


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
    session = call.session
    people = call.services.people
    return View(
        template="profile.html",
        values={
            "account": await call.services.accounts.find(session.name),
            "session": session,
            "through": _display_name(call, session.provider),
            "ends_at": _end_of(session),
            "sessions": await people.sessions.list(session.account_id),
            "identities": await people.external_identities.list(session.name),
            "demanded": await _demanded(call, session),
        },
    )


async def authorize(call: Call) -> View | Leave:
    """Have a token or key count for an organization; only right after a sign-in through its provider."""
    session, organization, number = _asked(call)
    found = await _demanded(call, session)
    if not any(one.demand.organization == organization and one.met and one.fresh for one in found):
        message = (
            f"To authorize a token for {organization}, sign in through its provider again first, and do it within a "
            "quarter of an hour."
        )
        raise SignOnDenied(message)
    await call.services.people.demands.authorize(session.name, number, organization, call.by)
    return Leave(to=PATH)


async def withdraw(call: Call) -> View | Leave:
    """Have a token or key count no more for an organization; this takes away, so any sign-in will do."""
    session, organization, number = _asked(call)
    await call.services.people.demands.withdraw(session.name, number, organization, call.by)
    return Leave(to=PATH)


async def end_others(call: Call) -> View | Leave:
    """End every other session of who looks."""
    await call.services.people.sessions.end_others(call.session, call.by)
    return Leave(to=PATH)


def _asked(call: Call) -> tuple[Session, AccountName, int]:
    session = call.session
    number = call.form.get("credential", "")
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(2**63))):
        message = "There is no such token."
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
    Route("POST", "/profile/authorize", SIGNED_IN, authorize),
    Route("POST", "/profile/withdraw", SIGNED_IN, withdraw),
    Route("POST", "/profile/sessions", SIGNED_IN, end_others),
)
