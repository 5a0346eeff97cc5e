# SPDX-License-Identifier: Apache-2.0
"""The console of a registry with a password file: a page that says what to do, and the browser's own prompt."""

import pytest

from tests.console.registry import Site
from tests.support.images import image
from tests.support.passwords import sign_in_by, write_users
from wharfinger.domain.errors import TooManyAttempts
from wharfinger.web.authentication import Entrance, basic_challenge

ANN = ("ann", "비밀번호")
CHALLENGE = 'Basic realm="Team registry", charset="UTF-8"'
PAGES = ["/", "/repositories/team/app", "/repositories/team/nothing", "/?n=5", "/?lang=ko"]


@pytest.fixture
async def site(tmp_path):
    variables = sign_in_by(write_users(tmp_path / "users", **dict([ANN])))
    async with Site(tmp_path, **{name.removeprefix("REGISTRY_"): value for name, value in variables.items()}) as one:
        yield one


@pytest.fixture
def ann():
    return {"auth": (ANN[0], ANN[1].encode())}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("shown", [None, ("ann", "wrong"), ("bob", "wrong")])
async def test_no_page_is_shown_without_a_right_password(site, path, shown):
    answer = await site.ask(path, auth=shown)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == CHALLENGE
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Sign in first" in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_page_is_in_the_language_of_the_visitor(site):
    answer = await site.ask("/", headers={"Accept-Language": "ko"})
    assert answer.status_code == 401
    assert answer.headers["Content-Language"] == "ko"
    assert "먼저 로그인하세요" in answer.text
    assert "로그인해야 볼 수 있습니다." in answer.text
    assert "Sign in first" not in answer.text


async def test_a_language_that_was_chosen_before_counts_also_there(site, ann):
    switched = await site.ask("/?lang=ko", **ann)
    cookie = switched.headers["Set-Cookie"].partition(";")[0]
    answer = await site.ask("/", headers={"Cookie": cookie})
    assert answer.status_code == 401
    assert answer.headers["Content-Language"] == "ko"


@pytest.mark.parametrize("shown", [None, ("ann", "wrong")])
async def test_a_repository_that_exists_cannot_be_told_from_one_that_does_not(site, ann, shown):
    await site.push("team/app", image("app"), "v1", **ann)
    texts = set()
    for name in ("team/app", "team/non"):
        answer = await site.ask(f"/repositories/{name}", auth=shown)
        text = answer.text.replace(name, "NAME").replace(answer.headers["X-Request-Id"], "ID")
        texts.add((answer.status_code, text))
    assert len(texts) == 1


async def test_with_a_right_password_the_list_and_the_repository_are_shown(site, ann):
    await site.push("team/app", image("app"), "v1", **ann)
    listed, page = await site.ask("/", **ann), await site.ask("/repositories/team/app", **ann)
    assert listed.status_code == page.status_code == 200
    assert "team/app" in listed.text
    assert "docker pull localhost:5000/team/app:v1" in page.text
    assert "Anyone who reaches this port may push and pull." not in listed.text


async def test_what_pages_are_made_of_is_there_for_everybody(site):
    """The page that asks to sign in is to look like one of ours."""
    html = (await site.ask("/")).text
    for path in (part.partition('"')[0] for part in html.split('="/static/')[1:]):
        assert (await site.ask(f"/static/{path}")).status_code == 200


async def test_a_malformed_name_is_refused_before_anybody_is_asked(site):
    answer = await site.ask("/repositories/Team")
    assert answer.status_code == 400
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(("language", "title"), [("en", "Too busy to sign you in"), ("ko", "로그인이 몰려 있습니다")])
async def test_too_many_at_once_are_told_to_come_back(site, ann, monkeypatch, language, title):
    class Crowded:
        async def recognise(self, _shown, _by, _registry):
            message = "Too many clients are signing in at this moment; try again."
            raise TooManyAttempts(message)

    console = dict(site.edge._doors)[""]._at_once()
    monkeypatch.setattr(console, "_entrance", Entrance(Crowded(), basic_challenge("Team registry")))
    answer = await site.ask("/", headers={"Accept-Language": language}, **ann)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert title in answer.text
