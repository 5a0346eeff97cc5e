# SPDX-License-Identifier: Apache-2.0
"""Requests as the server hands them over, and what comes back."""


def scope(path="/", *, method="GET", headers=(), client=("192.0.2.1", 1234), scheme="http", version="1.1", **more):
    """Return the scope of a request; it names a host unless it has headers of that name."""
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    if not any(name == b"host" for name, _ in pairs):
        pairs.append((b"host", b"registry.test"))
    raw = path.encode("latin-1")
    return {
        "type": "http",
        "http_version": version,
        "method": method,
        "scheme": scheme,
        "path": path,
        "raw_path": raw,
        "query_string": b"",
        "root_path": "",
        "headers": pairs,
        "client": client,
        "server": ("registry.test", 80),
        **more,
    }


class Answer:
    """What an application sent."""

    def __init__(self):
        self.messages = []

    async def send(self, message):
        self.messages.append(message)

    @property
    def status(self):
        return self.messages[0]["status"]

    @property
    def headers(self):
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages[1:])


async def nothing():
    """Return the end of an empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def ask(application, request, receive=nothing):
    """Hand a request to an application and return its answer."""
    answer = Answer()
    await application(request, receive, answer.send)
    return answer
