# SPDX-License-Identifier: Apache-2.0
"""The page of a repository: its tabs, who sees which, what their forms do, and what they refuse."""

import re
from html import unescape

import pytest

from tests.console.people import Browser, form_of, services_of, user
from tests.console.registry import Site
from tests.console.test_console_repositories import lines, texts
from tests.support.images import artifact, image, platforms
from wharfinger.console.pages import activity, reach, repository
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.policies.retention import make_policy, make_rule
from wharfinger.domain.trust import NewRule
from wharfinger.services.manifests import ManifestPush
from wharfinger.services.repositories import RepositoryChange

APP = "/repositories/acme/app"
NAME = RepositoryName("acme/app")
CHART = "application/vnd.cncf.helm.config.v1+json"


@pytest.fixture
async def town(site):
    """A private repository with three tags; ann has admin on it, wes write, rae read, and sam nothing."""
    for tag in ("v1", "v2", "latest"):
        await site.push("acme/app", image(tag), tag)
    services = services_of(site)
    place = Place(registry_id=1, repository=NAME)
    for name, role in (("ann", Role.ADMIN), ("wes", Role.WRITE), ("rae", Role.READ), ("sam", None)):
        await user(site, name)
        if role is not None:
            await services.grants.give(name, place, role, SYSTEM_ACTOR)
    return site


@pytest.fixture
def signed_in(town):
    async def sign_in(name):
        browser = Browser(town)
        assert (await browser.sign_in(name)).status_code == 303
        return browser

    return sign_in


async def follow(browser, answer):
    """Return the page to which a form led, with what it says."""
    assert answer.status_code == 303, answer.text
    return unescape((await browser.get(answer.headers["location"])).text)


def tabs(html):
    inside = html.partition('<nav class="tabs"')[2].partition("</nav>")[0]
    return re.findall(r">([^<>]+)</a>", inside)


def names(html):
    """The names of the tags in the table."""
    return [unescape(one) for one in re.findall(r"Copy the command that pulls ([^\"]+)\"", html)]


async def test_a_repository_shows_its_tags_the_newest_first_with_what_they_name(site):
    for tag in ("1.0", "1.1"):
        await site.push("acme/app", image(tag), tag)
    newest = await site.push("acme/app", platforms("two"), "1.2", "latest")
    page = await site.ask(APP)
    assert names(page.text) == ["latest", "1.2", "1.1", "1.0"]
    rows = texts(page.text)
    assert [row[3] for row in rows] == ["image index", "image index", "image", "image"]
    assert rows[0][2] == newest.digest.partition(":")[2][:12]
    assert f'title="{newest.digest}"' in page.text
    assert lines(page.text)[:4] == [
        "docker pull localhost:5000/acme/app:latest",
        "podman pull --tls-verify=false localhost:5000/acme/app:latest",
        f"docker pull localhost:5000/acme/app@{newest.digest}",
        f"podman pull --tls-verify=false localhost:5000/acme/app@{newest.digest}",
    ]


async def test_artifacts_are_named_by_type_and_pulled_by_what_understands_them(site):
    await site.push("acme/chart", artifact(b"chart", kind=CHART), "0.4.1_build")
    await site.push("acme/card", artifact(b"card", kind="application/vnd.example.card+json"), "v1")
    chart, card = [(await site.ask(f"/repositories/acme/{name}")).text for name in ("chart", "card")]
    assert texts(chart)[0][3] == f"Helm chart {CHART}"
    assert lines(chart)[0] == "helm pull --plain-http oci://localhost:5000/acme/chart --version 0.4.1+build"
    assert texts(card)[0][3] == "artifact application/vnd.example.card+json"
    assert lines(card)[0] == "oras pull --plain-http localhost:5000/acme/card:v1"
    assert "docker pull" not in card


async def test_pages_of_tags_lead_there_and_back_however_many_there_are(site, monkeypatch):
    monkeypatch.setattr(repository, "TAGS_PAGE", 2)
    for number in range(5):
        await site.push("app", image("one"), f"v{number}")
    seen, way, path = [], [], "/repositories/app"
    while path:
        html = (await site.ask(path)).text
        seen += names(html)
        way.append(names(html))
        onward = re.search(r'rel="next" href="([^"]*)"', html)
        path = onward and "/repositories/app" + unescape(onward[1])
    assert seen == ["v4", "v3", "v2", "v1", "v0"]
    back = re.search(r'rel="prev" href="([^"]*)"', html)
    html = (await site.ask("/repositories/app" + unescape(back[1]))).text
    assert names(html) == way[1]
    assert 'rel="prev"' in html
    html = (await site.ask("/repositories/app" + unescape(re.search(r'rel="prev" href="([^"]*)"', html)[1]))).text
    assert names(html) == way[0]
    assert 'rel="prev"' not in html


async def test_tags_are_found_by_a_part_of_their_name(site, monkeypatch):
    monkeypatch.setattr(repository, "TAGS_PAGE", 2)
    for tag in ("v1-rc1", "v1", "v1-RC2", "v2-rc1"):
        await site.push("app", image(tag), tag)
    html = (await site.ask("/repositories/app?q=-rc")).text
    assert names(html) == ["v2-rc1", "v1-RC2"]
    onward = unescape(re.search(r'rel="next" href="([^"]*)"', html)[1])
    assert names((await site.ask("/repositories/app" + onward)).text) == ["v1-rc1"]
    nothing = (await site.ask("/repositories/app?q=%3Cscript%3E")).text
    assert "No tag's name contains “<script>”." in unescape(nothing)
    assert "<script>" not in nothing


async def test_who_may_do_more_sees_more_tabs_and_nobody_sees_what_is_private(signed_in, town):
    reader = ["Tags", "Description", "Activity"]
    seen = {"ann": [*reader, "People", "Settings"], "wes": [*reader, "Settings"], "rae": reader}
    for name, expected in seen.items():
        assert tabs((await (await signed_in(name)).get(APP)).text) == expected
    sam, rae = await signed_in("sam"), await signed_in("rae")
    settings = ("/-/people", "/-/settings", "/-/delete", "/-/settings/retention")
    for below in ("", "/-/description", "/-/activity", *settings):
        assert (await sam.get(APP + below)).status_code == 404
        assert (await Browser(town).get(APP + below)).status_code == 404
    for below in (*settings, "/-/description/edit"):
        assert (await rae.get(APP + below)).status_code == 403
    wes = await signed_in("wes")
    assert "Danger zone" not in (await wes.get(f"{APP}/-/settings")).text
    assert (await wes.get(f"{APP}/-/people")).status_code == 403


async def test_without_accounts_there_are_settings_and_no_people(site):
    await site.push("acme/app", image("one"), "v1")
    browser = Browser(site)
    assert tabs((await browser.get(APP)).text) == ["Tags", "Description", "Activity", "Settings"]
    settings = (await browser.get(f"{APP}/-/settings")).text
    assert "Visibility" not in settings
    assert "Star" not in settings
    sent = await browser.fill(f"{APP}/-/settings", f"{APP}/-/settings", description="The app", source="")
    assert "The settings were saved." in await follow(browser, sent)
    assert "The app" in (await browser.get(APP)).text


async def test_a_description_is_previewed_saved_and_shown_as_harmless_html(signed_in):
    wes, rae = await signed_in("wes"), await signed_in("rae")
    edit = f"{APP}/-/description/edit"
    text = "# Shop\r\n\r\n<script>alert(1)</script> [x](javascript:alert(1)) ![i](https://example.com/i.png)"
    preview = await wes.fill(edit, edit, markdown=text, do="preview")
    assert preview.status_code == 200
    assert "<h2>Shop</h2>" in preview.text
    assert "not saved yet" in preview.text
    assert "Nobody has written" in (await rae.get(f"{APP}/-/description")).text
    page = await follow(wes, await wes.fill(edit, edit, markdown=text, do="save"))
    assert "The description was saved." in page
    html = (await rae.get(f"{APP}/-/description")).text
    article = html.partition("<article")[2].partition("</article>")[0]
    assert "<h2>Shop</h2>" in article
    assert "&lt;script&gt;" in article
    assert "javascript:" not in re.findall(r'href="([^"]*)"', article)[0]
    assert "<img" not in article
    assert "Written by wes" in html
    assert f"{APP}/-/description/edit" not in html


async def test_a_description_that_somebody_else_changed_is_not_lost(signed_in):
    wes, ann = await signed_in("wes"), await signed_in("ann")
    edit = f"{APP}/-/description/edit"
    old = form_of((await wes.get(edit)).text, edit)
    await ann.fill(edit, edit, markdown="theirs", do="save")
    late = await wes.post(edit, {**old, "markdown": "mine", "do": "save"})
    assert late.status_code == 400
    assert "Somebody changed the description" in late.text
    assert "mine</textarea>" in late.text
    assert "theirs</pre>" in late.text
    again = await wes.post(edit, {**form_of(late.text, edit), "markdown": "both", "do": "save"})
    assert again.status_code == 303
    too_long = await wes.fill(edit, edit, markdown="가" * 25_001, do="save")
    assert too_long.status_code == 400
    assert "at most 25,000" in too_long.text


async def test_chosen_tags_are_deleted_after_a_question_and_come_back(signed_in):
    ann, rae = await signed_in("ann"), await signed_in("rae")
    assert "Delete the chosen tags" not in (await rae.get(APP)).text
    form = form_of((await ann.get(APP)).text, f"{APP}/-/tags/delete")
    nothing = await ann.post(f"{APP}/-/tags/delete", form)
    assert "No tag was chosen" in await follow(ann, nothing)
    one = await ann.post(f"{APP}/-/tags/delete", {**form, "tag": "v1"})
    assert "Delete v1 from acme/app?" in one.text
    asked = await ann.post(f"{APP}/-/tags/delete", {**form, "tag": ["v1", "v2"]})
    assert asked.status_code == 200
    assert "Delete 2 tags of acme/app?" in asked.text
    assert names((await ann.get(APP)).text) == ["latest", "v2", "v1"]
    done = await ann.post(f"{APP}/-/tags/delete", {**form, "tag": ["v1", "v2"], "confirmed": "1"})
    page = await follow(ann, done)
    assert "Deleted v1, v2." in page
    assert names(page) == ["latest"]
    back = await ann.post(f"{APP}/-/tags/restore", {**form, "tag": "v1"})
    assert "The tag v1 is back" in await follow(ann, back)
    assert names((await ann.get(APP)).text) == ["v1", "latest"]
    assert (await rae.post(f"{APP}/-/tags/delete", {**form, "tag": "v1", "confirmed": "1"})).status_code == 403


async def test_an_immutable_tag_is_marked_and_nothing_of_the_choice_is_deleted(signed_in):
    ann = await signed_in("ann")
    sent = await ann.fill(
        f"{APP}/-/settings", f"{APP}/-/settings/immutability", immutable="patterns", patterns="v*, !v2"
    )
    assert "The settings were saved." in await follow(ann, sent)
    html = (await ann.get(APP)).text
    assert [re.findall(r">immutable<", row) != [] for row in html.split("<tr>")[2:]] == [False, False, True]
    form = form_of(html, f"{APP}/-/tags/delete")
    done = await ann.post(f"{APP}/-/tags/delete", {**form, "tag": ["v1", "v2"], "confirmed": "1"})
    page = await follow(ann, done)
    assert "Nothing was deleted." in page
    assert "immutable" in page
    assert names(page) == ["latest", "v2", "v1"]
    await ann.fill(f"{APP}/-/settings", f"{APP}/-/settings/immutability", immutable="all", deletable="on")
    done = await ann.post(f"{APP}/-/tags/delete", {**form, "tag": "v1", "confirmed": "1"})
    assert "Deleted v1." in await follow(ann, done)


@pytest.mark.parametrize(
    ("action", "fields", "says"),
    [
        ("", {"description": "x" * 101, "source": ""}, "at most 100"),
        ("", {"description": "", "source": "javascript:alert(1)"}, "not the address of a repository"),
        ("/immutability", {"immutable": "patterns", "patterns": ""}, "Say which tags are immutable"),
        ("/immutability", {"immutable": "patterns", "patterns": "!v1"}, "exception"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused_beside_its_field(signed_in, action, fields, says):
    ann = await signed_in("ann")
    answer = await ann.fill(f"{APP}/-/settings", f"{APP}/-/settings{action}", **fields)
    assert answer.status_code == 400
    (error,) = re.findall(r'<p class="error"[^>]*>(.*?)</p>', answer.text)
    assert says in unescape(error)
    assert all(f'value="{value}"' in answer.text for value in fields.values() if value)


async def test_an_empty_source_that_nobody_set_stays_for_a_manifest_to_fill(signed_in, town):
    ann = await signed_in("ann")
    await ann.fill(f"{APP}/-/settings", f"{APP}/-/settings", description="x", source="")
    ((source,),) = await services_of(town).accounts._database.read(
        lambda c: [tuple(row) for row in c.exec_driver_sql("SELECT source FROM repositories WHERE name = 'acme/app'")]
    )
    assert source is None


async def test_visibility_is_set_and_decides_who_sees_the_page(signed_in, town):
    ann = await signed_in("ann")
    sent = await ann.fill(f"{APP}/-/settings", f"{APP}/-/settings/visibility", visibility="public")
    assert "The settings were saved." in await follow(ann, sent)
    page = await Browser(town).get(APP)
    assert page.status_code == 200
    assert tabs(page.text) == ["Tags", "Description", "Activity"]
    wrong = await ann.fill(f"{APP}/-/settings", f"{APP}/-/settings/visibility", visibility="secret")
    assert wrong.status_code == 400


async def test_a_repository_is_deleted_by_its_name_and_the_page_says_where_it_is(signed_in):
    ann = await signed_in("ann")
    delete = f"{APP}/-/delete"
    for typed in ("", "acme/ap", "ACME/APP"):
        wrong = await ann.fill(delete, delete, typed=typed)
        assert wrong.status_code == 400
        assert "This is not acme/app." in wrong.text
    assert (await ann.get(APP)).status_code == 200
    page = await follow(ann, await ann.fill(delete, delete, typed=" acme/app "))
    assert "acme/app is in the trash with all its tags" in page
    assert 'href="/trash">Bring it back' in page
    assert (await ann.get(APP)).status_code == 404


async def test_where_deletion_is_off_the_page_says_by_which_setting(tmp_path):
    async with Site(tmp_path, STORAGE_DELETE_ENABLED="false") as site:
        await site.push("acme/app", image("one"), "v1")
        html = (await site.ask(APP)).text
        assert "storage.delete.enabled: true" in html
        assert "Delete the chosen tags" not in html
        assert "storage.delete.enabled: true" in (await site.ask(f"{APP}/-/settings")).text
        browser = Browser(site)
        delete = f"{APP}/-/delete"
        refused = await follow(browser, await browser.fill(delete, delete, typed="acme/app"))
        assert "Nothing was deleted." in refused
        assert (await site.ask(APP)).status_code == 200


async def test_roles_are_given_and_taken_and_the_page_says_why_each_counts(signed_in, town):
    ann = await signed_in("ann")
    services = services_of(town)
    await services.grants.give("sam", Place(registry_id=1, namespace="acme"), Role.READ, SYSTEM_ACTOR)
    await services.grants.give("sam", DEPLOYMENT, Role.READ, SYSTEM_ACTOR)
    people = f"{APP}/-/people"
    rows = [row[:3] for row in texts((await ann.get(people)).text)]
    assert rows == [
        ["ann", "admin", "a role on this repository"],
        ["wes", "write", "a role on this repository"],
        ["rae", "read", "a role on this repository"],
        ["sam", "read", "a role on the namespace does not count"],
        ["sam", "read", "a role on the deployment"],
    ]
    page = await follow(ann, await ann.fill(people, people, subject=" sam ", role="write"))
    assert "sam may pull from and push to acme/app now." in page
    page = await follow(ann, await ann.fill(people, f"{people}/take", subject="sam"))
    assert "sam has no role on acme/app itself any more." in page
    page = await follow(ann, await ann.fill(people, f"{people}/inheritance"))
    assert "What the namespace gives counts here now." in page
    assert "does not count" not in page
    page = await follow(ann, await ann.fill(people, f"{people}/inheritance"))
    assert "does not count here any more" in page


async def test_trust_rules_that_reach_it_are_shown_with_a_link_for_who_may_change_them(signed_in, town):
    services = services_of(town)
    numbers = {}
    for name, place in (
        ("own", Place(registry_id=1, repository="acme/app")),
        ("shared", Place(registry_id=1, namespace="acme")),
    ):
        rule = NewRule(
            name=name,
            issuer="https://issuer.example.com",
            audience="us",
            conditions={"sub": ("<b>x</b>",)},
            place=place,
            role=Role.WRITE,
        )
        numbers[name] = (await services.trust.create(rule, SYSTEM_ACTOR)).id
    page = (await (await signed_in("ann")).get(f"{APP}/-/people")).text
    table = page.partition('aria-labelledby="workloads"')[2]
    assert f'href="{APP}/-/trust/{numbers["own"]}"' in table
    assert [row[0] for row in texts(table)] == ["own", "shared"]
    assert texts(table)[1][3] == "on the namespace does not count"
    assert "/accounts/acme/-/trust" not in table, "ann manages the repository, and not the namespace"


async def test_many_people_come_page_by_page(signed_in, monkeypatch):
    monkeypatch.setattr(reach, "ROWS", 2)
    ann = await signed_in("ann")
    first = (await ann.get(f"{APP}/-/people")).text
    assert [row[0] for row in texts(first)] == ["ann", "wes"]
    assert 'rel="next" href="?from=2"' in first
    second = (await ann.get(f"{APP}/-/people?from=2")).text
    assert [row[0] for row in texts(second)] == ["rae"]
    assert 'rel="next"' not in second
    assert "Nobody more after this point." in (await ann.get(f"{APP}/-/people?from=4")).text
    for wrong in ("-1", "x", "1234567"):
        assert (await ann.get(f"{APP}/-/people?from={wrong}")).status_code == 400


async def test_the_way_to_a_repository_leads_over_its_namespace(signed_in):
    page = (await (await signed_in("rae")).get(APP)).text
    crumbs = re.search(r'<nav class="crumbs".*?</nav>', page, re.DOTALL)[0]
    assert re.findall(r'<li>(?:<a href="([^"]*)">)?([^<]*)', crumbs) == [
        ("/", "Repositories"),
        ("/accounts/acme", "acme"),
        ("", "app"),
    ]


@pytest.mark.parametrize(("subject", "role"), [("nobody", "read"), ("A b", "read"), ("sam", "owner"), ("", "read")])
async def test_a_role_that_cannot_be_given_is_refused_beside_the_field(signed_in, subject, role):
    ann = await signed_in("ann")
    people = f"{APP}/-/people"
    answer = await ann.fill(people, people, subject=subject, role=role)
    assert answer.status_code == 400
    assert re.search(r'<p class="error" id="subject-error">.+</p>', answer.text)


async def test_activity_shows_readers_what_was_done_and_admins_roles_too(signed_in):
    ann, rae = await signed_in("ann"), await signed_in("rae")
    seen = {name: [row[0] for row in texts_of_events((await one.get(f"{APP}/-/activity")).text)]
            for name, one in (("ann", ann), ("rae", rae))}  # fmt: skip
    assert seen["ann"].count("Role given") == 3
    assert "Role given" not in seen["rae"]
    assert seen["rae"][:2] == ["Tag made", "Manifest pushed"]
    assert seen["rae"][-1] == "Repository made"
    assert "127.0.0.1" not in (await rae.get(f"{APP}/-/activity")).text.partition("<main")[2].partition("</main>")[0]


def texts_of_events(html):
    return texts(html.partition('class="rows events"')[2])


async def test_activity_comes_in_pages(signed_in, monkeypatch):
    monkeypatch.setattr(activity, "EVENTS_PAGE", 4)
    rae = await signed_in("rae")
    seen, path = [], f"{APP}/-/activity"
    while path:
        html = (await rae.get(path)).text
        assert ("Nobody has pulled from it in 90 days." in html) is ("before=" not in path)
        seen += [row[0] for row in texts_of_events(html)]
        onward = re.search(r'rel="next" href="([^"]*)"', html)
        path = onward and f"{APP}/-/activity" + unescape(onward[1])
    assert seen.count("Tag made") == 3
    assert seen[-1] == "Repository made"
    assert (await rae.get(f"{APP}/-/activity?before=x")).status_code == 400


async def test_pulls_are_drawn_and_counted_for_each_tag(signed_in, town):
    rae = await signed_in("rae")
    await town.ask("/v2/acme/app/manifests/v1")  # refused: no pull
    services = services_of(town)
    found = await services.manifests.find(await services.registries.on_host(""), NAME, "v1")
    services.pulls.note(("192.0.2.1", None), found.id, "v1", fetched=True)
    await services.pulls.flush()
    assert {row[1]: row[4] for row in padded(texts((await rae.get(APP)).text))} == {"latest": "0", "v2": "0", "v1": "1"}
    html = (await rae.get(f"{APP}/-/activity")).text
    assert "1 pull in 90 days" in html
    assert '<rect class="bar"' in html


def padded(rows):
    """Rows of readers have no column of check boxes."""
    return [["", *row] for row in rows]


async def test_a_star_is_given_counted_and_taken_back(signed_in, town):
    rae, ann = await signed_in("rae"), await signed_in("ann")
    for browser in (rae, ann):
        assert (await browser.fill(APP, f"{APP}/-/star")).status_code == 303
    html = (await rae.get(APP)).text
    assert 'aria-pressed="true"' in html
    assert re.search(r'Star <span class="quiet">2</span>', html)
    assert (await rae.fill(APP, f"{APP}/-/unstar")).status_code == 303
    assert 'aria-pressed="false"' in (await rae.get(APP)).text
    change = RepositoryChange(visibility=Visibility.PUBLIC)
    services = services_of(town)
    await services.repositories.change(await services.registries.on_host(""), NAME, change, SYSTEM_ACTOR)
    visitor = (await Browser(town).get(APP)).text
    assert "<dt>Stars</dt><dd>1</dd>" in visitor
    assert "/-/star" not in visitor


async def test_retention_is_tried_saved_and_does_exactly_what_the_page_said(signed_in, town):
    ann = await signed_in("ann")
    page = f"{APP}/-/settings/retention"
    rules = {"name-0": "releases", "tags-0": "v*", "newest-0": "1", "untagged": ""}
    tried = await ann.fill(page, page, **rules, do="preview")
    assert tried.status_code == 200
    assert "1 goes. 2 stay." in tried.text
    assert "Do exactly this now" not in tried.text
    assert "Everything stays" in (await ann.get(f"{APP}/-/settings")).text
    shown = await follow(ann, await ann.fill(page, page, **rules, do="save"))
    assert "The rules were saved." in shown
    assert 'value="releases"' in shown
    run = form_of(shown, f"{page}/run")
    again = ManifestPush(content=image("v1").manifest.content, content_type=None, digest=None, tags=("v3",))
    services = services_of(town)
    await services.manifests.put(await services.registries.on_host(""), NAME, again, SYSTEM_ACTOR)
    late = await follow(ann, await ann.post(f"{page}/run", run))
    assert "Nothing was deleted." in late
    done = await follow(ann, await ann.fill(page, f"{page}/run"))
    assert "Tags and manifests deleted: 2." in done
    assert names((await ann.get(APP)).text) == ["v3", "latest"]
    gone = await follow(ann, await ann.fill(page, f"{page}/follow"))
    assert "no rules of its own any more" in gone


async def test_rules_of_the_namespace_are_shown_as_its_and_wrong_ones_are_kept_in_the_form(signed_in, town):
    ann = await signed_in("ann")
    services = services_of(town)
    policy = make_policy([make_rule("all", "*", moved_within=30)])
    await services.retention.set_for_namespace(await services.registries.on_host(""), "acme", policy, SYSTEM_ACTOR)
    page = f"{APP}/-/settings/retention"
    html = (await ann.get(page)).text
    assert "These are the rules of the namespace acme." in html
    assert 'name="moved-0" type="number" value="30"' in html
    for fields, says in (
        ({"name-0": "x", "tags-0": "v*", "newest-0": "many"}, "is not a number"),
        ({"name-0": "x", "tags-0": "v*"}, "keep"),
        ({"name-0": "<b>", "tags-0": "v*", "newest-0": "1"}, "name"),
    ):
        wrong = await ann.fill(page, page, **fields, do="save")
        assert wrong.status_code == 400
        assert says in unescape(wrong.text.partition('class="message danger"')[2][:500])
        assert "<b>" not in wrong.text


async def test_the_pages_of_another_registry_keep_its_beginning(site):
    await site.push("acme/app", image("one"), "v1")
    here = "/registries/default/-"
    for below in ("", "/-/description", "/-/activity", "/-/settings", "/-/settings/retention"):
        html = (await site.ask(f"{here}{APP}{below}")).text
        inside = html.partition("<main")[2].partition("</main>")[0]
        links = re.findall(r'(?:href|action)="(/[^"]*)"', inside)
        assert links
        assert all(link.startswith(here) for link in links), links


async def test_ones_own_stars_are_listed_and_taken_back_there(signed_in, town):
    rae, ann = await signed_in("rae"), await signed_in("ann")
    assert "No stars yet" in (await rae.get("/profile/stars")).text
    await rae.fill(APP, f"{APP}/-/star")
    assert [row[0] for row in texts((await rae.get("/profile/stars")).text)] == ["acme/app"]
    assert "No stars yet" in (await ann.get("/profile/stars")).text
    page = await follow(rae, await rae.fill("/profile/stars", "/profile/stars"))
    assert "acme/app has no star of yours any more." in page
    assert "No stars yet" in page
    assert (await Browser(town).get("/profile/stars")).headers["location"].startswith("/sign-in")
    assert (await rae.get("/profile/stars?after=NOT")).status_code == 400
