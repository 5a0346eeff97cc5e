# SPDX-License-Identifier: Apache-2.0
"""Second factors: what somebody shows besides a password, or instead of one (ADR 0038).

```text
app        an authenticator app: a code of six digits that changes every half minute, and counts once
passkey    a key in a phone, a computer or a stick; bound to the site, so it cannot be shown to a wrong one
recovery   codes on paper, each good for one sign-in, for who lost the others
```
"""

import enum
import ipaddress
import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.sentences import Sentence

LONGEST_NAME: Final = 60
MOST_FACTORS: Final = 20
"""Of one account; each more is one more that may be lost."""
RECOVERY_CODES: Final = 10
STEP_SECONDS: Final = 30
"""For how long an app shows a code (RFC 6238, section 5.2)."""
_TOLERATED: Final = 1
"""Steps before and after: phones' clocks are not exact, and people type slowly."""
_APP_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)
_RECOVERY_CODE: Final = re.compile(r"[a-z2-7]{16}", re.ASCII)


class FactorKind(enum.StrEnum):
    """What a second factor is."""

    APP = "app"
    PASSKEY = "passkey"


class SignInFactor(enum.StrEnum):
    """What a session began with besides a password."""

    APP = "app"
    PASSKEY = "passkey"
    RECOVERY = "recovery"
    PASSKEY_ALONE = "passkey-alone"
    """No password: the passkey checked who holds it, by a finger, a face or a number."""


class AppCode(NamedTuple):
    """What an app shows."""

    digits: str


class RecoveryCode(NamedTuple):
    """A recovery code, without what makes it readable."""

    letters: str


def read_code(text: str) -> AppCode | RecoveryCode | None:
    """Return what somebody typed as a code: spaces and hyphens do not matter; nothing if it is none."""
    plain = "".join(text.split()).replace("-", "").lower()
    if _APP_CODE.fullmatch(plain):
        return AppCode(plain)
    return RecoveryCode(plain) if _RECOVERY_CODE.fullmatch(plain) else None


def steps_at(seconds: int, last: int) -> Sequence[int]:
    """Return the steps whose codes are taken, the likeliest first.

    Args:
        seconds: since 1970.
        last: the step of the last code that was taken: it and all before it count no more.
    """
    now = seconds // STEP_SECONDS
    near = (now, *(one for away in range(1, _TOLERATED + 1) for one in (now - away, now + away)))
    return [step for step in near if step > last]


def check_factor_name(name: str) -> str:
    """Return what somebody calls a second factor.

    Raises:
        AccountInvalid: it does not fit in a list.
    """
    if name.strip() and len(name) <= LONGEST_NAME and name.isprintable():
        return name.strip()
    message = Sentence("The name of a second factor has 1 to %(most)s characters, on one line.", most=LONGEST_NAME)
    raise AccountInvalid(message)


def passkey_host(url: str) -> str | None:
    """Return the host to which passkeys of a site can be bound; nothing where browsers have none.

    They want a name, no address, and a connection that nobody else reads; `localhost` is both.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
        return host if host and (parts.scheme == "https" or is_local) else None
    return None


def may_have_passkeys(url: str) -> bool:
    """Say whether browsers have passkeys for a site."""
    return passkey_host(url) is not None
