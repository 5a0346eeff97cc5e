# SPDX-License-Identifier: Apache-2.0
"""The token endpoint: a credential and a list of wishes in, a registry token out.

`GET` as distribution's token specification has it (Basic, `scope`, `offline_token`), `POST` as its OAuth 2 variant
(`grant_type=password` or `refresh_token`, a form), and as a token exchange for workloads (see `exchange`). Whoever asks
for more than it may gets a token for less: the refusal comes with the request that needs it, where it can say what is
missing.
"""

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope

from wharfinger.distribution_api import errors, exchange
from wharfinger.distribution_api.forms import Fields, common
from wharfinger.domain.access import Mode
from wharfinger.domain.errors import (
    CredentialInvalid,
    EndpointUnknown,
    ManifestTooLarge,
    MethodUnsupported,
    QueryInvalid,
    Unauthenticated,
    WharfingerError,
)
from wharfinger.domain.identity import Actor
from wharfinger.domain.scopes import parse_scopes
from wharfinger.domain.sentences import Sentence
from wharfinger.services import Services
from wharfinger.services.identity import Password
from wharfinger.services.registries import Registry
from wharfinger.services.sign_in import AccountIdentity
from wharfinger.services.tokens import service_of
from wharfinger.web.authentication import read_authorization, require_private
from wharfinger.web.bodies import Body, ClientGone, ClientStalled
from wharfinger.web.requests import Visit
from wharfinger.web.routing import Limits

PATH: Final = "/token"
KEYS_PATH: Final = "/.well-known/jwks.json"
"""The keys that verify tokens, for everybody to read."""
_MAX_FORM: Final = 16 * 1024
_MAX_FIELDS: Final = 100
_CHALLENGE: Final = 'Basic realm="Wharfinger", charset="UTF-8"'


class TokenEndpoint:
    """The door of `/token`, and of the keys that verify what it gives.

    Args:
        services: the use cases.
        identity: recognises accounts.
        limits: what one request may take.
    """

    def __init__(self, services: Services, identity: AccountIdentity, limits: Limits) -> None:
        self._services = services
        self._identity = identity
        self._tokens = services.tokens
        self._limits = limits

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        """Answer a request for a token."""
        visit.route = PATH
        body = Body(receive, self._limits.body_deadline, visit)
        try:
            answer = await self._answer(scope, visit, body)
        except Unauthenticated as error:
            answer = errors.respond(error, {"WWW-Authenticate": _CHALLENGE})
        except WharfingerError as error:
            answer = errors.respond(error)
        except ClientStalled:
            answer = errors.stalled()
        except ClientGone:
            answer = errors.broken_off()
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:  # noqa: ARG002 - the door's interface
        """Return the answer to a request that cannot be read."""
        return errors.respond(error)

    def failure(self, request_id: str) -> Response:
        """Return the answer when something failed that nobody expected."""
        return errors.failure(request_id)

    async def _answer(self, scope: Scope, visit: Visit, body: Body) -> Response:
        if await self._services.authorization.mode() is Mode.OPEN:
            message = Sentence("Nobody needs a token here: the registry is open to everybody who reaches it.")
            raise EndpointUnknown(message)
        path = visit.path.partition("?")[0]
        if path == KEYS_PATH and scope["method"] in {"GET", "HEAD"}:
            visit.route = KEYS_PATH
            return Response(orjson.dumps(await self._tokens.jwks()), media_type="application/jwk-set+json")
        if path != PATH:
            message = Sentence("The path is no endpoint; tokens are given at %(path)s.", path=PATH)
            raise EndpointUnknown(message)
        registry = await self._services.registries.on_host(visit.header(b"host") or "", visit.client)
        match scope["method"]:
            case "GET":
                return await self._get(_pairs(scope["query_string"]), visit, registry)
            case "POST":
                return await self._post(_pairs(await _form(body)), visit, registry)
            case method:
                message = Sentence(
                    "%(method)s does not exist here; tokens are asked for with GET or POST.", method=method[:20]
                )
                raise MethodUnsupported(message, ["GET", "POST"])

    async def _get(self, query: Fields, visit: Visit, registry: Registry) -> Response:
        wanted = parse_scopes(query.every("scope"))
        self._check_service(query, registry)
        if b"authorization" in visit.headers or not wanted:
            require_private(visit)
        visit.principal = principal = await self._identity.recognise(
            read_authorization(visit.headers.get(b"authorization")), visit.actor, registry
        )
        if principal.ceiling.entries is not None:
            # It would live on in its successors, and the refresh token that it got would open more than it does.
            message = Sentence(
                "A registry token gets no further token; sign in with a user name and a password or token."
            )
            raise CredentialInvalid(message)
        if principal.is_anonymous and not wanted:
            message = Sentence("Sign in with a user name and a password or token: `docker login` asks for both.")
            raise Unauthenticated(message)
        issued = await self._tokens.issue(principal, registry, wanted, "basic", visit.actor)
        content = {"token": issued.text, **common(issued)}
        # A workload shows its identity again: it has no account to which a refresh token could belong.
        if query.one("offline_token") == "true" and principal.account_id is not None:
            content["refresh_token"] = await self._identity.remember_device(_actor(visit), query.one("client_id"))
        return _json(content)

    async def _post(self, form: Fields, visit: Visit, registry: Registry) -> Response:
        require_private(visit)
        if form.one("grant_type") == exchange.GRANT:
            return await exchange.answer(form, visit, registry, self._identity, self._tokens)
        wanted = parse_scopes(form.every("scope"))
        self._check_service(form, registry)
        match form.one("grant_type"):
            case "password":
                shown = Password(form.one("username") or "", form.one("password") or "")
                principal = await self._identity.recognise(shown, visit.actor, registry)
            case "refresh_token":
                principal = await self._identity.refresh(form.one("refresh_token") or "", visit.actor)
            case _:
                message = Sentence("`grant_type` must be password, refresh_token or %(grant)s.", grant=exchange.GRANT)
                raise QueryInvalid(message)
        visit.principal = principal
        issued = await self._tokens.issue(principal, registry, wanted, "form", visit.actor)
        granted = " ".join(str(one) for one in issued.granted if one.actions)
        content = {**common(issued), "scope": granted}
        if form.one("grant_type") == "refresh_token":
            content["refresh_token"] = form.one("refresh_token")
        elif form.one("access_type") == "offline" and principal.account_id is not None:
            content["refresh_token"] = await self._identity.remember_device(_actor(visit), form.one("client_id"))
        return _json(content)

    def _check_service(self, fields: Fields, registry: Registry) -> None:
        service, ours = fields.one("service"), service_of(registry.name)
        if service and service != ours:
            message = Sentence("`service` must be %(ours)s, as the challenge says.", ours=ours)
            raise QueryInvalid(message)


async def _form(body: Body) -> bytes:
    try:
        return await body.whole(_MAX_FORM)
    except ManifestTooLarge as error:
        message = Sentence("The form has more than %(most)s bytes, which is the limit.", most=_MAX_FORM)
        raise QueryInvalid(message) from error


def _pairs(content: bytes) -> Fields:
    try:
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as error:  # also what is not ASCII, or not UTF-8 once decoded
        message = Sentence("The parameters cannot be read.")
        raise QueryInvalid(message) from error
    return Fields(pairs)


def _actor(visit: Visit) -> Actor:
    return replace(visit.actor(), credential_id=visit.principal.credential_id)


def _json(content: dict[str, object]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
