# SPDX-License-Identifier: Apache-2.0
"""The door of the console."""

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from wharfinger.domain.errors import WharfingerError
from wharfinger.services import Services
from wharfinger.web.requests import Visit


class Console:
    """The ASGI application of the console.

    Args:
        services: the use cases.
        host: the URL under which clients reach the registry, as `http.host` says; nothing to take the request's.
    """

    def __init__(self, services: Services, *, host: str | None) -> None:
        self._services = services
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a page."""
        await PlainTextResponse("Not found\n", status_code=404)(scope, receive, send)

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:  # noqa: ARG002 - the door's interface
        """Return the page for a request that cannot be read."""
        return PlainTextResponse(error.message + "\n", status_code=400)

    def failure(self, request_id: str) -> Response:
        """Return the page when something failed that nobody expected."""
        return PlainTextResponse(f"failed; the log says more under {request_id}\n", status_code=500)
