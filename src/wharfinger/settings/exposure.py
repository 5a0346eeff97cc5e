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
        settings: the settings; every mode that exists so far is open.
        said: whether the settings choose open mode: `auth: none`, or a configuration file without `auth`, which means
            the same to distribution.
    """
    if settings.http.net == "unix" or parse_address(settings.http.addr).is_loopback:
        return Exposure.LOCAL
    return Exposure.CHOSEN if said else Exposure.ACCIDENTAL
