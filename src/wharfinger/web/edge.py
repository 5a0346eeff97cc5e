# SPDX-License-Identifier: Apache-2.0
"""The edge: the first and last code of ours that a request meets.

It gives the request an id, finds out who is at the other end, hands it to the door of its path, puts the headers that
every answer has on the answer, and when that has left, writes the log line and counts. What no door expected ends
here, as a 500 that tells nothing.
"""

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from wharfinger.domain.errors import WharfingerError
from wharfinger.telemetry import BYTES_OUT, REQUESTS, RequestLine, logger
from wharfinger.web.requests import VISIT, Proxies, Visit, read_headers

_log = logger("web")
Header = tuple[bytes, bytes]


class Door(Protocol):
    """A part of the site: an ASGI application that also knows its own format for errors."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        ...

    def refusal(self, error: WharfingerError, visit: Visit | None) -> Response:
        """Return the answer to a request that did not get as far as a handler."""
        ...

    def failure(self, request_id: str) -> Response:
        """Return the answer when something failed that nobody expected."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRules:
    """What the operator set for every request.

    Args:
        proxies: whose forwarding headers count.
        headers: put on every answer.
        prefix: a path under which everything lies, as `http.prefix` says, without a slash at its end.
        is_open: whether anyone who reaches the port may push; then the first forwarded request is worth a warning.
    """

    proxies: Proxies
    headers: Sequence[Header]
    prefix: str = ""
    is_open: bool = False


class Edge:
    """The outermost application.

    Args:
        doors: by path prefix; the first that fits answers, and the last must fit everything.
        rules: the operator's.
        line: writes the log line.
        started: run once the worker's loop is there.
        stopped: run when it drains.
    """

    def __init__(
        self,
        doors: Mapping[str, Door],
        rules: EdgeRules,
        line: RequestLine,
        *,
        started: Callable[[], Awaitable[None]],
        stopped: Callable[[], Awaitable[None]],
    ) -> None:
        self._doors = tuple(doors.items())
        self._rules = rules
        self._line = line
        self._started = started
        self._stopped = stopped
        self._ids = _ids()
        self._warn = rules.is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the worker's life."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request_id = next(self._ids)
        path = self._path(scope)
        door = next(door for prefix, door in self._doors if path.startswith(prefix))
        outgoing = _Outgoing(send, request_id, self._rules.headers)
        visit: Visit | None = None
        try:
            headers = read_headers(scope)
            client, scheme = self._rules.proxies.client_and_scheme(scope, headers)
            scope[VISIT] = visit = Visit(request_id, client, scheme, headers)
            if self._warn and self._rules.proxies.forwards(headers):
                self._warn = False
                _log.warning(
                    "a proxy forwards requests to this open registry: whoever reaches the proxy may push and pull",
                    client=client,
                )
            await door(scope, receive, outgoing)
        except WharfingerError as error:
            await door.refusal(error, visit)(scope, receive, outgoing)
        except Exception:
            _log.exception("unexpected", request_id=request_id, path=path[:200])
            if outgoing.status:
                raise  # the answer has begun; breaking the connection is the only honest end
            await door.failure(request_id)(scope, receive, outgoing)
        finally:
            self._note(scope, visit, outgoing, began)

    def _path(self, scope: Scope) -> str:
        """Return the raw path below the prefix; a decoded one would let `%2F` pass for a slash."""
        path: str = scope["raw_path"].decode("latin-1")
        prefix = self._rules.prefix
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            path = path[len(prefix) :] or "/"
            scope["root_path"] = prefix
            scope["raw_path"] = path.encode("latin-1")
            scope["path"] = scope["path"][len(prefix) :] or "/"
        return path

    def _note(self, scope: Scope, visit: Visit | None, outgoing: "_Outgoing", began: float) -> None:
        seconds = time.perf_counter() - began
        route = "-" if visit is None else visit.route
        _observe(route, scope["method"], outgoing.status, seconds, outgoing.size)
        if self._line.enabled:
            agent = None if visit is None else visit.headers.get(b"user-agent")
            self._line.write(
                request_id=outgoing.request_id,
                client="-" if visit is None else visit.client,
                method=scope["method"],
                path=scope["raw_path"].decode("latin-1"),
                status=outgoing.status,
                size=outgoing.size,
                seconds=seconds,
                user_agent="" if agent is None else agent.decode("latin-1"),
            )

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._started()
        except Exception as error:  # noqa: BLE001 - told to the server, which ends the worker
            _log.exception("start failed")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stopped()
        self._line.flush()
        await send({"type": "lifespan.shutdown.complete"})


class _Outgoing:
    """The server's `send`, with the common headers added, and status and size noted."""

    __slots__ = ("_headers", "_send", "request_id", "size", "status")

    def __init__(self, send: Send, request_id: str, headers: Sequence[Header]) -> None:
        self._send = send
        self._headers = headers
        self.request_id = request_id
        self.status = 0
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers: list[Header] = message["headers"]
            headers.extend(self._headers)
            headers.append((b"x-request-id", self.request_id.encode()))
        elif "body" in message:
            self.size += len(message["body"])
        elif "path" in message:
            self.size += message.pop("size", 0)
        await self._send(message)


def _ids() -> "itertools.chain[str]":
    """Return request ids: a random start for this process, and a number; unique, cheap, and easy to search for."""
    start = secrets.token_hex(6)
    return itertools.chain.from_iterable((f"{start}-{number:x}",) for number in itertools.count(1))


_observed: Final[dict[tuple[str, str, int], Callable[[float], None]]] = {}
_sent: Final[dict[str, Callable[[float], None]]] = {}


def _observe(route: str, method: str, status: int, seconds: float, size: int) -> None:
    """Count the request; the counters of a route are looked up once."""
    known = method if method in _METHODS else "other"  # clients invent methods; the table must not grow with them
    key = (route, known, status)
    observe = _observed.get(key)
    if observe is None:
        observe = _observed[key] = REQUESTS.labels(*key[:2], str(status)).observe
    observe(seconds)
    if size:
        add = _sent.get(route)
        if add is None:
            add = _sent[route] = BYTES_OUT.labels(route).inc
        add(size)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
