# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.web.scopes import ask, scope
from wharfinger.web.responses import Content, WholeFile

HEADERS = [(b"content-length", b"2500000"), (b"x-mine", b"1")]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(bytes(range(250)) * 10_000)
    return path


async def test_a_file_is_sent_by_the_server_where_it_can(file):
    request = scope("/", extensions={"http.response.pathsend": {}})
    answer = await ask(WholeFile(file, 2_500_000, HEADERS), request)
    assert answer.status == 200
    assert answer.headers == {"content-length": "2500000", "x-mine": "1"}
    assert answer.messages[1:] == [{"type": "http.response.pathsend", "path": str(file), "size": 2_500_000}]


@pytest.mark.parametrize("more", [{}, {"extensions": {}}])
async def test_a_file_is_sent_in_pieces_where_the_server_cannot(file, more):
    answer = await ask(WholeFile(file, 2_500_000, HEADERS), scope("/", **more))
    assert answer.body == file.read_bytes()
    assert max(len(message["body"]) for message in answer.messages[1:]) <= 1024 * 1024
    assert [message.get("more_body", False) for message in answer.messages[1:]][-1] is False


async def test_an_empty_file_is_an_answer(tmp_path):
    (tmp_path / "empty").touch()
    answer = await ask(WholeFile(tmp_path / "empty", 0, []), scope("/"))
    assert (answer.status, answer.body) == (200, b"")


async def test_content_is_sent_with_its_headers_as_they_are():
    answer = await ask(Content(b"body", [(b"content-length", b"4")], 203), scope("/"))
    assert (answer.status, answer.headers, answer.body) == (203, {"content-length": "4"}, b"body")
