# SPDX-License-Identifier: Apache-2.0
"""Token exchange (RFC 8693): a workload's identity token in, something of this registry's out.

```text
with scopes      a registry token for what they name, as far as the workload may; at most five minutes
without          a credential: the password of `docker login`, or a Bearer token; it may outlive the identity token
```

Errors are those of OAuth 2.0 (RFC 6749, section 5.2), because its clients read them.
"""

from typing import Final

import orjson
from starlette.responses import Response

from wharfinger import telemetry
from wharfinger.distribution_api.forms import Fields, common
from wharfinger.domain.errors import CredentialInvalid, QueryInvalid, Unavailable
from wharfinger.domain.scopes import parse_scopes
from wharfinger.services.registries import Registry
from wharfinger.services.sign_in import AccountIdentity
from wharfinger.services.tokens import Tokens, service_of
from wharfinger.web.requests import Visit

__all__ = ["GRANT", "answer"]

_log = telemetry.logger("exchange")
GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name, not a secret
_REQUEST: Final = "invalid_request"
_TARGET: Final = "invalid_target"
_SUBJECT_TYPES: Final = (
    "urn:ietf:params:oauth:token-type:id_token",
    "urn:ietf:params:oauth:token-type:jwt",
)


class _Refused(Exception):
    """A request that gets an error of OAuth: its code, and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


async def answer(form: Fields, visit: Visit, registry: Registry, identity: AccountIdentity, tokens: Tokens) -> Response:
    """Answer a request to exchange an identity token.

    Args:
        form: what was sent.
        visit: the request.
        registry: which one is asked.
        identity: recognises workloads.
        tokens: gives what is asked for.
    """
    try:
        return await _exchange(form, visit, registry, identity, tokens)
    except _Refused as error:
        return _error(400, error.code, str(error))
    except QueryInvalid as error:
        return _error(400, "invalid_scope" if form.every("scope") else _REQUEST, error.message)
    except CredentialInvalid:
        sentence = (
            "The subject token is wrong, has ended, or no trust rule of this registry lets it in; the registry's log "
            "says why, and `wharfinger trust test` explains it."
        )
        return _error(400, _REQUEST, sentence)  # so says RFC 8693, section 2.2.2
    except Unavailable as error:
        return _error(503, "temporarily_unavailable", error.message, {"Retry-After": str(error.retry_after)})


async def _exchange(
    form: Fields, visit: Visit, registry: Registry, identity: AccountIdentity, tokens: Tokens
) -> Response:
    subject = _read_subject(form, registry)
    wanted = parse_scopes(form.every("scope"))
    visit.principal = principal = await identity.recognise_workload(subject, registry)
    asked = any(scope.strip() for scope in form.every("scope"))
    if asked:
        issued = await tokens.issue(principal, registry, wanted, "exchange", visit.actor)
    else:
        issued = await tokens.issue_credential(principal, registry)
    _log.info("an identity token was exchanged", principal=principal.name, credential=not asked)
    content = {**common(issued), "issued_token_type": _ACCESS_TOKEN, "token_type": "Bearer"}
    if asked:
        content["scope"] = " ".join(str(one) for one in issued.granted if one.actions)
    return Response(orjson.dumps(content), media_type="application/json", headers={"Pragma": "no-cache"})


def _read_subject(form: Fields, registry: Registry) -> str:
    """Return the token that is to be exchanged, if all else is as this registry can do it."""
    subject = form.one("subject_token")
    if not subject:
        raise _Refused(_REQUEST, "`subject_token` is missing: the identity token of the workload.")
    if form.one("subject_token_type") not in _SUBJECT_TYPES:
        raise _Refused(_REQUEST, f"`subject_token_type` must be {' or '.join(_SUBJECT_TYPES)}.")
    if form.one("requested_token_type") not in {None, "", _ACCESS_TOKEN}:
        raise _Refused(_REQUEST, f"`requested_token_type` must be {_ACCESS_TOKEN}, or be left out.")
    if form.one("actor_token"):
        raise _Refused(_REQUEST, "Nobody acts for another here; leave out `actor_token`.")
    ours = service_of(registry.name)
    for name in ("audience", "service"):
        if any(value and value != ours for value in form.every(name)):
            raise _Refused(_TARGET, f"`{name}` must be {ours}, or be left out.")
    if form.one("resource"):
        raise _Refused(_TARGET, f"Name this registry by `audience`, as {ours}, or not at all.")
    return subject


def _error(status: int, code: str, sentence: str, headers: dict[str, str] | None = None) -> Response:
    content = {"error": code, "error_description": sentence}
    return Response(orjson.dumps(content), status, headers, "application/json")
