# SPDX-License-Identifier: Apache-2.0
"""URLs and their paths, as the settings hold them."""

import re
from urllib.parse import urlsplit

from wharfinger.settings.values import Unfit, quoted


def parse_web_address(text: str) -> str:
    """Return an `http` or `https` URL; credentials have no place in one, since it is shown."""
    try:
        url = urlsplit(text)
        sound = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
        url = urlsplit("")
    if not sound or not text.isprintable() or " " in text:
        message = "this is not a URL; give for example https://registry.example.com"
        raise Unfit(message)
    if url.username is not None:
        message = "the URL holds a user name; leave it out"
        raise Unfit(message)
    return text


def parse_url_path(text: str) -> str:
    """Return the path of a URL, with nothing in it that would need to be escaped in a header."""
    if re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", text):
        return text
    message = f"{quoted(text)} is not a path; give one that begins with a slash, for example /auth/token"
    raise Unfit(message)


def parse_prefix(text: str) -> str:
    """Return the path under which everything is served."""
    if re.fullmatch(r"/|(?:/[A-Za-z0-9._~-]+)+/", text):
        return text
    message = f"{quoted(text)} is not a prefix; give a path that begins and ends with a slash, for example /registry/"
    raise Unfit(message)
