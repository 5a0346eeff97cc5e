# SPDX-License-Identifier: Apache-2.0
"""Browsers of people at a registry without a socket: each keeps its cookies, and sends forms as a browser does."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

from wharfinger.domain.accounts import AccountName
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.security.passwords import Passwords

HORSE = "correct horse battery"
PASSWORDS = Passwords(memory=64)


def services_of(site):
    return site.edge._doors[0][1]._services


async def user(site, name, password=HORSE, **profile):
    """Make a user; the first one ends open mode."""
    hashed = None if password is None else PASSWORDS.hash_password(password)
    return await services_of(site).accounts.create_user(
        AccountName(name), SYSTEM_ACTOR, password_hash=hashed, **profile
    )


class Browser:
    """A browser at a site.

    Args:
        site: where it goes.
        scheme: how it speaks to it; a proxy on loopback speaks TLS for it.
    """

    def __init__(self, site, scheme="http"):
        self.site = site
        self.scheme = scheme
        self.cookies = {}

    async def get(self, path, **options):
        return await self._ask(path, "GET", {"Sec-Fetch-Site": "none"}, options)

    async def post(self, path, fields, **options):
        """Send fields as a page of the site does."""
        return await self._ask(path, "POST", {"Sec-Fetch-Site": "same-origin"}, {"data": fields, **options})

    async def fill(self, path, action, /, **fields):
        """Open a page and send the form of it that has this action, with some fields filled in."""
        page = await self.get(path)
        return await self.post(action, {**form_of(page.text, action), **fields})

    async def sign_in(self, name="ann", password=HORSE, to=None):
        path = "/sign-in" if to is None else f"/sign-in?to={to}"
        return await self.fill(path, "/sign-in", name=name, password=password)

    async def _ask(self, path, method, headers, options):
        if self.scheme == "https":
            headers["X-Forwarded-Proto"] = "https"
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers |= options.pop("headers", {})
        answer = await self.site.ask(path, method, headers=headers, **options)
        for text in answer.headers.get_list("set-cookie"):
            name, _, value = text.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
            if "max-age=0" in text.lower():
                del self.cookies[name]
        return answer


def form_of(html, action):
    """Return the hidden fields of the form with this action."""
    (found,) = re.findall(rf'<form method="post" action="{re.escape(action)}".*?</form>', html, re.DOTALL)[:1]
    return {
        name: unescape(value) for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found)
    }


def query_of(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
