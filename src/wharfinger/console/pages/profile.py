# SPDX-License-Identifier: Apache-2.0
"""One's own page: who is signed in and how, where else, and which tokens count where single sign-on is demanded."""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfinger.clock import Instant, after
from wharfinger.console.calls import Desk, Leave, View
from wharfinger.console.pages.sign_in import link_to
from wharfinger.domain.accounts import AccountName, CredentialKind, parse_account_name
from wharfinger.domain.errors import AccountUnknown, FormRefused, SignOnDenied
from wharfinger.metadata.credentials import Credential
from wharfinger.metadata.demands import Demand
from wharfinger.services.sessions import LONGEST, Session

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


async def show(desk: Desk) -> View | Leave:
    """Show who is signed in."""
    session = desk.guest.session
    if session is None:
        return Leave(to=link_to(PATH))
    people = desk.services.people
    return View(
        template="profile.html",
        values={
            "account": await desk.services.accounts.find(session.name),
            "session": session,
            "through": _display_name(desk, session.provider),
            "ends_at": _end_of(session),
            "sessions": await people.sessions.list(session.account_id),
            "identities": await people.external_identities.list(session.name),
            "demanded": await _demanded(desk, session),
            "form_token": desk.guest.form_token,
        },
    )


async def authorize(desk: Desk) -> View | Leave:
    """Have a token or key count for an organization; only right after a sign-in through its provider."""
    session, organization, number = _asked(desk)
    found = await _demanded(desk, session)
    if not any(one.demand.organization == organization and one.met and one.fresh for one in found):
        message = (
            f"To authorize a token for {organization}, sign in through its provider again first, and do it within a "
            "quarter of an hour."
        )
        raise SignOnDenied(message)
    await desk.services.people.demands.authorize(session.name, number, organization, desk.by)
    return Leave(to=PATH)


async def withdraw(desk: Desk) -> View | Leave:
    """Have a token or key count no more for an organization; this takes away, so any sign-in will do."""
    session, organization, number = _asked(desk)
    await desk.services.people.demands.withdraw(session.name, number, organization, desk.by)
    return Leave(to=PATH)


async def end_others(desk: Desk) -> View | Leave:
    """End every other session of who looks."""
    await desk.services.people.sessions.end_others(_require_session(desk), desk.by)
    return Leave(to=PATH)


def _asked(desk: Desk) -> tuple[Session, AccountName, int]:
    session = _require_session(desk)
    number = desk.form.get("credential", "")
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(2**63))):
        message = "There is no such token."
        raise AccountUnknown(message)
    return session, parse_account_name(desk.form.get("organization", "")), min(int(number), 2**63 - 1)


def _require_session(desk: Desk) -> Session:
    if desk.guest.session is None:
        message = "Your session has ended. Sign in again."
        raise FormRefused(message)
    return desk.guest.session


async def _demanded(desk: Desk, session: Session) -> Sequence[Demanded]:
    people = desk.services.people
    demanded = await people.demands.every(session.account_id)
    if not demanded.demands:
        return ()
    held = [one for one in await desk.services.credentials.list(session.name) if _is_usable(one, desk.now)]
    known = {one.name for one in people.single_sign_on.providers}
    return [
        Demanded(
            demand=demand,
            provider=_display_name(desk, demand.provider) or demand.provider,
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


def _display_name(desk: Desk, provider: str | None) -> str | None:
    named = {one.name: one.display_name for one in desk.services.people.single_sign_on.providers}
    return provider if provider is None else named.get(provider, provider)


def _end_of(session: Session) -> Instant:
    return after(session.signed_in_at, LONGEST)
