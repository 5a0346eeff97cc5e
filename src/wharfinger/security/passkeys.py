# SPDX-License-Identifier: Apache-2.0
"""Passkeys (WebAuthn): what a browser is asked, and what its authenticator's answer proves.

The attestation, which says who made the authenticator, is neither asked for nor looked at: people choose their own.
What comes from a browser is parsed by a library that answers nonsense with errors of many kinds; here they are one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from wharfinger.domain.second_factors import passkey_host

_LONGEST_ANSWER: Final = 32 * 1024
_LONGEST_ID: Final = 1023
"""Bytes (WebAuthn 3, section 4, "credential ID")."""


class PasskeyRefused(Exception):
    """An answer that proves nothing; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Site:
    """The site that a passkey belongs to.

    Args:
        host: without a port; a passkey of one host is shown to no other.
        title: what browsers call it.
    """

    host: str
    title: str


@dataclass(frozen=True, slots=True)
class Known:
    """A passkey as it is stored: its id, and its public key with what belongs to it."""

    public_id: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a browser is asked, as JSON, and the challenge in it, which the answer must sign."""

    options: str
    challenge: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer proves.

    Args:
        passkey: which one.
        counter: how often the authenticator says that it signed; 0 from those that do not count.
        holder: the account's number, as the authenticator keeps it; nothing where it was not said.
    """

    passkey: Known
    counter: int
    holder: int | None = None


def ask_to_make(site: Site, account_id: int, name: str, shown_name: str, known: Sequence[Known]) -> Asked:
    """Return what a browser is asked to make a new passkey of an account; not on an authenticator that has one."""
    user = PublicKeyCredentialUserEntity(id=account_id.to_bytes(8, "big"), name=name, display_name=shown_name or name)
    options, state = _server(site).register_begin(
        user,
        [_data_of(one) for one in known],
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return Asked(_json(dict(options.public_key)), str(state["challenge"]))


def read_made(site: Site, challenge: str, answer: str) -> Answered:
    """Return the new passkey of an answer.

    Raises:
        PasskeyRefused: it is none, or answers something else.
    """
    parsed = _parsed(answer)
    try:
        made = _server(site).register_complete(_state(challenge, alone=False), parsed)
    except Exception as error:  # what a parser of foreign bytes raises is its own affair
        raise PasskeyRefused(str(error)) from error
    data = made.credential_data
    if data is None or len(data.credential_id) > _LONGEST_ID:
        message = "no key in the answer"
        raise PasskeyRefused(message)
    return Answered(Known(websafe_encode(data.credential_id), websafe_encode(bytes(data))), made.counter)


def ask_to_show(site: Site, known: Sequence[Known] | None) -> Asked:
    """Return what a browser is asked to show one of some passkeys.

    Args:
        site: where.
        known: the account's; nothing where the passkey is to say whose it is, and to check who holds it.
    """
    options, state = _server(site).authenticate_begin(
        None if known is None else [_data_of(one) for one in known],
        user_verification=_verification(alone=known is None),
    )
    return Asked(_json(dict(options.public_key)), str(state["challenge"]))


def id_of(answer: str) -> str:
    """Return the id of the passkey that an answer says it is from; nothing is proved by that.

    Raises:
        PasskeyRefused: it does not say.
    """
    found = _parsed(answer).get("rawId")
    if isinstance(found, str) and 0 < len(found) <= 2 * _LONGEST_ID:
        return found
    message = "no id in the answer"
    raise PasskeyRefused(message)


def read_shown(site: Site, challenge: str, known: Sequence[Known], answer: str, *, alone: bool) -> Answered:
    """Return which of some passkeys an answer is from.

    Args:
        site: where it was asked for.
        challenge: that it must answer.
        known: those that would do.
        answer: of the browser, as JSON.
        alone: whether it stands for a password too, so that the authenticator must have checked who holds it.

    Raises:
        PasskeyRefused: it is from none of them, or answers something else.
    """
    try:
        data = {websafe_encode(one.credential_id): one for one in map(_data_of, known)}
        response = AuthenticationResponse.from_dict(_parsed(answer))
        found = _server(site).authenticate_complete(_state(challenge, alone=alone), list(data.values()), response)
        handle = response.response.user_handle
        public_id = websafe_encode(found.credential_id)
        return Answered(
            next(one for one in known if one.public_id == public_id),
            response.response.authenticator_data.counter,
            None if handle is None else int.from_bytes(handle, "big"),
        )
    except Exception as error:  # as above
        raise PasskeyRefused(str(error)) from error


def _server(site: Site) -> Fido2Server:
    entity = PublicKeyCredentialRpEntity(id=site.host, name=site.title)
    # The port is free: a proxy in front may hide ours. The browser itself vouches for the rest.
    return Fido2Server(entity, verify_origin=lambda origin: passkey_host(origin) == site.host)


def _verification(*, alone: bool) -> UserVerificationRequirement:
    return UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.PREFERRED


def _state(challenge: str, *, alone: bool) -> dict[str, object]:
    return {"challenge": challenge, "user_verification": _verification(alone=alone)}


def _data_of(known: Known) -> AttestedCredentialData:
    return AttestedCredentialData(websafe_decode(known.public_key))


def _parsed(answer: str) -> dict[str, object]:
    if len(answer) > _LONGEST_ANSWER:
        message = "the answer is too long"
        raise PasskeyRefused(message)
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        message = "the answer is no JSON"
        raise PasskeyRefused(message) from error
    if not isinstance(found, dict):
        message = "the answer is no object"
        raise PasskeyRefused(message)
    return found


def _json(options: object) -> str:
    return orjson.dumps(options, default=_plain).decode()


def _plain(value: object) -> object:
    """Return what the library hands out as mappings and enumerations of its own."""
    return dict(value) if hasattr(value, "keys") else str(value)  # type: ignore[call-overload]  # it has keys
