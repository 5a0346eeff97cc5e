# SPDX-License-Identifier: Apache-2.0
"""The door of the console: from a request to the page of its route, and from an error to a page that helps."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Receive, Scope

from wharfinger.clock import Clock
from wharfinger.console import chrome, errors, flashes, languages, session
from wharfinger.console.addresses import FALLBACK, Address, address_of, address_on, parts_of, site_of
from wharfinger.console.assets import Assets
from wharfinger.console.calls import Call, Download, Leave, View
from wharfinger.console.chrome import Scene
from wharfinger.console.forms import Form, link, read_form, read_query
from wharfinger.console.pages.passwords import PATH as PASSWORD
from wharfinger.console.pages.sign_in import link_to
from wharfinger.console.rendering import Renderer
from wharfinger.console.routes import TABLE
from wharfinger.console.routing import Route
from wharfinger.domain.access import Access, Action, Mode
from wharfinger.domain.errors import (
    Denied,
    EndpointUnknown,
    ManifestTooLarge,
    NameUnknown,
    QueryInvalid,
    RegistryUnknown,
    Unauthenticated,
    WharfingerError,
)
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.names import DEFAULT_REGISTRY
from wharfinger.domain.sentences import Sentence
from wharfinger.services import Services
from wharfinger.services.repositories import name_unknown
from wharfinger.services.sessions import principal_of
from wharfinger.web.access import check_parameters, require, tell_of_refusal
from wharfinger.web.authentication import Entrance, require_private
from wharfinger.web.bodies import Body, ClientGone, ClientStalled
from wharfinger.web.requests import Visit

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
_FACTORS: Final = "/profile/second-factor"
_WITHOUT_FACTOR: Final = (_FACTORS, "/sign-")
"""Pages for who has no second factor yet where everybody needs one."""
_WITHOUT_PASSWORD: Final = (PASSWORD, "/sign-")
"""Pages for who is to choose a password first."""
_YEAR: Final = 365 * 24 * 3600


@functools.cache
def _look(prefix: str) -> tuple[Assets, Renderer]:
    """Return how pages look: made once for each process, because reading texts and templates takes long."""
    assets = Assets(prefix)
    return assets, Renderer(languages.load(), assets, prefix)


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
        self._assets, self._renderer = _look(prefix)

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        """Answer a request for a page, or for what pages link to."""
        asset = self._assets.find(scope["method"], visit.path, visit.header(b"accept-encoding") or "")
        if asset is not None:
            return asset
        mode = await self._services.authorization.mode()
        guest = await session.recognise(self._services, visit, mode)
        visit.principal = ANONYMOUS if guest.session is None else principal_of(guest.session)
        registry = await self._services.registries.on_host(visit.header(b"host") or "", visit.client)
        host = self._host if registry.name == DEFAULT_REGISTRY else None  # it names where `default` is
        address = address_of(visit, host)
        scene = Scene(visit=visit, method=scope["method"], mode=mode, guest=guest, registry=registry, address=address)
        try:
            return await self._answer(scope, receive, scene)
        except WharfingerError as error:
            if isinstance(error, Denied) and scene.method not in {"GET", "HEAD"}:
                await tell_of_refusal(self._services, visit, f"{scene.method} {visit.path}", error)
            return await self._trouble(error, scene)

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:
        """Return the page for an error, in the visitor's language if the request could be read."""
        view = errors.view_of(error, None if visit is None else visit.request_id)
        answer = self._respond(view, visit, {})
        answer.headers.update(errors.headers_of(error))
        return answer

    def failure(self, request_id: str) -> Response:
        """Return the page when something failed that nobody expected."""
        return self._respond(errors.view_of_failure(request_id), None, {})

    async def _answer(self, scope: Scope, receive: Receive, scene: Scene) -> Response:
        """Match, parse, recognise, decide, read, act: in this order, so that nothing is done for who may not."""
        visit = scene.visit
        matched = TABLE.match(scene.method, visit.path)
        route, scene.here = matched.route, matched.here
        visit.route = route.path
        if route.is_about_accounts:
            if scene.mode is not Mode.ACCOUNTS:
                message = Sentence("There is no page at this address.")
                raise EndpointUnknown(message)
            require_private(visit)
        check_parameters(matched.parameters)
        scene.query = read_query(scope["query_string"])
        if scene.mode is not Mode.ACCOUNTS and self._entrance is not None:
            visit.principal = await self._entrance.recognise(visit, scene.registry)
        if (first := self._comes_first(route, scene)) is not None:
            return self._leave(Leave(to=first), scene)
        call = self._call(scene, matched.parameters)
        call = await self._entering(matched.registry, call, scene)
        if (closed := await self._require(route, call, scene)) is not None:
            return closed
        if route.method == "POST":
            form = await self._form(receive, visit, route.longest_form)
            session.require_own_form(visit, scene.guest, form, self._host)
            call = replace(call, form=form)
        elif (chosen := self._choose(scene)) is not None:
            return chosen
        done = await route.page(call)
        match done:
            case Leave():
                return self._leave(done, scene)
            case Download():
                named = {"Content-Disposition": f'attachment; filename="{done.name}"'}
                return StreamingResponse(done.pieces, headers={**HEADERS, **named}, media_type=done.media_type)
            case _:
                return await self._show(done, scene)

    def _comes_first(self, route: Route, scene: Scene) -> str | None:
        """Return the page that whoever looks has to go to before this one, if there is such a page."""
        if session.must_change_password(scene.guest):
            return None if route.path.startswith(_WITHOUT_PASSWORD) else PASSWORD
        if session.lacks_factor(self._services, scene.guest):
            return None if route.path.startswith(_WITHOUT_FACTOR) else _FACTORS
        return None

    def _call(self, scene: Scene, parameters: Mapping[str, str]) -> Call:
        return Call(
            services=self._services,
            registry=scene.registry,
            mode=scene.mode,
            guest=scene.guest,
            by=scene.visit.actor(),
            parameters=parameters,
            query=scene.query,
            address=scene.address,
            site=f"{site_of(scene.visit, self._host)}{self._prefix}",
            here=scene.here,
            journey=session.read(scene.visit, session.JOURNEY),
            from_elsewhere=session.comes_from_elsewhere(scene.visit),
            now=self._clock.now(),
        )

    async def _entering(self, registry: str | None, call: Call, scene: Scene) -> Call:
        """Return the call in the registry that its path names; the host's own needs no name.

        Raises:
            EndpointUnknown: there is none of that name.
        """
        name = registry or call.parameters.get("registry")
        if name is None:
            return call
        try:
            scene.registry = await self._services.registries.named(name)
        except RegistryUnknown as error:
            message = Sentence("There is no page at this address.")
            raise EndpointUnknown(message) from error
        if registry is not None and scene.registry.id != call.registry.id:
            scene.address = await self._address_of(scene)
        return replace(call, registry=scene.registry, address=scene.address)

    def _programs(self, scene: Scene) -> str:
        """Return what paths of the protocol and of the API begin with: for a registry of another host, that host."""
        if not scene.here or not scene.address.answers:
            return self._prefix
        return f"{'https' if scene.address.encrypted else 'http'}://{scene.address.authority}{self._prefix}"

    async def _address_of(self, scene: Scene) -> Address:
        """Return where clients find a registry other than the host's own."""
        if scene.registry.name == DEFAULT_REGISTRY and self._host is not None:
            return address_of(scene.visit, self._host)
        row = await self._services.registry_switches.of(scene.registry)
        hosts = row.endpoints.open(self._services.registries.domains)
        return address_on(scene.address, hosts, scene.registry.name)

    async def _require(self, route: Route, call: Call, scene: Scene) -> Response | None:
        """Return nothing if the visitor may have the page, or else the answer for who may not: it is not there.

        A member whose organization demands single sign-on is told so; that depends on the name's first part alone.
        """
        try:
            await require(route.need, call)
        except (Unauthenticated, Denied, NameUnknown) as error:
            name = call.name
            is_hidden = bool(name) and scene.mode is Mode.ACCOUNTS and not await call.may(Action.PULL)
            if not is_hidden:
                raise
            access = Access(Action.PULL, name)
            standing = await self._services.authorization.standing(call.principal, call.registry, access)
            if not standing.is_withheld:
                raise name_unknown(name) from error
            view = errors.view_of_sign_on_needed(standing.demanded_by or "", scene.visit.request_id)
            return await self._show(view, scene)
        return None

    async def _trouble(self, error: WharfingerError, scene: Scene) -> Response:
        """Return the page for an error, or lead to the page to sign in at."""
        visit = scene.visit
        if not isinstance(error, Unauthenticated):
            answer = await self._show(errors.view_of(error, visit.request_id), scene)
            answer.headers.update(errors.headers_of(error))
            return answer
        if scene.mode is Mode.ACCOUNTS and not scene.is_signed_in:
            return self._leave(Leave(to=link_to(self._way_back(scene))), scene)
        if visit.header(b"authorization") is None and scene.mode is Mode.TOKEN:
            answer = self._choose(scene) or await self._show(errors.view_of_tokens_only(visit.request_id), scene)
        else:
            answer = await self._show(errors.view_of(error, visit.request_id), scene)
        if self._entrance is not None:  # the browser asks for a password, where it is the browser that does
            answer.headers.update(self._entrance.challenge(visit, Access(Action.VISIT), error))
        return answer

    async def _form(self, receive: Receive, visit: Visit, most: int) -> Form:
        """Return the fields of a form.

        Raises:
            QueryInvalid: it cannot be read, or does not come.
        """
        try:
            return read_form(await Body(receive, self._body_deadline, visit).whole(most))
        except ManifestTooLarge as error:
            message = Sentence("The form has more than %(most)s bytes, which is the limit.", most=most)
            raise QueryInvalid(message) from error
        except (ClientGone, ClientStalled) as error:
            message = Sentence("The form did not arrive whole.")
            raise QueryInvalid(message) from error

    def _leave(self, leave: Leave, scene: Scene) -> Response:
        """Send the browser where it is to go, and have it keep what it is to keep."""
        visit = scene.visit
        to = self._prefix + leave.to if leave.to.startswith("/") else leave.to
        answer = Response(status_code=303, headers={**HEADERS, "Location": to})
        if leave.session is not None:
            session.keep(answer, visit, session.SESSION, leave.session)
            session.forget(answer, visit, session.VISITOR)
        if leave.journey is not None:
            session.keep(answer, visit, session.JOURNEY, leave.journey)
        secret = leave.session or scene.guest.secret
        if leave.signs_out:
            session.forget(answer, visit, session.SESSION)
            if leave.flash is not None:  # who has no session any more reads it as a visitor
                secret = session.make_secret()
                session.keep(answer, visit, session.VISITOR, secret)
        if leave.arrives:
            session.forget(answer, visit, session.JOURNEY)
        if leave.flash is not None:
            session.keep(
                answer,
                visit,
                session.FLASH,
                flashes.seal(self._said(leave.flash, scene), urlsplit(leave.to).path, secret),
            )
        return answer

    def _said(self, flash: flashes.Flash, scene: Scene) -> flashes.Flash:
        """Return a flash whose own words are in the visitor's language already: it travels as text."""
        preferred = None if scene.guest.session is None else scene.guest.session.language
        code = _language(scene.visit, preferred)
        values = {
            name: self._renderer.count(code, value) if isinstance(value, languages.Several) else value
            for name, value in flash.values.items()
        }
        said = self._renderer.say(code, flash.said) if isinstance(flash.said, Sentence) else flash.said
        return replace(flash, values=values, said=said)

    def _choose(self, scene: Scene) -> Response | None:
        """Remember the language or theme that the address chooses, and lead back to the page; its path is ours."""
        for name, known in ((languages.COOKIE, (*languages.CODES, languages.FORGET)), (chrome.THEME, chrome.THEMES)):
            value = scene.query.get(name)
            if value is None or value not in known:
                continue
            rest = link({key: text for key, text in scene.query.items() if key != name})
            location = self._prefix + scene.visit.path.partition("?")[0] + rest.rstrip("?")
            answer = Response(status_code=303, headers={**HEADERS, "Location": location})
            answer.set_cookie(
                name,
                value,
                max_age=0 if value == languages.FORGET else _YEAR,
                path=f"{self._prefix}/",
                secure=scene.visit.scheme == "https",
                httponly=True,
                samesite="lax",
            )
            return answer
        return None

    async def _show(self, view: View, scene: Scene) -> Response:
        """Return a page with all that is around it."""
        visit, guest = scene.visit, scene.guest
        path = visit.path.partition("?")[0]
        sealed = session.read(visit, session.FLASH)
        flash = None if sealed is None else flashes.unseal(sealed, path, guest.secret)
        shows = scene.is_signed_in or scene.mode is not Mode.ACCOUNTS
        several = await self._services.registries.all() if shows else ()
        may_sign_in = scene.mode is Mode.ACCOUNTS and not scene.is_signed_in
        around = {
            "accounts": scene.mode is Mode.ACCOUNTS,
            "address": scene.address,
            "flash": flash,
            "form_token": guest.form_token,
            "here": scene.here,
            "programs": self._programs(scene),
            "links": await chrome.links(self._services, scene),
            "notice": chrome.notice(scene),
            "page": "" if scene.method in {"GET", "HEAD"} else f"{self._prefix}/",
            "person": None if guest.session is None else guest.session.name,
            "personal_links": chrome.personal_links(scene),
            "query": scene.query,
            "registries": several if len(several) > 1 else (),
            "registry": scene.registry,
            "sign_in": link_to(self._way_back(scene)) if may_sign_in else None,
            "path": path,
        }
        preferred = None if guest.session is None else guest.session.language
        answer = self._respond(view, visit, around, preferred)
        if guest.is_new and guest.form_token.encode() in answer.body:
            session.keep(answer, visit, session.VISITOR, guest.secret)
        if flash is not None:
            session.forget(answer, visit, session.FLASH)
        return answer

    def _way_back(self, scene: Scene) -> str:
        """Return the page to come back to after signing in: this one, or the one whose form was sent."""
        path = scene.visit.path
        if scene.method not in {"GET", "HEAD"}:
            path = parts_of(scene.visit.header(b"referer") or "").path.removeprefix(self._prefix)
        return "/" if path.startswith("/sign-") else session.within_site(path)

    def _respond(
        self, view: View, visit: Visit | None, around: Mapping[str, object], preferred: str | None = None
    ) -> HTMLResponse:
        code, theme = languages.CODES[0], "system"
        address = Address(FALLBACK, encrypted=False)
        if visit is not None:
            code = _language(visit, preferred)
            theme = languages.cookie_of(visit.header(b"cookie") or "", chrome.THEME)
            address = address_of(visit, self._host)
        shared = {
            **_NOTHING_AROUND,
            "address": address,
            "now": self._clock.now(),
            "theme": theme if theme in chrome.THEMES else "system",
            "themes": chrome.THEMES,
            "has_page": TABLE.has,
            **around,
        }
        html = self._renderer.render(code, view, shared)
        return HTMLResponse(html, view.status, {**HEADERS, "Content-Language": code})


_NOTHING_AROUND: Final[Mapping[str, object]] = {
    "accounts": False,
    "flash": None,
    "form_token": "",
    "here": "",
    "programs": "",
    "links": (),
    "notice": None,
    "page": "/",
    "path": "/",
    "person": None,
    "personal_links": (),
    "query": {},
    "registries": (),
    "registry": None,
    "sign_in": None,
}
"""Of a request that could not be read."""


def _language(visit: Visit, preferred: str | None) -> str:
    return languages.choose(visit.header(b"cookie"), visit.header(b"accept-language"), preferred)
