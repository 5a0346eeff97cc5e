# SPDX-License-Identifier: Apache-2.0
"""Second factors: one's own, and for administrators those of who lost theirs.

What is shown here may be a token that somebody stole, so adding and removing ask for the password or a code besides.
Passkeys are made by browsers: they are added in the console, and listed and removed here too.
"""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path
from pydantic import Field

from wharfinger.domain.accounts import AccountName
from wharfinger.domain.errors import CredentialInvalid, Denied
from wharfinger.domain.management import Target, Task
from wharfinger.domain.second_factors import LONGEST_NAME, FactorKind
from wharfinger.management_api.accounts import require_other
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import Model, OneLine, Secret, Shown, UserPath, moment, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.second_factors import Held
from wharfinger.web.access import LONGEST_ID

FactorPath = Annotated[
    int, Path(description="The number of a second factor, as the list shows it.", ge=1, le=LONGEST_ID, examples=[1])
]


class ShownFactor(Shown):
    """A second factor."""

    id: int
    kind: FactorKind
    """`app` for an authenticator app, or `passkey`."""
    name: str
    site: str | None
    """The host to which a passkey belongs."""
    created_at: datetime
    last_used_at: datetime | None


class Factors(Shown):
    """The second factors of a user: they are few."""

    items: list[ShownFactor]
    recovery_codes_left: int
    required: bool
    """Whether everybody needs one here."""


class FactorProof(Model):
    """What shows that it is really its owner who asks."""

    proof: Annotated[Secret, Field(min_length=1, examples=["123456"])]
    """The password, a code of the app, or a recovery code; a code counts once."""


class BegunApp(Shown):
    """An authenticator app that is being set up; nothing is stored yet."""

    secret: str
    """To be typed into the app."""
    address: str
    """The same as an app reads it from a picture."""
    enrolment: str
    """What goes back with the first code, within a quarter of an hour."""


class NewApp(Model):
    """The first code of an authenticator app."""

    name: Annotated[OneLine, Field(min_length=1, max_length=LONGEST_NAME, examples=["phone"])]
    enrolment: Annotated[str, Field(max_length=2000)]
    code: Annotated[str, Field(max_length=20, examples=["123456"])]


class AddedFactor(Shown):
    """A second factor that was added."""

    id: int
    recovery_codes: list[str]
    """With the first factor: each signs in once. They are shown this once."""


class RecoveryCodes(Shown):
    """New recovery codes, which are shown this once."""

    recovery_codes: list[str]


async def list_my_second_factors(call: Calling) -> Factors:
    """List one's own second factors."""
    return await _show(call, call.principal.name)


async def begin_my_app(call: Calling, proof: FactorProof) -> BegunApp:
    """Begin to set up an authenticator app."""
    await _require(call, proof)
    host = call.visit.header(b"host") or "registry"
    new = await call.services.people.second_factors.begin_app(_own(call), host)
    return BegunApp(secret=new.secret, address=new.address, enrolment=new.sealed)


async def add_my_app(call: Calling, new: NewApp) -> AddedFactor:
    """Add the authenticator app that was begun, with the code that it shows.

    The first factor ends sessions and devices that signed in with the password alone, and the password alone is taken
    nowhere any more.
    """
    try:
        added = await call.services.people.second_factors.add_app(
            _own(call), new.name, new.enrolment, new.code, call.by
        )
    except CredentialInvalid as error:
        raise Denied(error.message) from None
    return AddedFactor(id=added.id, recovery_codes=list(added.recovery_codes))


async def remove_my_second_factor(call: Calling, number: FactorPath, proof: FactorProof) -> None:
    """Remove one of one's own second factors; the last one takes the recovery codes along."""
    await _require(call, proof)
    await call.services.people.second_factors.remove(_own(call), number, call.by)


async def renew_my_recovery_codes(call: Calling, proof: FactorProof) -> RecoveryCodes:
    """Make new recovery codes; those before them count no more."""
    await _require(call, proof)
    return RecoveryCodes(
        recovery_codes=list(await call.services.people.second_factors.renew_codes(_own(call), call.by))
    )


async def list_second_factors(call: Calling, user: UserPath) -> Factors:
    """List the second factors of a user."""
    return await _show(call, user)


async def reset_second_factors(call: Calling, user: UserPath) -> None:
    """Remove every second factor of a user who lost them; its sessions end.

    Nobody resets its own here: whoever stole a token would take the second factor away with it.
    """
    require_other(call, user, "reset the second factor of")
    await call.services.people.second_factors.reset(AccountName(user), call.by)


async def _require(call: Calling, proof: FactorProof) -> None:
    try:
        await call.services.people.second_factors.prove(_own(call), proof.proof, call.by)
    except CredentialInvalid:
        message = "This is neither your password nor a code that counts now. After several wrong ones, wait a moment."
        raise Denied(message) from None


async def _show(call: Calling, name: str) -> Factors:
    factors = call.services.people.second_factors
    held: Held = await factors.held(AccountName(name))
    shown = [
        ShownFactor(
            id=one.id,
            kind=one.kind,
            name=one.name,
            site=one.site,
            created_at=time_of(one.created_at),
            last_used_at=moment(one.last_used_at),
        )
        for one in held.factors
    ]
    return Factors(items=shown, recovery_codes_left=held.codes_left, required=factors.required)


def _own(call: Calling) -> AccountName:
    return AccountName(call.principal.name)


_READ: Final = Managing(Task.READ, Target.USER, own=True)
_MANAGE: Final = Managing(Task.MANAGE, Target.USER, own=True)
ROUTES: Final = (
    Route("GET", "/me/second-factors", _READ, list_my_second_factors),
    Route("POST", "/me/second-factors/app", _MANAGE, begin_my_app),
    Route("POST", "/me/second-factors", _MANAGE, add_my_app, status=201, conflicts=True),
    Route("POST", "/me/second-factors/{number}/removal", _MANAGE, remove_my_second_factor, status=204, conflicts=True),
    Route("POST", "/me/recovery-codes", _MANAGE, renew_my_recovery_codes, status=201, conflicts=True),
    Route("GET", "/users/{user}/second-factors", Managing(Task.READ, Target.USER), list_second_factors),
    Route(
        "DELETE",
        "/users/{user}/second-factors",
        Managing(Task.SUPERVISE, Target.USER),
        reset_second_factors,
        status=204,
        conflicts=True,
    ),
)
