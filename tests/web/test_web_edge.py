# SPDX-License-Identifier: Apache-2.0
import asyncio
import ipaddress
import json
import os

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse

from tests.web.scopes import Answer, ask, scope
from wharfinger.domain.errors import HeaderInvalid, WharfingerError
from wharfinger.telemetry import REQUEST_COUNTS, REQUESTS, RequestLine
from wharfinger.web.bodies import Body
from wharfinger.web.edge import Edge, EdgeRules
from wharfinger.web.requests import Proxies
from wharfinger.web.responses import Content, WholeFile


class Hall:
    """A door that answers with its name and remembers who came."""

    def __init__(self, name):
        self.name = name
        self.error = None
        self.seen = []

    async def answer(self, scope, _receive, visit):
        self.seen.append((scope["path"], scope["raw_path"], scope["root_path"], visit))
        if self.error is not None:
            raise self.error
        return PlainTextResponse(self.name)

    def refusal(self, error, visit):
        return PlainTextResponse(f"{self.name} refuses: {error.message} {visit is None}", status_code=400)

    def failure(self, request_id):
        return PlainTextResponse(f"{self.name} failed, see {request_id}", status_code=500)


class Desk:
    """A door that always gives the same answer."""

    def __init__(self, response):
        self._response = response

    async def answer(self, _scope, _receive, _visit):
        return self._response


@pytest.fixture
def writers():
    """The writers of request lines that the test has made."""
    return []


@pytest.fixture
def lines(tmp_path, writers):
    """Return what was logged so far, as it is read from the file."""
    path = tmp_path / "log"
    path.touch()

    def read():
        for writer in writers:
            writer.flush()
        return [json.loads(line) for line in path.read_text().splitlines()]

    return read


@pytest.fixture
def halls():
    return {"/v2": Hall("protocol"), "": Hall("console")}


@pytest.fixture
def build(halls, tmp_path, writers):
    opened = []

    def make(*, prefix="", beside=(), headers=((b"x-content-type-options", b"nosniff"),), doors=None, **rest):
        line = RequestLine("json", {}, enabled=True)
        (tmp_path / "log").touch()
        opened.append(os.open(tmp_path / "log", os.O_WRONLY | os.O_APPEND))
        line._out = opened[-1]
        writers.append(line)
        rules = EdgeRules(
            **{"proxies": Proxies([], unix=False), "headers": headers, "prefix": prefix, "beside": beside, **rest}
        )
        return Edge(doors or halls, rules, line, started=_nothing, stopped=_nothing)

    yield make
    for descriptor in opened:
        os.close(descriptor)


async def _nothing():
    pass


@pytest.fixture
def edge(build):
    return build()


@pytest.mark.parametrize(
    ("path", "name"), [("/v2/", "protocol"), ("/v2", "protocol"), ("/", "console"), ("/livez", "console")]
)
async def test_the_door_of_the_path_answers(edge, path, name):
    assert (await ask(edge, scope(path))).body == name.encode()


async def test_every_answer_has_the_common_headers(edge, halls):
    halls["/v2"].error = ValueError("secret")
    for path, status in (("/", 200), ("/v2/", 500)):
        answer = await ask(edge, scope(path))
        assert answer.status == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
    refused = await ask(edge, scope("/", headers=[("host", "a"), ("host", "b")]))
    assert (refused.status, refused.headers["x-content-type-options"]) == (400, "nosniff")


async def test_request_ids_are_unique_and_the_same_everywhere(edge, halls, build, lines):
    answers = [await ask(edge, scope("/v2/")) for _ in range(50)] + [await ask(build(), scope("/v2/"))]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 51
    assert ids == [visit.request_id for *_, visit in halls["/v2"].seen]
    assert ids == [line["id"] for line in lines()]


async def test_a_client_does_not_choose_the_request_id(edge):
    answer = await ask(edge, scope("/", headers=[("x-request-id", "mine")]))
    assert answer.headers["x-request-id"] != "mine"


async def test_what_nobody_expected_is_answered_without_telling_why(edge, halls, capfd):
    halls["/v2"].error = ValueError("the password is hunter2")
    answer = await ask(edge, scope("/v2/x"))
    assert answer.status == 500
    assert answer.body == f"protocol failed, see {answer.headers['x-request-id']}".encode()
    said = capfd.readouterr()
    assert "hunter2" in said.out + said.err
    assert answer.headers["x-request-id"] in said.out + said.err


async def test_a_refusal_of_a_door_is_in_the_format_of_that_door(edge, halls):
    halls["/v2"].error = HeaderInvalid("no such thing")
    assert (await ask(edge, scope("/v2/"))).body == b"protocol refuses: no such thing False"


async def test_a_request_that_cannot_be_read_is_refused_by_its_door(edge, lines):
    answer = await ask(edge, scope("/v2/", headers=[("host", "")]))
    assert answer.status == 400
    assert answer.body.endswith(b"True")
    assert [(line["status"], line["client"]) for line in lines()] == [(400, "-")]


async def test_an_answer_that_breaks_after_its_start_breaks_the_connection(build, lines, capfd):
    async def pieces():
        yield b"half"
        raise WharfingerBroken

    answer = Answer()

    async def receive():
        await asyncio.Event().wait()

    with pytest.raises(BaseException, match=r"broken|sub-exception"):
        await build(doors={"": Desk(StreamingResponse(pieces()))})(scope("/"), receive, answer.send)
    assert answer.status == 200
    assert not any(message.get("more_body") is False for message in answer.messages)
    assert [(line["status"], line["bytes"]) for line in lines()] == [(200, 4)]
    assert capfd.readouterr()


class WharfingerBroken(Exception):
    def __str__(self):
        return "broken"


async def test_one_line_tells_of_each_request(edge, lines):
    await ask(edge, scope("/v2/?n", method="HEAD", headers=[("user-agent", "client/1")], client=("203.0.113.9", 1)))
    (line,) = lines()
    wanted = {"msg": "request", "client": "203.0.113.9", "method": "HEAD", "path": "/v2/?n", "status": 200, "bytes": 0}
    assert wanted.items() <= line.items()
    assert line["agent"] == "client/1"
    assert line["ms"] >= 0


async def test_an_answer_to_head_has_no_bytes_whatever_its_door_would_send(build, lines):
    for answer in (PlainTextResponse("five!"), Content(b"five!", []), Content(b"five!", [], 404)):
        for method in ("GET", "HEAD"):
            await ask(build(doors={"": Desk(answer)}), scope("/", method=method))
    assert [(line["method"], line["bytes"]) for line in lines()] == [("GET", 5), ("HEAD", 0)] * 3


@pytest.mark.parametrize("ending", [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit])
async def test_a_request_that_is_broken_off_before_its_answer_is_logged_and_counted(edge, halls, lines, ending):
    before = counted("499")
    halls["/v2"].error = ending()
    with pytest.raises(ending):
        await ask(edge, scope("/v2/", headers=[("user-agent", "client/1")]))
    (line,) = lines()
    wanted = {"status": 499, "path": "/v2/", "client": "192.0.2.1", "agent": "client/1", "bytes": 0}
    assert wanted.items() <= line.items()
    assert counted("499") == before + 1


async def test_what_ends_after_its_worker_is_logged_at_once(build, halls, tmp_path):
    """Nobody would come back to what was put off."""
    edge = build()
    await ask(edge, {"type": "lifespan"}, lifespan("lifespan.startup", "lifespan.shutdown"))
    halls["/v2"].error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await ask(edge, scope("/v2/"))
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)["status"] == 499


def counted(status):
    REQUEST_COUNTS.flush()
    found = (one for metric in REQUESTS.collect() for one in metric.samples if one.name.endswith("_count"))
    return sum(one.value for one in found if one.labels["status"] == status)


async def test_a_file_that_the_server_sends_is_counted_and_its_size_is_ours(build, lines, tmp_path):
    file = WholeFile(tmp_path, 123, [])
    answer = await ask(build(doors={"": Desk(file)}), scope("/", extensions={"http.response.pathsend": {}}))
    assert answer.messages[1] == {"type": "http.response.pathsend", "path": str(tmp_path)}
    assert lines()[0]["bytes"] == 123


@pytest.mark.parametrize(
    ("path", "seen", "name"),
    [
        ("/base/v2/a/b", "/v2/a/b", "protocol"),
        ("/base", "/", "console"),
        ("/base/", "/", "console"),
        ("/base/livez", "/livez", "console"),
    ],
)
async def test_a_prefix_is_taken_off_where_it_is_a_whole_part(build, halls, path, seen, name):
    assert (await ask(build(prefix="/base"), scope(path))).body == name.encode()
    door = halls["/v2" if name == "protocol" else ""]
    found, raw, root, _ = door.seen[0]
    assert (found, raw) == (seen, seen.encode())
    assert root == "/base"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v2/", "protocol"),
        ("/v2/a/b", "protocol"),
        ("/", "console"),
        ("/basement/v2/", "console"),
        ("/bas", "console"),
    ],
)
async def test_outside_the_prefix_there_is_nothing(build, halls, lines, path, name):
    answer = await ask(build(prefix="/base"), scope(path))
    assert answer.body.decode().startswith(
        f"{name} refuses: Nothing lies here: the paths of this registry begin with /base/."
    )
    assert not any(hall.seen for hall in halls.values())
    assert lines()[0]["path"] == path


async def test_some_paths_are_answered_outside_the_prefix_too(build, halls):
    for path in ("/livez", "/base/livez"):
        assert (await ask(build(prefix="/base", beside=["/livez"]), scope(path))).status == 200
    assert [(path, root) for path, _, root, _ in halls[""].seen] == [("/livez", ""), ("/livez", "/base")]


async def test_the_log_shows_the_path_that_was_sent(build, lines):
    await ask(build(prefix="/base"), scope("/base/v2/a"))
    assert lines()[0]["path"] == "/base/v2/a"


async def test_what_is_decoded_does_not_choose_the_door(edge):
    """`%2F` is no slash: the raw path decides."""
    request = scope("/v2/")
    request["raw_path"] = b"/%76%32/"
    assert (await ask(edge, request)).body == b"console"


async def test_a_websocket_is_refused(edge):
    answer = await ask(edge, {"type": "websocket", "path": "/"})
    assert answer.messages == [{"type": "websocket.close", "code": 1000}]


def lifespan(*kinds):
    messages = [{"type": kind} for kind in kinds]

    async def receive():
        return messages.pop(0)

    return receive


async def test_a_worker_lives_and_closes_what_it_opened(build, halls):
    happened = []

    async def started():
        happened.append("started")

    async def stopped():
        happened.append("stopped")

    edge = Edge(halls, build()._rules, build()._line, started=started, stopped=stopped)
    answer = await ask(edge, {"type": "lifespan"}, lifespan("lifespan.startup", "lifespan.shutdown"))
    assert [message["type"] for message in answer.messages] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert happened == ["started", "stopped"]


async def test_a_worker_that_cannot_start_says_so(build, halls, capfd):
    async def started():
        message = "no disk"
        raise WharfingerError(message)

    edge = Edge(halls, build()._rules, build()._line, started=started, stopped=_nothing)
    answer = await ask(edge, {"type": "lifespan"}, lifespan("lifespan.startup"))
    assert answer.messages == [{"type": "lifespan.startup.failed", "message": "no disk"}]
    assert capfd.readouterr()


@pytest.mark.parametrize("announced", [("content-length", "5"), ("transfer-encoding", "chunked")])
@pytest.mark.parametrize("error", [None, HeaderInvalid("refused by the door"), ValueError("unexpected")])
@pytest.mark.parametrize("path", ["/", "/v2/"])
async def test_an_answer_that_leaves_a_body_unread_ends_the_connection(edge, halls, path, error, announced):
    for hall in halls.values():
        hall.error = error
    answer = await ask(edge, scope(path, method="POST", headers=[announced]), left_alone)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(("version", "said"), [("1.0", "close"), ("2", None)])
async def test_only_http_1_knows_such_a_header(edge, version, said):
    request = scope("/", method="POST", headers=[("content-length", "5")], version=version)
    assert (await ask(edge, request, left_alone)).headers.get("connection") == said


async def left_alone():
    raise AssertionError


async def test_a_request_whose_headers_cannot_be_read_ends_the_connection(edge):
    answer = await ask(edge, scope("/", headers=[("content-length", "0"), ("content-length", "5")]))
    assert (answer.status, answer.headers["connection"]) == (400, "close")


@pytest.mark.parametrize("headers", [[], [("content-length", "0")]])
async def test_an_answer_to_a_request_without_a_body_keeps_the_connection(edge, headers):
    assert "connection" not in (await ask(edge, scope("/", method="POST", headers=headers))).headers


async def test_an_answer_to_a_body_that_was_read_keeps_the_connection(build):
    class Reader(Hall):
        async def answer(self, _scope, receive, visit):
            return PlainTextResponse(await Body(receive, 10, visit).whole(5))

    async def body():
        return {"type": "http.request", "body": b"five!", "more_body": False}

    edge = build(doors={"": Reader("reader")})
    answer = await ask(edge, scope("/", method="POST", headers=[("content-length", "5")]), body)
    assert (answer.body, answer.headers.get("connection")) == (b"five!", None)


@pytest.mark.parametrize(
    ("peer", "headers", "private"),
    [("192.0.2.1", {}, False), ("127.0.0.1", {}, True), ("::1", {}, True),
     ("192.0.2.1", {"x-forwarded-proto": "https", "x-forwarded-for": "127.0.0.1"}, False),
     ("10.0.0.7", {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1"}, True),
     ("10.0.0.7", {"x-forwarded-proto": "http", "x-forwarded-for": "192.0.2.1"}, False),
     ("10.0.0.7", {"x-forwarded-for": "192.0.2.1"}, False)],
)  # fmt: skip
async def test_where_tls_is_needed_a_visit_is_private_by_tls_or_from_this_machine(build, halls, peer, headers, private):
    proxies = Proxies([ipaddress.ip_network("10.0.0.7")], unix=False)
    request = scope("/", headers=headers.items(), client=(peer, 4000))
    for needed in (True, False):
        await ask(build(proxies=proxies, tls_to_sign_in=needed), request)
        assert halls[""].seen.pop()[3].is_private is (private or not needed)
