# SPDX-License-Identifier: Apache-2.0
"""This registry's own tokens: issued at the token endpoint, shown with each request under `/v2/` (ADR 0023).

A token is a ceiling and no grant: what its account may do is looked up at every request. It is bound to the id of each
repository, so it does not open another one that gets the name later.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import SECOND, Instant
from wharfinger.domain.identity import Workload
from wharfinger.security import jws
from wharfinger.security.claims import (
    AccessEntry,
    check_times,
    read_access,
    read_id,
    read_text,
    read_time,
)
from wharfinger.security.jws import MAX_LENGTH, Reason, TokenRefused
from wharfinger.security.keys import ALGORITHM, LONGEST_CREDENTIAL, LONGEST_LIFETIME, KeySet

TYPE: Final = "at+registry"
WORKLOAD_TYPE: Final = "workload+registry"
"""Of the credential that a workload gets for its identity token."""
SHORTEST_LIFETIME: Final = 60
"""Seconds. Old clients take any shorter time for this, so a shorter token would fail in their hands."""

_HEADER: Final = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True)
class Credential:
    """What was shown to get the token; its row is looked up again, so that revoking it ends the token."""

    kind: str
    id: int | None = None
    """Nothing for a password, which has no row of its own."""


@dataclass(frozen=True, slots=True)
class NamedWorkload:
    """A workload in a token: what it is called, and what is known of it."""

    name: str
    workload: Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryToken:
    """What a token of this registry says, verified.

    Args:
        id: different for every token.
        account_id: nothing for somebody who did not sign in.
        credential: what was shown for it; nothing for somebody who did not sign in.
        workload: whom it was made for, if that is a workload.
        access: the only names and actions that it may be used for.
        issued_at: when it was made, in whole seconds.
        expires_at: when it ends.
    """

    id: str
    account_id: int | None
    credential: Credential | None
    workload: NamedWorkload | None = None
    access: tuple[AccessEntry, ...]
    issued_at: Instant
    expires_at: Instant


class RegistryTokens:
    """Issues and verifies; made anew when the keys change.

    Args:
        keys: which sign and verify.
        issuer: who the tokens are from; another registry's are refused.
        service: who they are for.
        lifetime: seconds, from 60 to 300.

    Raises:
        ValueError: the lifetime is outside its range.
    """

    def __init__(self, keys: KeySet, *, issuer: str, service: str, lifetime: int = LONGEST_LIFETIME) -> None:
        if not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME:
            message = f"a registry token is valid for {SHORTEST_LIFETIME} to {LONGEST_LIFETIME} seconds"
            raise ValueError(message)
        self.lifetime = lifetime
        self._keys = keys
        self._issuer = issuer
        self._service = service

    def issue(
        self,
        now: Instant,
        *,
        account_id: int | None = None,
        credential: Credential | None = None,
        workload: NamedWorkload | None = None,
        access: Iterable[AccessEntry] = (),
    ) -> str:
        """Return a new token.

        Raises:
            TokenRefused: it would be too long to be verified: too many names were asked for at once.
            NoSigningKey: there is no key.
        """
        claims = self._claims(now, self.lifetime, "" if account_id is None else str(account_id))
        claims["access"] = [_written(entry) for entry in access]
        if credential is not None:
            claims["credential"] = {"kind": credential.kind, "id": credential.id}
        if workload is not None:
            claims["workload"] = _written_workload(workload)
        return self._signed(now, TYPE, claims)

    def issue_credential(self, now: Instant, workload: NamedWorkload, lifetime: int) -> str:
        """Return a credential of a workload, which is shown as a password or a token for some seconds.

        Raises:
            ValueError: the lifetime is longer than keys verify after they signed.
            TokenRefused: it would be too long to be verified.
            NoSigningKey: there is no key.
        """
        if not SHORTEST_LIFETIME <= lifetime <= LONGEST_CREDENTIAL:
            message = f"a credential of a workload is valid for {SHORTEST_LIFETIME} to {LONGEST_CREDENTIAL} seconds"
            raise ValueError(message)
        claims = self._claims(now, lifetime, "")
        return self._signed(now, WORKLOAD_TYPE, claims | {"workload": _written_workload(workload)})

    def verify(self, text: str, now: Instant) -> RegistryToken:
        """Return what a token says.

        Raises:
            TokenRefused: it is not one of this registry's, for this service, valid now.
        """
        return self._read(self._opened(text, now, TYPE), now)

    def verify_credential(self, text: str, now: Instant) -> NamedWorkload:
        """Return whom a credential of a workload was made for.

        Raises:
            TokenRefused: it is not one of this registry's, for this service, valid now.
        """
        claims = self._opened(text, now, WORKLOAD_TYPE)
        self._check(claims, now)
        workload = _read_workload(claims)
        if workload is None:
            raise TokenRefused(Reason.MALFORMED_CLAIMS)
        return workload

    def _claims(self, now: Instant, lifetime: int, subject: str) -> dict[str, object]:
        begins = now // SECOND
        return {
            "iss": self._issuer,
            "aud": self._service,
            "sub": subject,
            "jti": secrets.token_urlsafe(16),
            "iat": begins,
            "nbf": begins,
            "exp": begins + lifetime,
        }

    def _signed(self, now: Instant, kind: str, claims: Mapping[str, object]) -> str:
        key = self._keys.signing(now)
        signed = f"{_encode({'alg': ALGORITHM, 'kid': key.kid, 'typ': kind})}.{_encode(claims)}"
        text = f"{signed}.{jws.encode(key.sign(signed.encode('ascii')))}"
        if len(text) > MAX_LENGTH:
            raise TokenRefused(Reason.TOO_LONG)
        return text

    def _opened(self, text: str, now: Instant, kind: str) -> Mapping[str, object]:
        """Return the claims of a token that one of our keys signed."""
        parts = jws.take_apart(text)
        kid = parts.header.get("kid")
        # Nothing else may be there: no key or address of a key, no extension, no second meaning.
        if parts.header.keys() != _HEADER or not isinstance(kid, str):
            raise TokenRefused(Reason.UNWANTED_HEADER)
        if parts.header["typ"] != kind:
            raise TokenRefused(Reason.WRONG_TYPE)
        key = self._keys.verifying(kid, now)
        if key is None:
            raise TokenRefused(Reason.UNKNOWN_KEY)
        jws.verify(parts, key)
        return jws.read_object(parts.payload, Reason.MALFORMED_CLAIMS)

    def _check(self, claims: Mapping[str, object], now: Instant) -> tuple[Instant, Instant]:
        """Accept who it is from, whom it is for, and its times, which are returned; strict all the same.

        An older version may have signed something else.
        """
        if read_text(claims, "iss") != self._issuer:
            raise TokenRefused(Reason.WRONG_ISSUER)
        if claims.get("aud") != self._service:
            raise TokenRefused(Reason.WRONG_AUDIENCE)
        issued, begins, ends = (read_time(claims, name) for name in ("iat", "nbf", "exp"))
        if issued is None or begins is None or ends is None:
            raise TokenRefused(Reason.WRONG_TIMES)
        check_times(now, begins=max(issued, begins), ends=ends)
        return issued, ends

    def _read(self, claims: Mapping[str, object], now: Instant) -> RegistryToken:
        issued, ends = self._check(claims, now)
        return RegistryToken(
            id=read_text(claims, "jti"),
            account_id=_read_subject(claims),
            credential=_read_credential(claims),
            workload=_read_workload(claims),
            access=read_access(claims),
            issued_at=issued,
            expires_at=ends,
        )


def _encode(content: Mapping[str, object]) -> str:
    return jws.encode(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())


def _written(entry: AccessEntry) -> dict[str, object]:
    written: dict[str, object] = {"type": entry.type, "name": entry.name, "actions": sorted(entry.actions)}
    if entry.repository_id is not None:
        written["repository_id"] = entry.repository_id
    if entry.namespace_id is not None:
        written["namespace_id"] = entry.namespace_id
    return written


def _read_subject(claims: Mapping[str, object]) -> int | None:
    subject = read_text(claims, "sub")
    if not subject:
        return None
    if not (subject.isascii() and subject.isdecimal() and len(subject) < 20):  # noqa: PLR2004 - digits of 64 bits
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return int(subject)


def _read_credential(claims: Mapping[str, object]) -> Credential | None:
    written = claims.get("credential")
    if written is None:
        return None
    if not isinstance(written, dict):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return Credential(kind=read_text(written, "kind"), id=read_id(written, "id"))


def _written_workload(named: NamedWorkload) -> dict[str, object]:
    return {"name": named.name, "rules": list(named.workload.rules), "source": named.workload.source}


def _read_workload(claims: Mapping[str, object]) -> NamedWorkload | None:
    written = claims.get("workload")
    if written is None:
        return None
    if not isinstance(written, dict) or not isinstance(rules := written.get("rules"), list):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    source = written.get("source")
    if not rules or not all(type(rule) is int and rule > 0 for rule in rules):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    if not isinstance(source, str | None) or claims.get("sub") != "":
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return NamedWorkload(read_text(written, "name"), Workload(rules=tuple(rules), source=source))


__all__ = [
    "SHORTEST_LIFETIME",
    "TYPE",
    "WORKLOAD_TYPE",
    "AccessEntry",
    "Credential",
    "NamedWorkload",
    "RegistryToken",
    "RegistryTokens",
    "TokenRefused",
]
