# SPDX-License-Identifier: Apache-2.0
"""A flash: what the page says to which a form led, once.

The server keeps nothing of it. It travels in a cookie of the browser that sent the form, sealed with that browser's own
secret, and counts only on the page that it was made for: nobody can put words on a page of somebody else, and a page
that is opened beside it takes nothing away (ADR 0034).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from wharfinger.console.languages import Several

_LONGEST: Final = 300
"""Of each value; a cookie holds about 4,000 bytes."""
_MAC: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """What happened.

    Args:
        text: marked for translation, with places such as `%(name)s`.
        values: what stands in the places; a number named `freed_bytes` stands as a size in that of `freed`. How many of
            something there are is `Several` until the flash is sealed.
        said: what a service said of it, in its own words: a sentence until the flash is sealed.
        failed: whether what was asked for did not happen.
        link: where one can go from there: a label, marked for translation, and a path below the site's prefix.
    """

    text: str
    values: Mapping[str, str | int | Several] = field(default_factory=dict)
    said: str | None = None
    failed: bool = False
    link: tuple[str, str] | None = None


def seal(flash: Flash, page: str, secret: str) -> str:
    """Return the cookie's value.

    Args:
        flash: what is to be said.
        page: the path of the page that is to say it.
        secret: of the browser.
    """
    values = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in flash.values.items()}
    said = None if flash.said is None else flash.said[: 2 * _LONGEST]
    content = orjson.dumps([page, flash.text, values, said, flash.failed, flash.link])
    return base64.urlsafe_b64encode(_mac(content, secret) + content).decode()


def unseal(text: str, page: str, secret: str) -> Flash | None:
    """Return what a page is to say; nothing if the cookie is not of this browser, or is for another page."""
    try:
        whole = base64.urlsafe_b64decode(text.encode("ascii"))
    except (binascii.Error, ValueError):
        return None
    mac, content = whole[:_MAC], whole[_MAC:]
    if not hmac.compare_digest(mac, _mac(content, secret)):
        return None
    wanted, marked, values, said, failed, link = orjson.loads(content)
    if wanted != page:
        return None
    return Flash(
        text=marked, values=values, said=said, failed=failed, link=None if link is None else (link[0], link[1])
    )


def _mac(content: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"wharfinger flash\0" + content, "sha256")[:_MAC]
