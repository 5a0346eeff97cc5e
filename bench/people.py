# SPDX-License-Identifier: Apache-2.0
"""The people of the server that has accounts.

`python -m bench.people COUNT` makes them in the registry that the environment describes. They are made through the
services, because the command line makes one at a time; and with one hash for all, because hashing is not what filling
measures.
"""

import sys
from collections.abc import Sequence
from typing import Final

from wharfinger.cli.shell import act
from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import parse_new_account_name
from wharfinger.domain.identity import Actor
from wharfinger.security.passwords import Passwords
from wharfinger.services import Services

ADMINISTRATOR: Final = "keeper"
PASSWORD: Final = "the same long password for all"


def names(count: int) -> Sequence[str]:
    """Return the names of that many people."""
    return [f"person-{number:04}" for number in range(count)]


def main() -> None:
    """Make the first administrator, who closes the registry, and the others."""
    hashed = Passwords().hash_password(PASSWORD)

    async def work(services: Services, by: Actor) -> None:
        await services.beginning.create_administrator(
            parse_new_account_name(ADMINISTRATOR), hashed, Visibility.PRIVATE, by
        )
        for name in names(int(sys.argv[1])):
            await services.accounts.create_user(parse_new_account_name(name), by, password_hash=hashed)

    act(None, work)


if __name__ == "__main__":
    main()
