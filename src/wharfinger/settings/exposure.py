# SPDX-License-Identifier: Apache-2.0
"""Open mode and plain sign-in beyond this machine: never by accident.

In open mode whoever reaches the port may push and pull. That is right on loopback, and right elsewhere only for an
operator who chose it. Passwords and tokens of accounts are the same: without TLS, everybody on the way reads them.
"""

from enum import Enum

from wharfinger.settings.tree import Settings
from wharfinger.settings.values import parse_address


class Exposure(Enum):
    """Who can reach an open registry."""

    LOCAL = "only this machine"
    CHOSEN = "others, as the settings say"
    ACCIDENTAL = "others, and nothing says that they should"


def open_beyond_loopback(settings: Settings, *, said: bool) -> Exposure:
    """Say who can reach an open registry.

    Args:
        settings: the settings of an open registry.
        said: whether the settings choose open mode: `auth: none`, or a configuration file without `auth`, which means
            the same to distribution.
    """
    if not reaches_others(settings):
        return Exposure.LOCAL
    return Exposure.CHOSEN if said else Exposure.ACCIDENTAL


def is_plain_beyond_loopback(settings: Settings) -> bool:
    """Say whether other machines reach the registry without TLS of its own; a proxy may speak it all the same."""
    return reaches_others(settings) and settings.http.tls.certificate is None


class SignIn(Enum):
    """Where the passwords and tokens of accounts may be shown."""

    ANYWHERE = "on every connection: none leaves this machine unencrypted, or the operator says that it may"
    BEHIND_PROXY = "on what a listed proxy says came by TLS, and from this machine"
    UNSAFE = "as behind a proxy, but none is listed: nobody on another machine could sign in"


def where_to_sign_in(settings: Settings) -> SignIn:
    """Say where accounts may sign in.

    `http.host` with https is the operator's word that clients come by TLS. That a proxy is listed is not: it may be
    reached without TLS, and who passes it by is not encrypted, so each request is looked at.
    """
    if not is_plain_beyond_loopback(settings) or settings.accounts.allowplain:
        return SignIn.ANYWHERE
    if (settings.http.host or "").lower().startswith("https:"):
        return SignIn.ANYWHERE
    listed = (one for one in settings.http.trustedproxies if not isinstance(one, str))
    return SignIn.UNSAFE if all(one.is_loopback for one in listed) else SignIn.BEHIND_PROXY


def reaches_others(settings: Settings) -> bool:
    """Say whether other machines reach the registry."""
    return settings.http.net != "unix" and not parse_address(settings.http.addr).is_loopback
