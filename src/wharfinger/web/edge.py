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

from wharfinger.domain.errors import EndpointUnknown, WharfingerError
from wharfinger.domain.secrecy import without_secrets
from wharfinger.domain.sentences import Sentence
from wharfinger.telemetry import REQUEST_COUNTS, RequestLine, logger
from wharfinger.web.requests import Proxies, Visit, announces_body, is_loopback, read_headers
from wharfinger.web.responses import Content

_log = logger("web")
Header = tuple[bytes, bytes]
BROKEN_OFF: Final = 499
"""Logged and counted for a request that ended before it had an answer, as nginx does; no client is sent it."""


class Door(Protocol):
    """A part of the site: it turns a request into an answer, and knows its own format for errors."""

    async def answer(self, scope: Scope, receive: Receive, visit: Visit) -> Response:
        """Return the answer to a request; the edge sends it."""
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
        beside: paths that are answered outside the prefix too: who asks the probes asks the node, not the site.
        tls_to_sign_in: whether who signs in must come by TLS, or from this machine.
        is_open: whether anyone who reaches the port may push; then the first forwarded request is worth a warning.
    """

    proxies: Proxies
    headers: Sequence[Header]
    prefix: str = ""
    beside: Sequence[str] = ()
    tls_to_sign_in: bool = False
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
        self._headers = tuple(rules.headers)
        self._rules = rules
        self._line = line
        self._started = started
        self._stopped = stopped
        self._ids = _ids()
        self._warn = rules.is_open
        self._after_start: Callable[[], None] | None = None
        self._ending = False

    def after_start(self, call: Callable[[], None]) -> None:
        """Have something called on the loop once the application has started, and the server knows it."""
        self._after_start = call

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
        exchange = _Exchange(next(self._ids), scope, send)
        try:
            answer = await self._ask(exchange, scope, receive)
            exchange.status = answer.status_code
            answer.raw_headers += self._headers
            answer.raw_headers.append((b"x-request-id", exchange.id.encode()))
            if exchange.leaves_body() and scope["http_version"] != "2":  # there, requests do not follow one another
                answer.raw_headers.append((b"connection", b"close"))
            if type(answer) is Content:
                exchange.size = len(answer.body)
                await answer(scope, receive, send)
            else:
                await answer(scope, receive, exchange)
        except Exception:  # the answer has begun: breaking the connection is the only honest end
            _log.exception("unexpected", request_id=exchange.id, path=without_secrets(exchange.path)[:200])
            raise
        finally:  # also when the server ends and breaks the request off
            self._note(exchange, scope["method"], time.perf_counter() - began)

    async def _ask(self, exchange: "_Exchange", scope: Scope, receive: Receive) -> Response:
        """Return the answer of the door, or its refusal."""
        path = self._below_prefix(scope, exchange.path)
        door = self._door(exchange.path if path is None else path)
        try:
            headers = read_headers(scope)
            client, scheme = self._rules.proxies.client_and_scheme(scope, headers)
            unread = announces_body(headers)
            private = not self._rules.tls_to_sign_in or scheme == "https" or is_loopback(client)
            exchange.visit = Visit(
                exchange.id, path or exchange.path, client, scheme, headers, is_private=private, unread=unread
            )
            if path is None:
                message = Sentence(
                    "Nothing lies here: the paths of this registry begin with %(prefix)s/.", prefix=self._rules.prefix
                )
                return door.refusal(EndpointUnknown(message), exchange.visit)
            if self._warn and self._rules.proxies.forwards(headers):
                self._warn_once(client)
            return await door.answer(scope, receive, exchange.visit)
        except WharfingerError as error:
            return door.refusal(error, exchange.visit)
        except Exception:  # noqa: BLE001 - logged, and told to the client as a failure without a reason
            _log.exception("unexpected", request_id=exchange.id, path=without_secrets(exchange.path)[:200])
            return door.failure(exchange.id)

    def _door(self, path: str) -> Door:
        for prefix, door in self._doors:
            if path.startswith(prefix):
                return door
        raise AssertionError  # the last prefix is empty

    def _warn_once(self, client: str) -> None:
        self._warn = False
        message = "a proxy forwards requests to this open registry: whoever reaches the proxy may push and pull"
        _log.warning(message, client=client)

    def _below_prefix(self, scope: Scope, path: str) -> str | None:
        """Return the raw path below the prefix, or nothing outside; a decoded one would let `%2F` pass for a slash."""
        prefix = self._rules.prefix
        if not prefix or path in self._rules.beside:
            return path
        if path != prefix and not path.startswith(prefix + "/"):
            return None
        path = path[len(prefix) :] or "/"
        scope["root_path"] = prefix
        scope["raw_path"] = path.encode("latin-1")
        scope["path"] = scope["path"][len(prefix) :] or "/"
        return path

    def _note(self, exchange: "_Exchange", method: str, seconds: float) -> None:
        visit = exchange.visit
        route = "-" if visit is None else visit.route
        size = 0 if method == "HEAD" else exchange.size  # the server does not send the body of such an answer
        # Clients invent methods; the metrics must not grow with them.
        REQUEST_COUNTS.add(route, method if method in _METHODS else "other", exchange.status, seconds, size)
        if self._line.enabled:
            agent = None if visit is None else visit.headers.get(b"user-agent")
            self._line.write(
                request_id=exchange.id,
                client="-" if visit is None else visit.client,
                method=method,
                path=without_secrets(exchange.path),
                status=exchange.status,
                size=size,
                seconds=seconds,
                user_agent="" if agent is None else without_secrets(agent.decode("latin-1")),
            )
        if self._ending:
            self._flush()

    def _flush(self) -> None:
        self._line.flush()
        REQUEST_COUNTS.flush()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._started()
        except Exception as error:  # noqa: BLE001 - told to the server, which ends the worker
            _log.exception("start failed")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        if self._after_start is not None:
            self._after_start()
        await receive()
        self._ending = True  # the loop may not get to what is put off from here on
        try:
            await self._stopped()
        finally:
            self._flush()
        await send({"type": "lifespan.shutdown.complete"})


class _Exchange:
    """A request, and what became of it: as the server's `send`, it counts the bytes of the body as they leave."""

    __slots__ = ("_send", "id", "path", "size", "status", "visit")

    def __init__(self, request_id: str, scope: Scope, send: Send) -> None:
        self.id = request_id
        self.path: str = scope["raw_path"].decode("latin-1")
        """As it was sent."""
        self.visit: Visit | None = None
        self.status = BROKEN_OFF
        self.size = 0
        self._send = send

    def leaves_body(self) -> bool:
        """Say whether the body, or a part of it, was left unread; without readable headers nobody knows.

        An answer to such a request ends the connection and must say so: the client would send its next request into a
        connection that is being closed.
        """
        return self.visit is None or self.visit.unread

    async def __call__(self, message: Message) -> None:
        if "body" in message:
            self.size += len(message["body"])
        elif "path" in message:
            self.size += message.pop("size", 0)
        await self._send(message)


def _ids() -> "itertools.chain[str]":
    """Return request ids: a random start for this process, and a number; unique, cheap, and easy to search for."""
    start = secrets.token_hex(6)
    return itertools.chain.from_iterable((f"{start}-{number:x}",) for number in itertools.count(1))


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
