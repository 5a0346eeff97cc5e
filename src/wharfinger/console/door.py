# SPDX-License-Identifier: Apache-2.0
"""The door of the console: from a request to the page of its route, and from an error to a page that helps."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope

from wharfinger.clock import Clock
from wharfinger.console import errors, languages
from wharfinger.console.addresses import FALLBACK, Address, address_of, came_through_proxy
from wharfinger.console.assets import Assets
from wharfinger.console.calls import Call, View, link, read_query
from wharfinger.console.rendering import Renderer
from wharfinger.console.routes import ROUTES, match
from wharfinger.domain.access import Access, Mode
from wharfinger.domain.errors import Unauthenticated, WharfingerError
from wharfinger.domain.names import RepositoryName, parse_repository_name
from wharfinger.services import Services
from wharfinger.web.authentication import Entrance
from wharfinger.web.requests import Visit, is_loopback

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
}
"""On every page. `nosniff` comes from the edge; transport security is the operator's word, for it binds every port."""
_YEAR: Final = 365 * 24 * 3600


class Console:
    """The door of the console.

    Args:
        services: the use cases.
        entrance: recognises visitors; nothing where nobody is asked who they are.
        host: the URL under which clients reach the registry, as `http.host` says; nothing to take the request's.
        prefix: the path under which the whole site lies, as `http.prefix` says, without a slash at its end.
        clock: tells how long ago things happened.
    """

    def __init__(
        self,
        services: Services,
        *,
        entrance: Entrance | None = None,
        host: str | None,
        prefix: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._services = services
        self._entrance = entrance
        self._host = host
        self._prefix = prefix
        self._clock = clock or Clock()
        self._assets = Assets(prefix)
        self._renderer = Renderer(languages.load(), self._assets, prefix)

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:  # noqa: ARG002 - the door's interface
        """Answer a request for a page, or for what pages link to."""
        path = visit.path
        asset = self._assets.find(scope["method"], path)
        return asset or await self._answer(scope, visit, path)

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:
        """Return the page for an error, in the visitor's language if the request could be read."""
        view = errors.view_of(error, None if visit is None else visit.request_id)
        answer = self._respond(view, visit, {})
        answer.headers.update(errors.headers_of(error))
        return answer

    def failure(self, request_id: str) -> Response:
        """Return the page when something failed that nobody expected."""
        return self._respond(errors.view_of_failure(request_id), None, {})

    async def _answer(self, scope: Scope, visit: Visit, path: str) -> Response:
        """Match, parse, decide, show: in this order, so that nothing is looked up for who may not see it."""
        route, text = match(ROUTES, scope["method"], path)
        visit.route = route.path
        name = RepositoryName("") if text is None else parse_repository_name(unquote(text))
        query = read_query(scope["query_string"])
        access = Access(route.action, name or None)
        registry = self._services.registries.on_host(visit.header(b"host") or "")
        try:
            if self._entrance is not None:
                visit.principal = await self._entrance.recognise(visit)
            await self._services.authorization.require(visit.principal, registry, access)
        except Unauthenticated as error:
            if visit.header(b"authorization") is None and await self._services.authorization.mode() is Mode.TOKEN:
                answer = self._tokens_only(visit, path, query)
            else:
                answer = self.refusal(error, visit)
            answer.headers.update({} if self._entrance is None else self._entrance.challenge(visit, access, error))
            return answer
        if query.get(languages.COOKIE) in languages.CODES:
            return self._switch_language(visit, path, query)
        call = Call(
            services=self._services,
            registry=registry,
            sight=await self._services.authorization.sight(visit.principal, to_list=True),
            name=name,
            query=query,
            address=address_of(visit, self._host),
            now=self._clock.now(),
        )
        return self._respond(await route.page(call), visit, query, await self._services.authorization.mode())

    def _tokens_only(self, visit: Visit, path: str, query: Mapping[str, str]) -> Response:
        """Say that nobody can sign in here in a browser, in the language that the visitor chooses."""
        if query.get(languages.COOKIE) in languages.CODES:
            return self._switch_language(visit, path, query)
        return self._respond(errors.view_of_tokens_only(visit.request_id), visit, {})

    def _switch_language(self, visit: Visit, path: str, query: Mapping[str, str]) -> Response:
        """Remember the language and lead back to the same page; its path was matched, so it is one of ours."""
        rest = link(query, lang=None)
        answer = Response(status_code=303, headers={**HEADERS, "Location": self._prefix + path + rest.rstrip("?")})
        answer.set_cookie(
            languages.COOKIE,
            query[languages.COOKIE],
            max_age=_YEAR,
            path=f"{self._prefix}/",
            secure=visit.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer

    def _respond(self, view: View, visit: Visit | None, query: Mapping[str, str], mode: Mode | None = None) -> Response:
        code = languages.CODES[0]
        address = Address(FALLBACK, encrypted=False)
        if visit is not None:
            code = languages.choose(visit.header(b"cookie"), visit.header(b"accept-language"))
            address = address_of(visit, self._host)
        shared = {
            "address": address,
            "now": self._clock.now(),
            "notice": None if visit is None or mode is not Mode.OPEN else _notice(visit),
            "query": query,
        }
        html = self._renderer.render(code, view, shared)
        return HTMLResponse(html, view.status, {**HEADERS, "Content-Language": code})


def _notice(visit: Visit) -> str | None:
    """Say why a visitor must know that the registry is open, if there is a reason."""
    if came_through_proxy(visit):
        return "proxy"
    return None if is_loopback(visit.client) else "network"
