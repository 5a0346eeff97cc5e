# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 by hand: sends exactly the bytes it is given, also such as no HTTP library would, and reads what comes."""

import select
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

_PIECE = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back: the last answer before the connection was left, or nothing at all (status 0)."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    closed: bool = False
    rest: bytes = b""
    seconds: float = 0.0
    sent: int = 0

    def header(self, name):
        """Return a header's value, or nothing; one that comes twice is joined."""
        found = [value for one, value in self.headers if one == name.lower()]
        return ", ".join(found) if found else None

    @property
    def fields(self):
        """The headers as a mapping with the usual capitals of the ones that are asked for."""
        usual = {"www": "WWW"}
        return {
            "-".join(usual.get(part, part.capitalize()) for part in name.split("-")): value
            for name, value in self.headers
        }


def exchange(address, payload, *, seconds, method="GET", until_closed=False, half_close=False):
    """Send a payload and read one answer.

    Args:
        address: host and port.
        payload: bytes, or an iterable of pieces that may never end; sending stops when an answer has come.
        seconds: how long all of it may take.
        method: a HEAD is answered without a body.
        until_closed: read on after the answer, until the server closes the connection.
        half_close: say that nothing more will come once the payload is sent.
    """
    begin = time.monotonic()
    received, sent, closed = bytearray(), 0, False
    source = iter([payload] if isinstance(payload, bytes) else payload)
    pending, exhausted = b"", False
    with socket.create_connection(address, timeout=seconds) as connection:
        connection.setblocking(False)
        while not closed:
            if not until_closed and _parse(bytes(received), method, closed=False) is not None:
                break
            if not pending and not exhausted:
                pending = next(source, b"")
                exhausted = not pending
                if exhausted and half_close:
                    connection.shutdown(socket.SHUT_WR)
            left = begin + seconds - time.monotonic()
            if left <= 0:
                break
            readable, writable, _ = select.select([connection], [connection] if pending else [], [], left)
            if readable:
                closed = _receive(connection, received)
            if writable and not closed:
                done = _send(connection, pending)
                sent, pending = sent + done, pending[done:]
    answer = _parse(bytes(received), method, closed=closed)
    status, headers, body, rest = answer or (0, (), b"", bytes(received))
    return Answer(status, headers, body, closed, rest, time.monotonic() - begin, sent)


def request_bytes(method, target, headers, body=b""):
    """Write a request as it stands: nothing is checked, encoded or added."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def in_chunks(pieces: Iterable[bytes]):
    """Write a body with `Transfer-Encoding: chunked`."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _receive(connection, received):
    """Read what is there; true when there will be nothing more."""
    try:
        piece = connection.recv(_PIECE)
    except (ConnectionResetError, BrokenPipeError):
        return True
    received += piece
    return not piece


def _send(connection, pending):
    try:
        return connection.send(pending)
    except (BrokenPipeError, ConnectionResetError):
        return len(pending)  # nobody listens any more; what was said before that is still to be read


def _parse(data, method, *, closed):
    """Return status, headers, body and what follows it, or nothing while the answer is incomplete."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    status = int(first.split(" ")[1])
    if 100 <= status < 200:
        return _parse(body, method, closed=closed)
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    found = _body(dict(headers), body, closed=closed, none=method == "HEAD" or status in {204, 304})
    return None if found is None else (status, headers, *found)


def _body(headers, data, *, closed, none):
    if none:
        return b"", data
    if "chunked" in headers.get("transfer-encoding", ""):
        return _dechunked(data)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return (data[:length], data[length:]) if len(data) >= length else None
    return (data, b"") if closed else None


def _dechunked(data):
    body = b""
    while True:
        size, separator, data = data.partition(b"\r\n")
        if not separator or len(data) < (length := int(size, 16)) + 2:
            return None
        body += data[:length]
        data = data[length + 2 :]
        if length == 0:
            return body, data
