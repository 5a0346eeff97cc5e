# SPDX-License-Identifier: Apache-2.0
"""New passwords that come through this door: checked, and hashed in a thread."""

import asyncio
import functools
from typing import Final

from wharfinger.domain.accounts import AccessType, AccountName
from wharfinger.domain.errors import CredentialInvalid, Denied
from wharfinger.management_api.calls import Call
from wharfinger.management_api.problems import BadRequest, FieldError
from wharfinger.security.passwords import Passwords, PasswordUnfit, check_new_password

_DOORS: Final = (AccessType.BOTH, AccessType.CONSOLE)
"""Whose passwords are taken somewhere: an account with a second factor changes its password here too."""
_WRONG: Final = "The current password is wrong, or passwords may not be used here; an administrator can set a new one."


async def hashed(name: AccountName, password: str, pointer: str) -> str:
    """Return what is to be stored for a new password.

    Raises:
        BadRequest: it is not taken; the field is named, the password is not repeated.
    """
    try:
        check_new_password(password, name)
    except PasswordUnfit as error:
        field = FieldError(str(error), pointer=pointer)
        raise BadRequest(422, "fields-invalid", "Fields of the body cannot be taken.", [field]) from None
    return await asyncio.to_thread(lambda: _hasher().hash_password(password))


async def require_current(call: Call, password: str) -> None:
    """Return if it is the password of the caller; wrong ones count as they do when somebody signs in.

    Raises:
        Denied: it is not, or passwords are not taken here.
        TooManyAttempts: too many are being checked already.
    """
    try:
        await call.services.people.passwords.check(call.principal.name, password, _DOORS, call.visit.actor)
    except CredentialInvalid:
        raise Denied(_WRONG) from None


@functools.cache
def _hasher() -> Passwords:
    return Passwords()
