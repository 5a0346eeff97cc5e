# SPDX-License-Identifier: Apache-2.0
"""The health checks that an operator adds, against real files, ports and servers."""

import asyncio
import http.server
import socket
import threading

import pytest

from wharfinger.outbound.checks import CheckFailed, absent, answers, listens


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers `HEAD` with the status that the path names, and notes what it was asked."""

    def do_HEAD(self):
        self.server.asked.append((self.path, self.headers.get("X-Key")))
        self.send_response(int(self.path.strip("/").split("?")[0]))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def test_a_file_that_exists_takes_the_node_out(tmp_path):
    file = tmp_path / "down"
    await absent(file)
    file.touch()
    with pytest.raises(CheckFailed, match="exists"):
        await absent(file)


async def test_a_port_that_listens_is_well(server):
    await listens("127.0.0.1", server.server_port, 5)


async def test_a_port_that_nobody_listens_at_is_not(closed_port):
    with pytest.raises(CheckFailed, match="nobody answers"):
        await listens("127.0.0.1", closed_port, 5)


async def test_a_url_answers_with_the_status_and_gets_the_headers(server):
    await answers(f"http://127.0.0.1:{server.server_port}/204?a=b", {"X-Key": "secret"}, 204, 5)
    assert server.asked == [("/204?a=b", "secret")]


async def test_another_status_is_not_well_and_a_redirect_is_not_followed(server):
    for status in (500, 302):
        with pytest.raises(CheckFailed, match=f"answers {status}, not 200"):
            await answers(f"http://127.0.0.1:{server.server_port}/{status}", {}, 200, 5)
    assert len(server.asked) == 2


async def test_a_url_that_nobody_serves_is_not_well(closed_port):
    with pytest.raises(CheckFailed, match="does not answer"):
        await answers(f"http://127.0.0.1:{closed_port}/200", {}, 200, 5)


async def test_the_loop_goes_on_while_a_url_is_asked(server):
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        pulse = group.create_task(beat())
        await answers(f"http://127.0.0.1:{server.server_port}/200", {}, 200, 5)
        pulse.cancel()
    assert beats > 1
