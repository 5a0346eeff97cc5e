# SPDX-License-Identifier: Apache-2.0
"""Values of `accounts.oidc`."""

import re
from typing import Final

from wharfinger.settings.values import Unfit, quoted

_LONGEST: Final = 32


def parse_provider(text: str) -> str:
    """Return the name of a provider, which becomes a part of addresses."""
    if re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", text, re.ASCII) and len(text) <= _LONGEST:
        return text
    message = f"{quoted(text)} is not a name of a provider; give lower-case letters, digits and hyphens, up to 32"
    raise Unfit(message)
