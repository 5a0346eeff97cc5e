# SPDX-License-Identifier: Apache-2.0
"""The console where only another server's tokens count: it says so, and sends nobody to a place to sign in."""

import pytest

from tests.console.registry import Site
from tests.support.images import image
from tests.support.token_server import TokenServer

SIGN_IN = ("Sign in first", "docker login", "먼저 로그인하세요", "To the repositories", "저장소 목록으로")


@pytest.fixture
def tokens(tmp_path):
    with TokenServer(tmp_path) as server:
        yield server


@pytest.fixture
async def guarded(tokens, tmp_path):
    """A registry that takes only tokens, as anybody finds it."""
    settings = {name.removeprefix("REGISTRY_"): value for name, value in tokens.settings.items()}
    async with Site(tmp_path / "data", **settings) as site:
        yield site


@pytest.mark.parametrize("path", ["/", "/repositories/app", "/?q=app"])
@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "nobody can sign in on this page"), ("ko", "이 페이지에서는 로그인할 수 없습니다")],
)
async def test_page_says_that_browsers_cannot_sign_in(guarded, path, language, said):
    answer = await guarded.ask(path, headers={"Accept-Language": language})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert said in answer.text
    assert not [text for text in SIGN_IN if text in answer.text]


async def test_language_can_be_chosen_on_the_page(guarded):
    answer = await guarded.ask("/repositories/app?lang=ko")
    assert (answer.status_code, answer.headers["location"]) == (303, "/repositories/app")
    assert answer.headers["set-cookie"].startswith("lang=ko;")


async def test_pages_are_the_same_for_names_that_exist_and_names_that_do_not(guarded, tokens):
    headers = {"Authorization": f"Bearer {tokens.token('repository:app:pull,push')}"}
    for blob in image("app").blobs:
        path = f"/v2/app/blobs/uploads/?digest={blob.digest}"
        assert (await guarded.ask(path, "POST", content=blob.content, headers=headers)).status_code == 201

    pages = [(await guarded.ask(f"/repositories/{name}")) for name in ("app", "abc")]

    assert {page.status_code for page in pages} == {401}
    there, absent = (page.text.replace(page.headers["x-request-id"], "ID") for page in pages)
    assert there.replace("app", "abc") == absent.replace("app", "abc")


async def test_page_is_shown_to_a_token_that_names_it_and_tells_others_what_is_wrong(guarded, tokens):
    def holding(token):
        return {"Authorization": f"Bearer {token}"}

    assert (await guarded.ask("/", headers=holding(tokens.token("registry:catalog:*")))).status_code == 200
    narrow = await guarded.ask("/", headers=holding(tokens.token("repository:app:pull")))
    assert narrow.status_code == 401
    assert "the token does not name it" in narrow.text
    expired = await guarded.ask("/", headers=holding(tokens.token("registry:catalog:*", exp=1)))
    assert "The token is not valid here" in expired.text


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_ask_for_no_token(guarded, path):
    assert (await guarded.ask(path)).status_code == 200
