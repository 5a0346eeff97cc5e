# SPDX-License-Identifier: Apache-2.0
"""What is told of a change to an account: in words, and without what is nobody else's."""

from wharfinger.domain.events import difference
from wharfinger.metadata.accounts import Account


def told_of(before: Account, after: Account) -> str:
    """Return what changed, in words; that an e-mail address did, but not from what to what: it is nobody else's."""
    mail = []
    if before.email != after.email:
        mail.append("e-mail " + ("given" if before.email is None else "removed" if after.email is None else "changed"))
    return ", ".join([told for told in (difference(_words(before), _words(after)), *mail) if told])


def _words(account: Account) -> dict[str, str]:
    return {
        "display name": repr(account.display_name or ""),
        "description": repr(account.description or ""),
        "language": account.language or "as the browser says",
        "access type": account.access_type.value,
        "anonymous pull": "on" if account.anonymous_pull else "off",
    }
