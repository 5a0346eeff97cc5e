# SPDX-License-Identifier: Apache-2.0
"""Who acts: the principal that was recognised, and everything the audit log wants to know of one request."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who acts. `account_id` is nothing for somebody who did not sign in."""

    name: str
    account_id: int | None = None


ANONYMOUS: Final = Principal(name="anonymous")
SYSTEM: Final = Principal(name="system")
"""The registry itself, at work in a background job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A principal in one request: what every change of state is recorded with."""

    principal: Principal
    credential_id: int | None = None
    client_address: str | None = None
    request_id: str | None = None
    user_agent: str | None = None


SYSTEM_ACTOR: Final = Actor(principal=SYSTEM)
