# SPDX-License-Identifier: Apache-2.0
"""What a browser keeps: the cookies of its session and of a sign-in under way; and what proves that a form is ours.

A form is taken only from a page of this site. Its token is made from a secret that only this browser's cookie holds,
and the browser itself says where the request comes from (`Sec-Fetch-Site`, or `Origin` where that is not sent).
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from wharfinger.console.addresses import parts_of
from wharfinger.domain.access import Mode
from wharfinger.domain.errors import FormRefused
from wharfinger.domain.second_factors import SignInFactor
from wharfinger.domain.sentences import Sentence
from wharfinger.services import Services
from wharfinger.services.sessions import Session
from wharfinger.web.requests import Visit

SESSION: Final = "session"
JOURNEY: Final = "sign-in"
"""What is sealed while somebody is at a provider."""
VISITOR: Final = "visitor"
"""A secret for the forms of who has no session."""
FLASH: Final = "flash"
"""What the next page is to say."""
PROOF: Final = "form_token"
"""The field of a form that proves whose it is."""
_WEEK: Final = 7 * 24 * 3600
_TEN_MINUTES: Final = 600
_MINUTE: Final = 60
_LIFETIMES: Final[Mapping[str, int | None]] = {
    SESSION: _WEEK,
    JOURNEY: _TEN_MINUTES,
    VISITOR: None,
    FLASH: _MINUTE,
}
_MOST: Final = 4096
_WITHIN: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}", re.ASCII)
"""A path of this site. Two slashes, or a backslash that browsers take for one, would lead to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who looks at the console.

    Args:
        session: of who signed in.
        secret: of that session, or else of the visitor, as the browser's cookie has it.
        is_new: whether the visitor's secret was made for this answer, and must be kept by the browser.
    """

    session: Session | None
    secret: str = field(repr=False)
    is_new: bool = False

    @property
    def form_token(self) -> str:
        """What every form that is shown to this guest holds."""
        return hmac.digest(self.secret.encode(), b"wharfinger form", "sha256").hex()

    @property
    def session_secret(self) -> str | None:
        """The secret of the session, if there is one."""
        return None if self.session is None else self.secret


async def recognise(services: Services, visit: Visit, mode: Mode) -> Guest:
    """Return who looks: by the cookie alone, because a browser sends a password that it remembers to any page.

    Without accounts nobody has a session; the visitor's secret still proves that a form is of the same browser.
    """
    may_have_one = mode is Mode.ACCOUNTS and visit.is_private  # what others could read is no proof
    secret = read(visit, SESSION) if may_have_one else None
    session = None if secret is None else await services.people.sessions.find(secret)
    if session is not None and secret is not None:
        return Guest(session=session, secret=secret)
    visitor = read(visit, VISITOR)
    return Guest(session=None, secret=visitor or make_secret(), is_new=visitor is None)


def make_secret() -> str:
    """Return a new secret of a visitor."""
    return secrets.token_urlsafe(32)


def lacks_factor(services: Services, guest: Guest) -> bool:
    """Say whether everybody needs a second factor here, and who looks signed in with a password alone."""
    session = guest.session
    if session is None or not services.people.second_factors.required:
        return False
    return session.factor is None and session.provider is None


def must_change_password(guest: Guest) -> bool:
    """Say whether who looks signed in with a password that somebody else chose, and has not chosen another one yet."""
    session = guest.session
    if session is None or session.provider is not None or session.factor is SignInFactor.PASSKEY_ALONE:
        return False
    return session.has_one_time_password


def require_own_form(visit: Visit, guest: Guest, form: Mapping[str, str], host: str | None) -> None:
    """Return if a form was sent by a page of this site in this browser.

    Args:
        visit: the request.
        guest: who sent it.
        form: its fields.
        host: the URL of the site, as `http.host` says.

    Raises:
        FormRefused: it was not, or nobody can tell.
    """
    if not _is_from_here(visit, host):
        message = Sentence("This form was not sent by a page of this registry, so nothing was done.")
        raise FormRefused(message)
    if not hmac.compare_digest(form.get(PROOF, "").encode("utf-8", "replace"), guest.form_token.encode()):
        message = Sentence(
            "This form is not from your browser, or is from before you signed in or out. Open the page again."
        )
        raise FormRefused(message)


def comes_from_elsewhere(visit: Visit) -> bool:
    """Say whether another site sent the browser here; a browser that does not say is believed."""
    return visit.header(b"sec-fetch-site") in {"cross-site", "same-site"}


def within_site(text: str | None) -> str:
    """Return a path of this site to lead back to; the first page where the text is none."""
    return text if text is not None and _WITHIN.fullmatch(text) else "/"


def read(visit: Visit, name: str) -> str | None:
    """Return the value of one of our cookies."""
    wanted = _name(visit, name)
    for part in re.split("[;,]", visit.header(b"cookie") or ""):  # HTTP/2 may send each in a header of its own
        found, equals, value = part.strip().partition("=")
        if found == wanted and equals and 0 < len(value) <= _MOST:
            return value
    return None


def keep(answer: Response, visit: Visit, name: str, value: str) -> None:
    """Have the browser keep one of our cookies."""
    _set(answer, visit, name, value, _LIFETIMES[name])


def forget(answer: Response, visit: Visit, name: str) -> None:
    """Have the browser forget one of our cookies."""
    _set(answer, visit, name, "", 0)


def _set(answer: Response, visit: Visit, name: str, value: str, lifetime: int | None) -> None:
    answer.set_cookie(
        _name(visit, name),
        value,
        max_age=lifetime,
        path="/",
        secure=_is_encrypted(visit),
        httponly=True,
        samesite="lax",
    )


def _name(visit: Visit, name: str) -> str:
    """Return the cookie's name. Browsers take `__Host-` only from TLS, and then from this very host alone."""
    return f"__Host-{name}" if _is_encrypted(visit) else f"wharfinger-{name}"


def _is_encrypted(visit: Visit) -> bool:
    return visit.scheme == "https"


def _is_from_here(visit: Visit, host: str | None) -> bool:
    site = visit.header(b"sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = visit.header(b"origin")
    if origin is None:
        return False
    ours = {visit.header(b"host"), None if host is None else urlsplit(host if "//" in host else f"//{host}").netloc}
    return parts_of(origin).netloc in ours - {None, ""}
