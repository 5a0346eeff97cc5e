# SPDX-License-Identifier: Apache-2.0
"""Secrets in the wrong field: somebody has a token in a script, and it ends up as a user agent, a path or a device.

Such words of a client are kept in the log and in events, which more people read than may use the token.
"""

import re
from typing import Final

HIDDEN: Final = "[hidden]"
_SECRET: Final = re.compile(
    r"wh[psr]_[0-9A-Za-z]{8,}"  # tokens of ours, mistyped ones too
    r"|eyJ[\w-]{8,}(?:\.[\w-]*)+"  # signed tokens: a header in JSON, and what follows
    r"|\b[Bb](?:asic|earer)(?:\s|%20|\+)+[^\s\"',;)]+",  # a whole Authorization header
    re.ASCII,
)


def without_secrets(text: str) -> str:
    """Return a text of a client without the tokens and the `Authorization` headers in it."""
    # One of these is in everything that is hidden. Every request asks twice, so they are not looked for in a loop.
    if "wh" not in text and "eyJ" not in text and "asic" not in text and "earer" not in text:
        return text
    return _SECRET.sub(HIDDEN, text)
