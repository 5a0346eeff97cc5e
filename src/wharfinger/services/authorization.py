# SPDX-License-Identifier: Apache-2.0
"""Whether a principal may do a thing: the one place where a door asks."""

from wharfinger.domain.access import Access, Action, Mode, Outcome, decide
from wharfinger.domain.errors import Denied, TokenTooNarrow, Unauthenticated
from wharfinger.domain.identity import Principal


class Authorization:
    """Answers by the rules of the deployment's mode."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode

    def require(self, principal: Principal, access: Access) -> None:
        """Return if the principal may.

        Raises:
            Unauthenticated: it may not, and signing in might change that.
            TokenTooNarrow: it may, but its token does not say so.
            Denied: it may not.
        """
        decision = decide(self.mode, principal, access)
        if decision.allowed:
            return
        message = f"You may not {access.action.value} {access.repository or 'here'}: {decision.rule}."
        match decision.outcome:
            case Outcome.SIGN_IN:
                what = "use this registry" if access.repository is None else f"{access.action} {access.repository}"
                message = f"Sign in to {what}, for example with `docker login`: {decision.rule}."
                raise Unauthenticated(message)
            case Outcome.WIDER_TOKEN:
                raise TokenTooNarrow(message)
            case _:
                raise Denied(message)

    def pulls_everywhere(self, principal: Principal) -> bool:
        """Say whether the principal may pull from every repository.

        Only then may content be taken from a repository that the client did not name: a mount without a source, and a
        layer that is linked instead of sent. A token server's token names all that its holder may pull.
        """
        match self.mode:
            case Mode.OPEN | Mode.HTPASSWD:
                return decide(self.mode, principal, Access(Action.LIST)).allowed
            case Mode.TOKEN | Mode.ACCOUNTS:
                return False

    def allows(self, principal: Principal, access: Access) -> bool:
        """Say whether the principal may, for a second resource that a handler touches (the source of a mount)."""
        return decide(self.mode, principal, access).allowed
