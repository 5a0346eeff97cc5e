# SPDX-License-Identifier: Apache-2.0
"""The page that says why somebody may do something, or may not: its answer, its way on, and what it keeps to itself."""

import itertools
import re
from html import unescape

import pytest

from tests.console.people import HORSE, Browser, services_of, user
from tests.console.registry import Site
from tests.support.images import image
from wharfinger.console.languages import load
from wharfinger.console.rules import ACTIONS, CHANGES
from wharfinger.domain.access import Access, Mode, Role, Standing, Visibility, decide
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.content import ContentKind
from wharfinger.domain.explanations import Change
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import ANONYMOUS, SYSTEM_ACTOR, Principal
from wharfinger.domain.names import RepositoryName


@pytest.fixture
async def site(tmp_path):
    """Return a registry with a private repository of ann, which bob may pull and eve may not."""
    async with Site(tmp_path) as one:
        for name in ("ann", "bob", "eve"):
            await user(one, name)
        await one.push("ann/app", image("access"), "v1", auth=("ann", HORSE))
        registry = (await services_of(one).registries.all())[0]
        place = Place(registry_id=registry.id, repository=RepositoryName("ann/app"))
        await services_of(one).grants.give(AccountName("bob"), place, Role.READ, SYSTEM_ACTOR)
        yield one


@pytest.fixture
async def ask(site):
    """Return a function that asks as somebody, and answers with the page."""

    async def asked(visitor, who="", action="pull", what="ann/app", **more):
        browser = Browser(site)
        await browser.sign_in(visitor)
        return await browser.get(f"/access?who={who}&action={action}&what={what}", **more)

    return asked


def answer_of(page):
    """Return yes or no, and the rule."""
    badge = re.search(r'<h2 id="answer">\s*<span class="badge[^>]*>(\w+)<', page.text)
    rule = re.search(r"<dt>Rule</dt><dd[^>]*>(.*?)</dd>", page.text)
    return badge[1], unescape(rule[1])


def steps_of(page):
    found = re.findall(r'<ul class="steps">(.*?)</ul>', page.text, re.DOTALL)
    return re.findall(r'<li>(?:<a href="([^"]+)">)?([^<]+)', found[0]) if found else []


async def test_the_page_asks_who_what_and_where_and_begins_with_oneself(ask):
    page = await ask("ann", what="")
    assert page.status_code == 200
    assert 'value="ann"' in page.text
    assert 'id="answer"' not in page.text


async def test_a_yes_names_its_rule(ask):
    page = await ask("ann", "bob")
    assert answer_of(page) == ("yes", "read on the repository")
    assert steps_of(page) == []


async def test_a_no_says_what_is_needed_and_leads_to_where_it_is_given(ask):
    page = await ask("ann", "bob", "push")
    assert answer_of(page)[0] == "no"
    assert steps_of(page) == [
        ("/repositories/ann/app/-/people", "Give bob the role write on the repository ann/app."),
    ]
    page = await ask("ann", "eve", "pull")
    assert (
        "/repositories/ann/app/-/settings",
        "Make the repository ann/app internal: every account may pull then.",
    ) in (steps_of(page))


async def test_in_korean_the_rule_and_the_steps_are_korean(ask):
    page = await ask("ann", "bob", "push", headers={"Accept-Language": "ko"})
    assert "저장소의 write 역할이 필요합니다" in page.text
    assert "you need the role" not in page.text


async def test_about_others_only_who_administers_the_repository_is_told(ask):
    for visitor in ("bob", "eve"):
        page = await ask(visitor, "ann")
        assert page.status_code == 400
        assert 'id="answer"' not in page.text
    assert "There is no repository" in unescape((await ask("eve", "ann")).text)
    absent = await ask("eve", "ann", what="ann/nothing")
    private = await ask("eve", "ann")
    texts = [one.text.partition("<main")[2].partition("</main>")[0] for one in (absent, private)]
    assert texts[0].replace("ann/nothing", "ann/app") == texts[1]


async def test_about_oneself_a_private_repository_looks_like_one_that_is_not_there(ask):
    private, absent = await ask("eve"), await ask("eve", what="ann/nothing")
    assert answer_of(private) == answer_of(absent) == ("no", "you need the role read on the repository")
    assert private.text.count("<table") == absent.text.count("<table") == 0


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"who": "nobody-here"}, "There is no account"),
        ({"who": "Not A Name"}, "is not"),
        ({"what": "Not/A/Name"}, "is not"),
        ({"action": "fly"}, "is nothing that is done"),
        ({"who": "%3Cb%3Ex"}, "is not"),
    ],
)
async def test_what_cannot_be_asked_is_said_beside_its_field(ask, question, said):
    page = await ask("ann", **{"who": "bob", **question})
    assert page.status_code == 400
    assert said in unescape(page.text)
    assert 'aria-invalid="true"' in page.text
    assert "<b>x" not in page.text


async def test_who_did_not_sign_in_is_led_to_do_so(site):
    answer = await site.ask("/access?what=ann/app")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in")


def rules():
    """Every sentence by which a decision about a repository can be explained, without those that name somebody."""
    name, found = RepositoryName("acme/app"), set()
    roles = list(itertools.product(Role, repeat=2))
    for principal, action, (wide, near), exists, visibility in itertools.product(
        (ANONYMOUS, Principal(name="ann", account_id=1)), ACTIONS, roles, (True, False), Visibility
    ):
        standing = Standing(repository_id=7 if exists else None, visibility=visibility if exists else None)
        for fields in (
            {"on_deployment": wide, "on_registry": near},
            {"on_namespace": wide, "on_repository": near, "inherits": True},
            {"on_namespace": wide, "owns_namespace": bool(near)},
            {"is_member": bool(wide), "inherits": True, "anonymous_pull": bool(near)},
            {"suspended": bool(wide)},
        ):
            values = {slot: getattr(standing, slot) for slot in ("repository_id", "visibility")}
            decision = decide(Mode.ACCOUNTS, principal, Access(action, name), Standing(**{**values, **fields}))
            found.add(decision.rule)
    return found


def test_every_rule_and_every_change_has_a_text_to_be_translated():
    korean = load()["ko"].translations.gettext
    said = {rule: rule.said(korean) for rule in rules()}
    assert not {rule for rule, text in said.items() if text == rule}
    assert set(CHANGES) == set(Change)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Pushing Helm charts is switched off in this deployment"), ("ko", "그래도 거부되는 것")],
)
async def test_a_yes_to_a_push_says_which_kinds_are_refused_all_the_same(site, ask, language, said):
    page = await ask("ann", "", "push", headers={"Accept-Language": language})
    assert said not in page.text
    await services_of(site).content.change({ContentKind.CHART: False}, SYSTEM_ACTOR)
    page = await ask("ann", "", "push", headers={"Accept-Language": language})
    assert said in page.text
