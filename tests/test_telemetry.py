# SPDX-License-Identifier: Apache-2.0
import asyncio
import fcntl
import json
import os
import select
from contextlib import suppress

import pytest
import structlog

from tests.workers.virtual_time import run
from wharfinger import telemetry
from wharfinger.telemetry import MOST_WAITING, RequestLine, configure_log, logger, metrics

HOSTILE = [
    "plain",
    'quote " and \\ backslash',
    "line\nfeed\r\nlevel=error msg=forged",
    "".join(map(chr, range(256))),
    "\x1b[31mred\x1b[0m",
    "nel \x85 separator   and ",
    "é ü 漢",
    "\udce9 half a pair",
    "x" * 5_000,
]


@pytest.fixture
def written(tmp_path):
    """Return a function that writes one line in a format, and returns the bytes of the log."""

    def write(form, fields=None, **more):
        line = RequestLine(form, fields or {}, enabled=True)
        path = tmp_path / "log"
        line._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            request = {"request_id": "r-1", "client": "192.0.2.1", "method": "GET", "path": "/v2/", "status": 200}
            line.write(**{**request, "size": 5, "seconds": 0.0123, "user_agent": "client/1", **more})
        finally:
            os.close(line._out)
        return path.read_bytes()

    return write


def test_the_text_of_a_request(written):
    line = written("text", {"service": "a b"}).decode()
    assert line.startswith('time="20')
    assert line.endswith(
        'Z" level=info msg=request id=r-1 client=192.0.2.1 method=GET path="/v2/" status=200 bytes=5 ms=12.3 '
        'agent="client/1" service="a b"\n'
    )


@pytest.mark.parametrize(("form", "time"), [("json", "time"), ("logstash", "@timestamp")])
def test_the_object_of_a_request(written, form, time):
    found = json.loads(written(form, {"service": "registry"}))
    assert found.pop(time).endswith("Z")
    assert found == {
        "level": "info",
        "msg": "request",
        "id": "r-1",
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/v2/",
        "status": 200,
        "bytes": 5,
        "ms": 12.3,
        "agent": "client/1",
        "service": "registry",
    }


@pytest.mark.parametrize("hostile", HOSTILE[:-2])
@pytest.mark.parametrize("form", ["text", "json", "logstash"])
def test_whatever_a_client_sends_stays_one_line(written, form, hostile):
    line = written(form, path=hostile, user_agent=hostile)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert not any(byte < 0x20 for byte in line[:-1])
    line.decode()
    if form != "text":
        assert (json.loads(line)["path"], json.loads(line)["agent"]) == (hostile, hostile)


@pytest.mark.parametrize("hostile", HOSTILE[-2:])
def test_text_replaces_what_is_no_character(written, hostile):
    assert written("text", path=hostile, user_agent=hostile).count(b"\n") == 1


class Pipe:
    """A log that is a pipe as small as it can be, and does not wait for its reader."""

    def __init__(self):
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK)
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)
        self.line = RequestLine("json", {}, enabled=True)
        self.line._out = self.writer

    def write(self, number, agent=""):
        request = {"request_id": str(number), "client": "192.0.2.1", "method": "GET", "path": "/", "status": 200}
        self.line.write(**request, size=0, seconds=0.1, user_agent=agent)

    def read(self):
        """Return what lies in the pipe, which makes room for more."""
        try:
            return os.read(self.reader, 1 << 20)
        except BlockingIOError:
            return b""

    def read_all(self):
        """Return the numbers of the lines, reading until no more come."""
        content = b""
        while piece := self.read():
            content += piece
            self.line.flush()
        return [int(json.loads(line)["id"]) for line in content.splitlines()]


@pytest.fixture
def pipe():
    made = Pipe()
    yield made
    for end in (made.reader, made.writer):
        with suppress(OSError):
            os.close(end)


def dropped():
    return telemetry.LINES_DROPPED._value.get()


@pytest.mark.parametrize("length", [10, 3_000, 10_000])
def test_lines_wait_for_a_log_that_is_full(pipe, length):
    """The longest are more than the pipe holds, and enter it in parts."""
    before = dropped()
    for number in range(30):
        pipe.write(number, "x" * length)
    assert pipe.read_all() == list(range(30))
    assert dropped() == before


def test_a_log_that_stays_full_takes_bounded_memory_and_what_is_lost_is_counted(pipe):
    before = dropped()
    for number in range(400):
        pipe.write(number, "x" * 4_000)
    found = pipe.read_all()
    assert found == list(range(len(found)))
    assert MOST_WAITING // 4_200 <= len(found) < 300
    assert dropped() - before == 400 - len(found)
    pipe.write(400)
    assert pipe.read_all() == [400]


@pytest.mark.parametrize("end", ["reader", "writer"])
def test_a_log_that_is_closed_fails_no_request(pipe, end):
    before = dropped()
    os.close(getattr(pipe, end))
    for number in range(5):
        pipe.write(number)
    assert dropped() - before == 5


def test_a_full_log_is_tried_again_without_a_further_request(pipe):
    async def main():
        pipe.write(0, "x" * 10_000)
        await asyncio.sleep(1)
        content = pipe.read()
        while not content.endswith(b"\n"):
            await asyncio.sleep(1)
            content += pipe.read()
        return content

    assert json.loads(run(main())[0])["id"] == "0"


def test_lines_that_come_together_leave_together(pipe):
    async def main():
        for number in range(3):
            pipe.write(number)
        before = pipe.read()
        await asyncio.sleep(1)
        return before, pipe.read().count(b"\n")

    assert run(main())[0] == (b"", 3)


def test_every_line_has_the_time_it_was_written(written):
    first, second = (json.loads(written("json"))["time"] for _ in range(2))
    assert first <= second


@pytest.fixture
def configured():
    """Leave the log as it was."""
    yield configure_log
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "logstash", "text"])
def test_other_lines_are_of_the_same_format_and_stay_one_line_too(configured, capsys, form):
    configured("info", form, {"service": "registry"})
    log = logger("a room")
    log.info("hello", path="a\nb")
    try:
        raise ValueError("first\nsecond")  # noqa: EM101, TRY003, TRY301 - for its traceback
    except ValueError:
        log.exception("failed")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    if form == "text":
        assert "service=registry" in lines[0]
    else:
        assert json.loads(lines[0]).items() >= {"path": "a\nb", "room": "a room", "service": "registry"}.items()
        assert "ValueError: first\nsecond" in json.loads(lines[1])["exception"]


def test_what_every_line_has_it_has_wherever_it_is_written(configured, capsys):
    configured("info", "json", {"service": "registry"})
    log = logger("a room")

    async def main():
        await asyncio.create_task(say("first"))
        await asyncio.to_thread(log.info, "second")

    async def say(message):
        log.info(message)

    asyncio.run(main())
    assert [json.loads(line)["service"] for line in capsys.readouterr().err.splitlines()] == ["registry"] * 2


def test_what_is_below_the_level_is_not_written(configured, capsys):
    configured("error", "json", {})
    logger("a room").warning("hello")
    assert capsys.readouterr().err == ""


def test_metrics_are_in_prometheus_format():
    telemetry.JOBS.labels("test of metrics", "ok").inc()
    assert b'wharfinger_jobs_total{job="test of metrics",outcome="ok"}' in metrics()
