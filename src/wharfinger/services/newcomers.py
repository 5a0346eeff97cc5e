# SPDX-License-Identifier: Apache-2.0
"""Newcomers: people whom a provider vouches for and who have no account yet.

A newcomer gets a new account or none. A name that is taken is never taken over: an administrator links the account.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant
from wharfinger.domain.accounts import account_name_from
from wharfinger.domain.errors import AccountConflict, SignOnDenied
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import external_identities
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.database import Connection
from wharfinger.services.accounts import AccountChange, make_user, tell

_MOST_GROUPS: Final = 2_000
_LONGEST: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What a provider says of somebody."""

    provider: str
    subject: str
    called: str
    """What the provider calls them, from which a name is made; empty if it does not say."""
    display_name: str | None
    email: str | None
    groups: frozenset[str]


def read(provider: str, subject: str, claims: Mapping[str, object], *, name_claim: str, groups_claim: str) -> Newcomer:
    """Return what the claims say; what is not of the form that it should have is not there."""
    listed = claims.get(groups_claim)
    groups = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
    return Newcomer(
        provider=provider,
        subject=subject,
        called=_text(claims.get(name_claim)) or "",
        display_name=_text(claims.get("name")),
        email=_text(claims.get("email")),
        groups=frozenset(one for one in groups[:_MOST_GROUPS] if isinstance(one, str)),
    )


def settle(connection: Connection, newcomer: Newcomer, by: Actor, now: Instant, *, may_create: bool) -> Account:
    """Return a new account for a newcomer, linked to it.

    Raises:
        SignOnDenied: it gets none; the message says what an administrator does about it.
    """
    subject = shlex.quote(newcomer.subject)
    link = f"wharfinger user link NAME {newcomer.provider} {subject}"
    if not may_create:
        message = Sentence("No account here is yours yet. An administrator links one: %(link)s", link=link)
        raise SignOnDenied(message)
    name = account_name_from(newcomer.called)
    if name is None:
        message = Sentence(
            "No name of an account can be made of what the provider calls you (%(called)r). An "
            "administrator creates an account and links it: %(link)s",
            called=newcomer.called,
            link=link,
        )
        raise SignOnDenied(message)
    profile = AccountChange(display_name=newcomer.display_name, email=newcomer.email)
    try:
        account = make_user(connection, name, profile, by, now)
    except AccountConflict as error:
        message = Sentence(
            "The name %(name)r is taken here, and nobody gets an account by its name alone. If it is "
            "yours, an administrator links it: wharfinger user link %(name)s %(provider)s %(subject)s",
            name=name,
            provider=newcomer.provider,
            subject=subject,
        )
        raise SignOnDenied(message) from error
    external_identities.link(connection, newcomer.provider, newcomer.subject, account.id, None, now)
    detail = f"{newcomer.subject} of {newcomer.provider}"
    tell(connection, EventAction.IDENTITY_LINKED, name, by, now, detail=detail)
    return account


def _text(value: object) -> str | None:
    """Return a short text that can be shown and stored."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value.strip()[:_LONGEST] or None
