# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over a socket, with nothing that costs time: the load's core must never be what is measured."""

import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Address = tuple[str, int]
_RECEIVE = 1 << 18
_TIMEOUT = 120.0
_BODILESS = frozenset({204, 304})


class WireError(Exception):
    """The server hung up, or answered something else than was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the headers by their names in lower case, and the body if it was kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One connection that is used again and again, by one client at a time."""

    def __init__(self, address: Address, authorization: str | None = None) -> None:
        self._address = address
        self._head = f"Host: {address[0]}:{address[1]}\r\nUser-Agent: docker/24.0 wharfinger-bench\r\n"
        if authorization is not None:
            self._head += f"Authorization: {authorization}\r\n"
        self._socket = self._connect()
        self._pending = b""

    def close(self) -> None:
        self._socket.close()

    def request(self, method: str, target: str, body: bytes | None = None, kind: str = "") -> Answer:
        """Send a request with its whole body, and return the answer."""
        length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
        self._socket.sendall(self._header(method, target, kind, length) + (body or b""))
        return self._answer(method)

    def stream(self, method: str, target: str, batches: Iterable[Sequence[bytes | memoryview]], kind: str) -> Answer:
        """Send a body in chunks, as Docker does; each batch is one call of the system."""
        self._socket.sendall(self._header(method, target, kind, "Transfer-Encoding: chunked\r\n"))
        for batch in batches:
            self._send_all(batch)
        return self._answer(method)

    def discard(self, target: str) -> int:
        """Get something large without keeping it, and return its size."""
        self._socket.sendall(self._header("GET", target, "", ""))
        status, headers = self._read_head()
        _expect(status, 200, target)
        length = int(headers["content-length"])
        left = length - len(self._pending)
        self._pending = b""
        buffer = bytearray(_RECEIVE)
        while left > 0:
            received = self._socket.recv_into(buffer, min(left, _RECEIVE))
            if not received:
                message = f"the server hung up {left} bytes before the end of {target}"
                raise WireError(message)
            left -= received
        return length

    def _connect(self) -> socket.socket:
        connected = socket.create_connection(self._address, timeout=_TIMEOUT)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _header(self, method: str, target: str, kind: str, length: str) -> bytes:
        kind = f"Content-Type: {kind}\r\n" if kind else ""
        return f"{method} {target} HTTP/1.1\r\n{self._head}{kind}{length}\r\n".encode()

    def _send_all(self, batch: Sequence[bytes | memoryview]) -> None:
        left = [memoryview(part) for part in batch]
        while left:
            sent = self._socket.sendmsg(left)
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if left:
                left[0] = left[0][sent:]

    def _answer(self, method: str) -> Answer:
        status, headers = self._read_head()
        if method == "HEAD" or status in _BODILESS:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._read_chunks())
        return Answer(status, headers, self._read(int(headers.get("content-length", 0))))

    def _read_head(self) -> tuple[int, dict[str, str]]:
        start, *lines = self._read_to(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        return int(start.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in fields}

    def _read_chunks(self) -> bytes:
        content = b""
        while size := int(self._read_to(b"\r\n"), 16):
            content += self._read(size + 2)[:-2]
        self._read(2)
        return content

    def _read_to(self, end: bytes) -> bytes:
        while end not in self._pending:
            self._receive()
        found, _, self._pending = self._pending.partition(end)
        return found

    def _read(self, size: int) -> bytes:
        while len(self._pending) < size:
            self._receive()
        found, self._pending = self._pending[:size], self._pending[size:]
        return found

    def _receive(self) -> None:
        received = self._socket.recv(_RECEIVE)
        if not received:
            message = "the server hung up"
            raise WireError(message)
        self._pending += received


def expect(answer: Answer, status: int, what: str) -> Answer:
    """Return an answer that is what was hoped for.

    Raises:
        WireError: it is not.
    """
    _expect(answer.status, status, what, answer.body)
    return answer


def _expect(status: int, wanted: int, what: str, body: bytes = b"") -> None:
    if status != wanted:
        message = f"{what}: {status} instead of {wanted} {body[:300]!r}"
        raise WireError(message)
