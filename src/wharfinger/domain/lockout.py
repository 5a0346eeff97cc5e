# SPDX-License-Identifier: Apache-2.0
"""Wrong passwords: how long somebody waits, and who must not wait for the guesses of others.

```text
a place      an account in a network from which it signed in lately: it waits only for wrong passwords from there
an account   everywhere else: guesses from many places count together
a network    guesses at many names count together, also at names that nobody has
```

So whoever guesses is slow, however many names or addresses are tried, and cannot shut out whose name is tried: that one
signs in from where it always does. Tokens and keys are not guessed, and never wait.
"""

import ipaddress
from typing import Final

from wharfinger.clock import DAY, SECOND, Instant, after

FREE_FAILURES: Final = 4
"""In a row, of one account: people mistype."""
FREE_FAILURES_OF_NETWORK: Final = 20
"""In a row, of one network: many people may share it."""
LONGEST_LOCK: Final = 15 * 60 * SECOND
REMEMBERED: Final = 30 * DAY
"""For how long a network is known from which an account signed in."""
NOWHERE: Final = "-"
"""The network of a client without an address, such as one on a Unix socket."""
_IPV4_NETWORK: Final = 24
_IPV6_NETWORK: Final = 64
"""What one customer of a provider usually has."""


def locked_until(failures: int, now: Instant, free: int = FREE_FAILURES) -> Instant | None:
    """Return until when no password is taken after so many wrong ones in a row.

    A few mistakes cost nothing; then each further one doubles the wait, up to a quarter of an hour. So guessing is
    slow, and who only mistyped is not shut out for long.
    """
    if failures <= free:
        return None
    return after(now, min(SECOND << min(failures - free, 20), LONGEST_LOCK))


def network_of(address: str | None) -> str:
    """Return the network of a client: addresses in it are one client's for the asking."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return NOWHERE
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    length = _IPV4_NETWORK if found.version == 4 else _IPV6_NETWORK  # noqa: PLR2004 - IP's own number
    return str(ipaddress.ip_network((found, length), strict=False))
