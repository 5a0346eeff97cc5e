# SPDX-License-Identifier: Apache-2.0
"""The list of repositories, and what every page has in common: sizes, commands, and addresses that lead nowhere."""

import re
from html import unescape

import pytest

from tests.console.people import services_of
from tests.console.registry import Site
from tests.support.images import artifact, image, index
from wharfinger.console import listing
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.services.repositories import RepositoryChange

CHART = "application/vnd.cncf.helm.config.v1+json"


def texts(html):
    """The text of every cell and heading of every row of the table, by row."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[" ".join(unescape(re.sub(r"<[^>]*>", "", cell)).split()) for cell in row] for row in cells]


def lines(html):
    """Every command on the page."""
    found = re.findall(r"<dd data-copy><code>(.*?)</code>", html, re.DOTALL)
    return [unescape(re.sub(r"<[^>]*>", "", one)) for one in found]


def size_of(*things):
    """The bytes that a registry keeps of these, each blob and manifest once."""
    kept = {one.digest: len(one.content) for thing in things for one in (*thing.blobs, *thing.manifests)}
    return sum(kept.values())


async def test_an_empty_registry_teaches_the_next_command(site):
    page = await site.ask("/")
    assert page.status_code == 200
    assert "Nothing here yet" in page.text
    assert lines(page.text) == [
        "docker tag hello localhost:5000/hello && docker push localhost:5000/hello",
        "podman push --tls-verify=false hello localhost:5000/hello",
    ]


async def test_the_list_shows_what_is_there_the_one_that_changed_last_first(site):
    await site.push("acme/app", image("app"), "1", "latest")
    await site.push("charts/web", artifact(b"chart", kind=CHART), "0.1")
    rows = texts((await site.ask("/")).text)
    assert [row[:4] for row in rows] == [["charts/web", "Helm chart", "1", "0"], ["acme/app", "image", "2", "0"]]
    assert re.fullmatch(r"[\d.,]+ .*B|\d+ bytes?", rows[0][4]), rows
    assert re.fullmatch(r"\d+ seconds? ago", rows[0][5]), rows


@pytest.mark.parametrize(
    ("order", "pages"),
    [
        ("", [["f", "e"], ["d", "b/c"], ["a"]]),
        *((f"order={one}", [["a", "b/c"], ["d", "e"], ["f"]]) for one in ("name", "pulls", "stars", "size")),
    ],
)
async def test_the_list_leads_on_and_back_page_by_page(site, monkeypatch, order, pages):
    monkeypatch.setattr(listing, "ROWS", 2)
    for name in ("a", "b/c", "d", "e", "f"):
        await site.push(name, image("same"), "1")

    async def walk(path, way):
        shown = []
        while path:
            html = (await site.ask(path)).text
            shown.append([row[0] for row in texts(html)])
            last, onward = path, re.search(rf'rel="{way}" href="(\?[^"]*)"', html)
            path = onward and "/" + unescape(onward[1])
        return shown, last

    shown, last = await walk(f"/?{order}", "next")
    assert shown == pages
    back, first = await walk(last, "prev")
    assert back == pages[::-1]
    assert "First page" not in (await site.ask(first)).text
    beyond = await site.ask("/?order=name&after=1.zzz")
    assert "No more repositories" in beyond.text


async def test_links_sort_the_list_and_keep_what_it_was_narrowed_by(site):
    await site.push("acme/app", image("app"), "1")
    html = (await site.ask("/?q=app&order=stars")).text.partition('class="filter"')[2].partition("</form>")[0]
    links = [unescape(one) for one in re.findall(r'<li><a href="(\?q=[^"]*)">', html)]
    assert links == ["?q=app", "?q=app&order=name", "?q=app&order=pulls", "?q=app&order=size"]
    for one in links:
        assert [row[0] for row in texts((await site.ask(f"/{one}")).text)] == ["acme/app"]


@pytest.mark.parametrize(
    ("query", "names"),
    [("q=APP", ["acme/app"]), ("q=b_c", ["b_c"]), ("q=%25", []), ("q=+app+", ["acme/app"]), ("q=tuesdays", ["hello"])],
)
async def test_the_list_is_narrowed_by_names_and_descriptions(site, query, names):
    for name in ("acme/app", "b_c", "bxc", "hello"):
        await site.push(name, image("same"), "1")
    services = services_of(site)
    change = RepositoryChange(description="Deployed on Tuesdays")
    await services.repositories.change(await services.registries.on_host(""), "hello", change, SYSTEM_ACTOR)
    page = await site.ask(f"/?{query}")
    assert [row[0].split()[0] for row in texts(page.text)] == names
    assert ("Nothing here has" in page.text) is (not names)


@pytest.mark.parametrize("query", ["order=weight", "after=x", "after=1.UPPER", "before=1", "after=" + "9" * 30 + ".a"])
async def test_a_list_that_cannot_be_asked_for_is_refused(site, query):
    assert (await site.ask(f"/?{query}")).status_code == 400


async def test_over_tls_no_command_weakens_it(site):
    await site.push("acme/app", image("tls"), "1")
    html = (await site.ask("/repositories/acme/app", scheme="https", host="registry.example.com")).text
    assert "podman pull registry.example.com/acme/app:1" in lines(html)
    assert "tls-verify" not in html
    assert "insecure" not in html


async def test_a_repository_without_tags_says_so(site):
    pushed = await site.push("app", image("bare"))
    html = (await site.ask("/repositories/app")).text
    assert "No tags." in html
    assert lines(html)[0] == "docker tag app localhost:5000/app && docker push localhost:5000/app"
    assert (await site.ask(f"/v2/app/manifests/{pushed.digest}", "DELETE")).status_code == 202
    assert (await site.ask("/repositories/app")).status_code == 200


async def test_sizes_count_what_is_here_once_and_nothing_that_was_deleted(tmp_path):
    async with Site(tmp_path) as site:
        shared = {"opt/shared": bytes(range(256)) * 40}
        one, two = image("one", layers=[shared, {"one": b"1"}]), image("two", layers=[shared, {"two": b"2"}])
        both = index([one, two])
        await site.push("app", both, "both")
        await site.push("app", one, "one")
        gone = await site.push("app", image("gone"), "gone")
        services = site.edge._doors[0][1]._services
        registry = services.registries.default
        assert (await services.repositories.summary(registry, "app")).size == size_of(both, gone)
        await site.ask(f"/v2/app/manifests/{gone.digest}", "DELETE")
        summary = await services.repositories.summary(registry, "app")
        assert (summary.size, summary.manifests, summary.tags) == (size_of(both), 3, 2)
        sizes = {tag.name: tag.size for tag in await services.tags.summaries(registry, "app", 10)}
        assert sizes == {"both": size_of(both), "one": size_of(one)}


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/repositories/acme/none", 404, "No such repository"),
        ("/repositories/ACME/App", 400, "acme/app"),
        ("/repositories/%3Cscript%3E", 400, "Not a repository name"),
        ("/repositories/", 404, "Nothing here"),
        ("/nothing", 404, "Nothing here"),
        ("//evil.example", 404, "Nothing here"),
        ("/static/../door.py", 404, "Nothing here"),
        ("/?after=NOT", 400, "Not understood"),
        ("/repositories/app?after=-1", 400, "Not understood"),
        ("/repositories/app?before=99999", 400, "Not understood"),
        ("/repositories/app?tag=a&tag=b", 400, "Not understood"),
        ("/?x=%FF", 400, "Not understood"),
    ],
)
async def test_a_bad_address_gets_a_page_that_helps(site, path, status, says):
    await site.push("app", image("app"), "1")
    page = await site.ask(path)
    assert page.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert says in unescape(page.text)
    assert 'href="/"' in page.text
    assert page.headers["x-request-id"] in page.text
    assert "<script>" not in page.text
