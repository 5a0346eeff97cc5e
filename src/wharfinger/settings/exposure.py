# SPDX-License-Identifier: Apache-2.0
"""Open mode beyond this machine: never by accident.

In open mode whoever reaches the port may push and pull. That is right on loopback, and right elsewhere only for an
operator who chose it.
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
    if not _reaches_others(settings):
        return Exposure.LOCAL
    return Exposure.CHOSEN if said else Exposure.ACCIDENTAL


def is_plain_beyond_loopback(settings: Settings) -> bool:
    """Say whether other machines reach the registry without TLS of its own; a proxy may speak it all the same."""
    return _reaches_others(settings) and settings.http.tls.certificate is None


def _reaches_others(settings: Settings) -> bool:
    return settings.http.net != "unix" and not parse_address(settings.http.addr).is_loopback
