# SPDX-License-Identifier: Apache-2.0
"""Values of `storages` and `registries`: names of storages, and domains."""

import re
from typing import Final

from wharfinger.settings.values import Unfit, quoted

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_LONGEST_NAME: Final = 40
_LONGEST_DOMAIN: Final = 200
"""A host has up to 253 characters, and a name of a registry goes before the domain."""


def parse_label(text: str) -> str:
    """Return the name of a storage; `default` is the one of `storage`."""
    if text == "default":
        message = "default is the storage of the section `storage`; give this one another name"
        raise Unfit(message)
    if _NAME.fullmatch(text) and len(text) <= _LONGEST_NAME:
        return text
    message = f"{quoted(text)} is not a name of a storage; give lower-case letters, digits and hyphens, up to 40"
    raise Unfit(message)


def parse_domain(text: str) -> str:
    """Return a domain below which registries have their hosts, in lower case; without a port."""
    domain = text.lower().rstrip(".")
    if _DOMAIN.fullmatch(domain) and len(domain) <= _LONGEST_DOMAIN and not domain.rpartition(".")[2].isdecimal():
        return domain
    message = f"{quoted(text)} is not a domain; give for example registry.example.com, without a scheme or a port"
    raise Unfit(message)
