# SPDX-License-Identifier: Apache-2.0
"""New passwords that come through this door: checked, and hashed in a thread."""

import asyncio
import functools

from wharfinger.domain.accounts import AccountName
from wharfinger.domain.errors import CredentialInvalid, Denied
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api.calls import Call
from wharfinger.management_api.problems import BadRequest, FieldError
from wharfinger.security.passwords import Passwords, PasswordUnfit, check_new_password
from wharfinger.services.identity import Password


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
    identity = call.services.identity
    try:
        if identity is not None:
            await identity.recognise(Password(call.principal.name, password), call.visit.actor)
            return
    except CredentialInvalid:
        pass
    message = Sentence(
        "The current password is wrong, or passwords may not be used here; an administrator can set a new one."
    )
    raise Denied(message)


@functools.cache
def _hasher() -> Passwords:
    return Passwords()
