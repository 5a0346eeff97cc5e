# SPDX-License-Identifier: Apache-2.0
"""The door of the console: from a request to the page of its route, and from an error to a page that helps."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope

from wharfinger.clock import Clock
from wharfinger.console import errors, languages, session
from wharfinger.console.addresses import FALLBACK, Address, address_of, came_through_proxy, site_of
from wharfinger.console.assets import Assets
from wharfinger.console.calls import Call, Desk, Leave, View, link, read_query
from wharfinger.console.pages.sign_in import link_to
from wharfinger.console.rendering import Renderer
from wharfinger.console.routes import ENTRIES, ROUTES, is_entry, match
from wharfinger.console.session import Guest
from wharfinger.domain.access import Access, Mode
from wharfinger.domain.errors import Denied, ManifestTooLarge, QueryInvalid, Unauthenticated, WharfingerError
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.names import RepositoryName, parse_repository_name
from wharfinger.services import Services
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown
from wharfinger.services.sessions import principal_of
from wharfinger.web.authentication import Entrance, require_private
from wharfinger.web.bodies import Body, ClientGone, ClientStalled
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
_MAX_FORM: Final = 16 * 1024


class Console:
    """The door of the console.

    Args:
        services: the use cases.
        entrance: recognises visitors; nothing where nobody is asked who they are.
        host: the URL under which clients reach the registry, as `http.host` says; nothing to take the request's.
        prefix: the path under which the whole site lies, as `http.prefix` says, without a slash at its end.
        body_deadline: seconds in which a form must arrive.
        clock: tells how long ago things happened.
    """

    def __init__(
        self,
        services: Services,
        *,
        entrance: Entrance | None = None,
        host: str | None,
        prefix: str = "",
        body_deadline: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._services = services
        self._entrance = entrance
        self._host = host
        self._prefix = prefix
        self._body_deadline = body_deadline
        self._clock = clock or Clock()
        self._assets = Assets(prefix)
        self._renderer = Renderer(languages.load(), self._assets, prefix)

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        """Answer a request for a page, or for what pages link to."""
        path = visit.path
        asset = self._assets.find(scope["method"], path)
        if asset is not None:
            return asset
        guest = None
        if await self._services.authorization.mode() is Mode.ACCOUNTS:
            guest = await session.recognise(self._services, visit)
            visit.principal = ANONYMOUS if guest.session is None else principal_of(guest.session)
            if is_entry(path):
                return await self._at_desk(scope, receive, visit, guest)
        return await self._answer(scope, visit, path, guest)

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:
        """Return the page for an error, in the visitor's language if the request could be read."""
        view = errors.view_of(error, None if visit is None else visit.request_id)
        answer = self._respond(view, visit, {})
        answer.headers.update(errors.headers_of(error))
        return answer

    def failure(self, request_id: str) -> Response:
        """Return the page when something failed that nobody expected."""
        return self._respond(errors.view_of_failure(request_id), None, {})

    async def _answer(self, scope: Scope, visit: Visit, path: str, guest: Guest | None) -> Response:
        """Match, parse, decide, show: in this order, so that nothing is looked up for who may not see it."""
        route, text = match(ROUTES, scope["method"], path)
        visit.route = route.path
        name = RepositoryName("") if text is None else parse_repository_name(unquote(text))
        query = read_query(scope["query_string"])
        access = Access(route.action, name or None)
        registry = self._services.registries.on_host(visit.header(b"host") or "")
        try:
            if guest is None and self._entrance is not None:
                visit.principal = await self._entrance.recognise(visit)
            await self._services.authorization.require(visit.principal, registry, access, visit.actor)
        except (Unauthenticated, Denied) as error:
            if guest is not None:
                return await self._closed(error, visit, guest, registry, access)
            if isinstance(error, Denied):
                raise
            return await self._challenged(error, visit, path, query, access)
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
        mode = await self._services.authorization.mode()
        return self._respond(await route.page(call), visit, query, mode, guest)

    async def _challenged(
        self, error: Unauthenticated, visit: Visit, path: str, query: Mapping[str, str], access: Access
    ) -> Response:
        """Ask the browser for a password, where it is the browser that asks for one."""
        if visit.header(b"authorization") is None and await self._services.authorization.mode() is Mode.TOKEN:
            answer = self._tokens_only(visit, path, query)
        else:
            answer = self.refusal(error, visit)
        answer.headers.update({} if self._entrance is None else self._entrance.challenge(visit, access, error))
        return answer

    async def _closed(
        self, error: Unauthenticated | Denied, visit: Visit, guest: Guest, registry: Registry, access: Access
    ) -> Response:
        """Answer who may not see a page: what is private is not there.

        A member whose organization demands single sign-on is told so; that depends on the name's first part alone.
        """
        if access.repository is None:
            if isinstance(error, Unauthenticated):
                return self._leave(Leave(to=link_to(_here(visit))), visit)
            raise error
        standing = await self._services.authorization.standing(visit.principal, registry, access)
        if standing.is_withheld:
            view = errors.view_of_sign_on_needed(standing.demanded_by or "", visit.request_id)
        else:
            view = errors.view_of(name_unknown(access.repository), visit.request_id)
        return self._respond(view, visit, {}, Mode.ACCOUNTS, guest)

    async def _at_desk(self, scope: Scope, receive: Receive, visit: Visit, guest: Guest) -> Response:
        """Answer a request for a page in front of the registry."""
        require_private(visit)
        entry, name = match(ENTRIES, scope["method"], visit.path)
        visit.route = entry.path
        query = read_query(scope["query_string"])
        form: Mapping[str, str] = {}
        if entry.method == "POST":
            form = await self._form(receive, visit)
            session.require_own_form(visit, guest, form, self._host)
        elif query.get(languages.COOKIE) in languages.CODES:
            return self._switch_language(visit, visit.path, query)
        desk = Desk(
            services=self._services,
            guest=guest,
            by=visit.actor(),
            name=name or "",
            query=query,
            form=form,
            site=f"{site_of(visit, self._host)}{self._prefix}",
            journey=session.read(visit, session.JOURNEY),
            from_elsewhere=session.comes_from_elsewhere(visit),
            now=self._clock.now(),
        )
        done = await entry.page(desk)
        if isinstance(done, Leave):
            return self._leave(done, visit)
        answer = self._respond(done, visit, query, Mode.ACCOUNTS, guest)
        if guest.is_new:
            session.keep(answer, visit, session.VISITOR, guest.secret)
        return answer

    async def _form(self, receive: Receive, visit: Visit) -> Mapping[str, str]:
        """Return the fields of a form.

        Raises:
            QueryInvalid: it cannot be read, or does not come.
        """
        try:
            return read_query(await Body(receive, self._body_deadline, visit).whole(_MAX_FORM))
        except ManifestTooLarge as error:
            message = f"The form has more than {_MAX_FORM} bytes, which is the limit."
            raise QueryInvalid(message) from error
        except (ClientGone, ClientStalled) as error:
            message = "The form did not arrive whole."
            raise QueryInvalid(message) from error

    def _leave(self, leave: Leave, visit: Visit) -> Response:
        """Send the browser where it is to go, and have it keep what it is to keep."""
        to = self._prefix + leave.to if leave.to.startswith("/") else leave.to
        answer = Response(status_code=303, headers={**HEADERS, "Location": to})
        if leave.session is not None:
            session.keep(answer, visit, session.SESSION, leave.session)
            session.forget(answer, visit, session.VISITOR)
        if leave.journey is not None:
            session.keep(answer, visit, session.JOURNEY, leave.journey)
        if leave.signs_out:
            session.forget(answer, visit, session.SESSION)
        if leave.arrives:
            session.forget(answer, visit, session.JOURNEY)
        return answer

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

    def _respond(
        self,
        view: View,
        visit: Visit | None,
        query: Mapping[str, str],
        mode: Mode | None = None,
        guest: Guest | None = None,
    ) -> Response:
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
            "person": None if guest is None or guest.session is None else guest.session.name,
            "sign_in": None if guest is None or visit is None else link_to(_here(visit)),
        }
        html = self._renderer.render(code, view, shared)
        return HTMLResponse(html, view.status, {**HEADERS, "Content-Language": code})


def _notice(visit: Visit) -> str | None:
    """Say why a visitor must know that the registry is open, if there is a reason."""
    if came_through_proxy(visit):
        return "proxy"
    return None if is_loopback(visit.client) else "network"


def _here(visit: Visit) -> str:
    """Return the page to come back to after signing in."""
    return "/" if is_entry(visit.path) else session.within_site(visit.path)
