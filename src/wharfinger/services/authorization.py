# SPDX-License-Identifier: Apache-2.0
"""Whether a principal may do a thing: the one place where a door asks."""

from wharfinger.domain.access import Access, Mode, decide
from wharfinger.domain.errors import Denied, Unauthenticated
from wharfinger.domain.identity import ANONYMOUS, Principal


class Authorization:
    """Answers by the rules of the deployment's mode."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode

    def require(self, principal: Principal, access: Access) -> None:
        """Return if the principal may.

        Raises:
            Unauthenticated: it may not, and signing in might change that.
            Denied: it may not.
        """
        decision = decide(self.mode, principal, access)
        if decision.allowed:
            return
        message = f"You may not {access.action.value} {access.repository or 'here'}: {decision.rule}."
        raise Unauthenticated(message) if principal is ANONYMOUS else Denied(message)

    def allows(self, principal: Principal, access: Access) -> bool:
        """Say whether the principal may, for a second resource that a handler touches (the source of a mount)."""
        return decide(self.mode, principal, access).allowed
