# SPDX-License-Identifier: Apache-2.0
"""Probes for machines: `/livez` (the process answers), `/readyz` (the stores do), `/metrics`.

Metrics are for an operator: on a listener of their own where `http.debug.addr` names one, otherwise only for callers
on this machine.
"""

import asyncio

import orjson
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope

from wharfinger.domain.errors import EndpointUnknown, WharfingerError
from wharfinger.services.health import Health
from wharfinger.telemetry import REQUEST_COUNTS, metrics
from wharfinger.web.requests import Visit, is_loopback

PATHS = ("/livez", "/readyz", "/metrics", "/debug/health")


class Probes:
    """The door of the probes.

    Args:
        health: what readiness asks.
        open_metrics: whether metrics are for everybody who reaches this listener.
        metrics_path: where they are.
    """

    def __init__(self, health: Health, *, open_metrics: bool, metrics_path: str = "/metrics") -> None:
        self._health = health
        self._open_metrics = open_metrics
        self._metrics_path = metrics_path

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:  # noqa: ARG002 - the door's interface
        """Answer a probe."""
        path: str = scope["path"]
        visit.route = path if path in {*PATHS, self._metrics_path} else "-"
        if visit.route != "-" and scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("This path takes GET and HEAD.\n", status_code=405, headers={"Allow": "GET, HEAD"})
        return await self._answer(path, visit)

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:  # noqa: ARG002 - as above
        """Return the answer to a request that cannot be read, or that leads nowhere."""
        return PlainTextResponse(error.message + "\n", status_code=404 if isinstance(error, EndpointUnknown) else 400)

    def failure(self, request_id: str) -> Response:
        """Return the answer when something failed that nobody expected."""
        return PlainTextResponse(f"failed; the log says more under {request_id}\n", status_code=500)

    async def _answer(self, path: str, visit: Visit) -> Response:
        if path == self._metrics_path and (self._open_metrics or _is_local(visit.client)):
            REQUEST_COUNTS.flush()
            return Response(await asyncio.to_thread(metrics), media_type="text/plain; version=0.0.4; charset=utf-8")
        match path:
            case "/livez":
                return PlainTextResponse("alive\n")
            case "/readyz" | "/debug/health":
                problems = await self._health.problems()
                body = orjson.dumps({"ready": not problems, "problems": problems})
                return Response(body, status_code=503 if problems else 200, media_type="application/json")
            case _:
                return PlainTextResponse("Not found. Metrics are shown on this machine only.\n", status_code=404)


def _is_local(client: str) -> bool:
    return client == "-" or is_loopback(client)
