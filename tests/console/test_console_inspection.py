# SPDX-License-Identifier: Apache-2.0
"""The pages of a tag and of a manifest: what is inside, what is attached, how to use it, and what it was before."""

import asyncio
import json
import re
import subprocess
from html import unescape

import pytest

from tests.console.people import Browser, services_of, user
from tests.console.test_console_repositories import lines, texts
from tests.protocol.content import descriptor, image, manifest_descriptor
from tests.support.builds import NOTATION, attach, build, chart, cosign, several
from tests.support.images import as_json, digest_of
from wharfinger.clock import SECOND
from wharfinger.console import insides
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName

NAME = "acme/app"
TAGS = f"/repositories/{NAME}/-/tags"
STEPS = (
    ("/bin/sh -c #(nop) ADD rootfs /", b"base" * 100),
    ("ENV A=1", None),
    ("RUN /bin/sh -c make # buildkit", b"made"),
)
INSIDE = {"Env": ["PATH=/bin", "TOKEN=not hidden"], "Entrypoint": ["/app", "a b"], "User": "app", "Labels": {"k": "v"}}
HOSTILE = '"><img src=x onerror="alert(1)"><script>alert(2)</script>'


class Shelf:
    """What `tests.support.builds` pushes to, at a site without a socket: everything is kept, and pushed in the end."""

    def __init__(self):
        self.calls = []

    def push_blob(self, content, _algorithm="sha256"):
        path = f"blobs/uploads/?digest={digest_of(content)}"
        self.calls.append(("POST", path, content, "application/octet-stream"))

    def push(self, document, *tags):
        content = as_json(document)
        for reference in tags or (digest_of(content),):
            self.calls.append(("PUT", f"manifests/{reference}", content, document["mediaType"]))
        return digest_of(content)

    async def deliver(self, site, *names):
        for name in names or (NAME,):
            await self._deliver(site, name)
        self.calls.clear()

    async def _deliver(self, site, name):
        for method, path, content, media_type in self.calls:
            answer = await site.ask(f"/v2/{name}/{path}", method, content=content, headers={"Content-Type": media_type})
            assert answer.status_code == 201, answer.text


@pytest.fixture
def shelf():
    return Shelf()


def shown(html):
    """The text of a page, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def section(html, name):
    """The part of a page that begins with this heading."""
    return html.partition(f'<h2 id="{name}"')[2].partition("</section>")[0]


async def test_a_tag_shows_layers_with_their_commands_and_what_runs(site, shelf):
    digest = shelf.push(build(shelf, *STEPS, inside=INSIDE, annotations={"note": "one"}), "v1", "latest")
    await shelf.deliver(site)
    page = (await site.ask(f"{TAGS}/v1")).text
    assert [row[0] for row in texts(section(page, "layers"))] == ["1 ADD rootfs /", "2 RUN make"]
    assert [row[2] for row in texts(section(page, "layers"))] == ["400 B", "4 B"]
    facts = shown(section(page, "configuration"))
    assert "Platform linux/amd64 Entrypoint /app 'a b' Runs as app" in facts
    assert texts(section(page, "environment")) == [["PATH", "/bin"], ["TOKEN", "not hidden"]]
    assert texts(section(page, "labels")) == [["k", "v"]]
    assert texts(section(page, "annotations")) == [["note", "one"]]
    assert "Also called latest" in shown(page)
    assert digest in page
    assert page.count('<rect class="layer') == 2


async def test_commands_are_for_each_tool_and_name_the_digest_where_it_must_not_change(site, shelf):
    digest = shelf.push(build(shelf, *STEPS), "v1")
    await shelf.deliver(site)
    page = (await site.ask(f"{TAGS}/v1")).text
    assert lines(page) == [
        f"docker pull localhost:5000/{NAME}:v1",
        f"podman pull --tls-verify=false localhost:5000/{NAME}:v1",
        f"nerdctl --insecure-registry pull localhost:5000/{NAME}:v1",
        f"skopeo copy --src-tls-verify=false docker://localhost:5000/{NAME}:v1 oci:app:v1",
        f"docker pull localhost:5000/{NAME}@{digest}",
        f"FROM localhost:5000/{NAME}:v1@{digest}",
    ]
    assert "no secret is needed" in page
    assert f"image: localhost:5000/{NAME}@{digest}" in page
    by_digest = (await site.ask(f"/repositories/{NAME}/-/manifests/{digest}")).text
    assert f"podman pull --tls-verify=false localhost:5000/{NAME}@{digest}" in lines(by_digest)
    assert f"FROM localhost:5000/{NAME}@{digest}" in lines(by_digest)
    assert shown(by_digest).count("Tags v1") == 1


async def test_an_index_has_a_switch_for_its_platforms(site, shelf):
    images = {machine: build(shelf, *STEPS, architecture=machine) for machine in ("amd64", "arm64")}
    shelf.push(several(shelf, images, attested=True), "v1")
    await shelf.deliver(site)
    page = (await site.ask(f"{TAGS}/v1")).text
    switch = page.partition('class="tabs platforms"')[2].partition("</nav>")[0]
    assert shown("<" + switch).split() == ["linux/amd64", "linux/arm64"]
    assert "unknown" not in switch
    assert "Platform linux/amd64" in shown(page)
    assert texts(section(page, "attached").partition("To the image")[2])[0][0] == "attestation SPDX, SLSA provenance"
    arm = (await site.ask(f"{TAGS}/v1?platform=linux/arm64")).text
    assert "Platform linux/arm64" in shown(arm)
    assert f"docker pull --platform linux/arm64 localhost:5000/{NAME}:v1" in lines(arm)
    wrong = await site.ask(f"{TAGS}/v1?platform=linux/s390x")
    assert wrong.status_code == 400


async def test_what_is_attached_is_a_tree_with_names_for_what_is_known(site, shelf):
    digest = shelf.push(build(shelf, *STEPS), "v1")
    bill = attach(shelf, digest, "application/spdx+json", b"sbom")
    attach(shelf, bill, NOTATION, b"jose")
    attach(shelf, digest, "application/vnd.example.thing", b"thing")
    cosign(shelf, digest)
    await shelf.deliver(site)
    page = (await site.ask(f"{TAGS}/v1")).text
    rows = [row[0] for row in texts(section(page, "attached"))]
    assert sorted(rows) == [
        "SBOM SPDX",
        "artifact application/vnd.example.thing",
        "signature Notation",
        "signature cosign",
    ]
    assert rows.index("signature Notation") == rows.index("SBOM SPDX") + 1
    assert 'class="depth-1"' in page
    attached = (await site.ask(f"/repositories/{NAME}/-/manifests/{bill}")).text
    assert "Attached to" in shown(attached)


async def test_a_chart_is_pulled_by_helm_and_says_what_it_is(site, shelf):
    chart(shelf, "1.2.3", name="shop", version="1.2.3", description=HOSTILE)
    await shelf.deliver(site)
    page = (await site.ask(f"{TAGS}/1.2.3")).text
    assert lines(page)[0] == f"helm pull --plain-http oci://localhost:5000/{NAME} --version 1.2.3"
    assert "Name shop Version 1.2.3" in shown(section(page, "chart"))
    assert "Kubernetes" not in page
    assert "<script>alert" not in page


async def test_a_platform_that_was_never_pushed_is_said_to_be_missing(site, shelf):
    present = build(shelf, *STEPS)
    absent = image(descriptor(b"{}"), [])
    shelf.push(present)
    listed = [
        manifest_descriptor(absent, platform={"os": "linux", "architecture": "amd64"}),
        manifest_descriptor(present, platform={"os": "linux", "architecture": "arm64"}),
    ]
    media_type = "application/vnd.oci.image.index.v1+json"
    shelf.push({"schemaVersion": 2, "mediaType": media_type, "manifests": listed}, "v1")
    await shelf.deliver(site)
    page = (await site.ask(f"{TAGS}/v1?platform=linux/amd64")).text
    assert "never pushed to this repository" in page
    assert "never pushed" not in (await site.ask(f"{TAGS}/v1")).text


async def test_hostile_content_is_text_and_a_page_stays_small(site, shelf):
    words = {f"{number} {HOSTILE}": HOSTILE * 100 for number in range(150)}
    steps = [(HOSTILE * 50, b"layer %d" % number) for number in range(300)]
    inside = {
        "Env": [f"{name}={value}" for name, value in words.items()],
        "Labels": words,
        "Cmd": [HOSTILE, "a\u202eb"],
    }
    shelf.push(build(shelf, *steps, inside=inside, annotations=words, author="\x1b[31m"), "v1")
    await shelf.deliver(site)
    answer = await site.ask(f"{TAGS}/v1")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "a\\u202eb" in answer.text
    assert "\u202e" not in answer.text
    assert "the management API has them" in answer.text
    assert "170 more layers" in answer.text
    assert len(answer.content) < 500_000


@pytest.mark.parametrize(
    ("config", "korean"),
    [
        (b"\xff", "JSON이 아닙니다."),
        (b"[]", "JSON 객체가 아닙니다."),
        (b'{"a":' * 50_000, "너무 깊이 중첩되어 있습니다."),
    ],
    ids=["bytes", "list", "deep"],
)
async def test_a_config_that_cannot_be_read_is_said_and_layers_are_shown(site, shelf, config, korean):
    shelf.push_blob(config)
    shelf.push_blob(b"layer")
    config_type = "application/vnd.oci.image.config.v1+json"
    shelf.push(image(descriptor(config, config_type), [descriptor(b"layer")]), "v1")
    await shelf.deliver(site)
    page = (await site.ask(f"{TAGS}/v1")).text
    assert "cannot be read" in page
    assert len(texts(section(page, "layers"))) == 1
    assert korean in (await site.ask(f"{TAGS}/v1", headers={"Accept-Language": "ko"})).text


async def test_a_tag_goes_back_to_what_it_named_and_is_seen_as_it_was(site, shelf):
    first = shelf.push(build(shelf, *STEPS), "v1")
    await shelf.deliver(site)
    second = shelf.push(build(shelf, *STEPS, author="again"), "v1")
    await shelf.deliver(site)
    browser = Browser(site)
    page = (await browser.get(f"{TAGS}/v1")).text
    history = section(page, "history")
    assert [first in row for row in history.split("<tr>")[2:]] == [False, True]
    as_it_was = unescape(re.search(r'href="([^"]*\?at=[^"]*)"', history)[1])
    then = (await browser.get(as_it_was)).text
    assert "This is what v1 named" in then
    assert f"@{first}" in then
    assert f"@{second}" not in then
    ask = unescape(re.search(r'href="([^"]*/restore\?to=[^"]*)"', history)[1])
    done = await browser.fill(ask, f"{TAGS}/v1/restore")
    assert (done.status_code, done.headers["location"]) == (303, f"{TAGS}/v1")
    after = (await browser.get(f"{TAGS}/v1")).text
    assert f"The tag v1 names {insides.short(first)} again." in after
    assert f"FROM localhost:5000/{NAME}:v1@{first}" in lines(after)
    assert len(texts((await browser.get(f"{TAGS}/v1/history")).text)) == 3


async def test_a_deleted_tag_is_404_with_its_history_and_comes_back(site, shelf):
    digest = shelf.push(build(shelf, *STEPS), "v1")
    shelf.push(build(shelf, *STEPS, author="other"), "v2")
    await shelf.deliver(site)
    assert (await site.ask(f"/v2/{NAME}/manifests/{digest}", "DELETE")).status_code == 202
    browser = Browser(site)
    gone = await browser.get(f"{TAGS}/v1")
    assert gone.status_code == 404
    assert "There is no tag v1 now" in gone.text
    await browser.fill(f"{TAGS}/v1/restore?to={digest}", f"{TAGS}/v1/restore")
    assert (await browser.get(f"{TAGS}/v1")).status_code == 200


async def test_a_restoration_that_cannot_be_says_why(site, shelf):
    shelf.push(build(shelf, *STEPS), "v1")
    await shelf.deliver(site)
    browser = Browser(site)
    never = digest_of(b"never")
    done = await browser.fill(f"{TAGS}/v1/restore?to={never}", f"{TAGS}/v1/restore")
    page = (await browser.get(done.headers["location"])).text
    assert "was not restored" in page
    assert "never named" in page
    assert (await browser.get(f"{TAGS}/v1/restore?to=x")).status_code == 400


async def test_a_tag_or_manifest_that_never_was_is_404(site, shelf):
    shelf.push(build(shelf, *STEPS), "v1")
    await shelf.deliver(site)
    for path in ("tags/v2", "tags/v2/history", f"manifests/{digest_of(b'x')}", "tags/v1?at=2001-01-01"):
        assert (await site.ask(f"/repositories/{NAME}/-/{path}")).status_code == 404, path
    latest = "9999-12-31T23:59:59-14:00"
    for path in (f"tags/v1?at={latest}", "tags/v1?at=yesterday", "manifests/sha256:1", "tags/v1/history?before=x"):
        assert (await site.ask(f"/repositories/{NAME}/-/{path}")).status_code == 400, path


def without_id(html):
    """A page without the id of its request."""
    return re.sub(r"[0-9a-f]{8,}-[0-9a-f]+", "ID", html)


async def people(site, shelf):
    """Accounts: ann owns acme/app, rae reads it, sam does not know it; returns their browsers, the digest first."""
    digest = shelf.push(build(shelf, *STEPS), "v1")
    other = shelf.push(build(shelf, *STEPS, author="other"), "v2")
    await shelf.deliver(site, NAME, "acme/secret")
    browsers = []
    for name in ("ann", "rae", "sam"):
        await user(site, name)
        browsers.append(Browser(site, "https"))
        await browsers[-1].sign_in(name)
    services = services_of(site)
    place = Place(registry_id=(await services.registries.all())[0].id, repository=RepositoryName(NAME))
    for name, role in (("ann", Role.ADMIN), ("rae", Role.READ)):
        await services.grants.give(AccountName(name), place, role, SYSTEM_ACTOR)
    return digest, other, browsers


async def test_who_may_pull_sees_who_may_not_sees_nothing_and_only_admins_restore(site, shelf):
    digest, _, (ann, rae, sam) = await people(site, shelf)
    assert (await ann.get(f"{TAGS}/v1")).status_code == (await rae.get(f"{TAGS}/v1")).status_code == 200
    for path in ("tags/v1", f"manifests/{digest}", "compare?from=v1&to=v2", "tags/v1/history"):
        hidden = await sam.get(f"/repositories/{NAME}/-/{path}")
        absent = await sam.get(f"/repositories/acme/none/-/{path}")
        assert hidden.status_code == absent.status_code == 404
        assert without_id(hidden.text).replace(NAME, "acme/none") == without_id(absent.text)
    assert (await ann.get(f"{TAGS}/v1/restore?to={digest}")).status_code == 200
    refused = await rae.get(f"{TAGS}/v1/restore?to={digest}")
    assert refused.status_code in {403, 404}
    assert "/restore?to=" not in (await rae.get(f"{TAGS}/v1")).text


async def test_a_private_image_needs_a_secret_that_no_command_holds(site, shelf, tmp_path):
    _, _, (_, rae, _) = await people(site, shelf)
    page = (await rae.get(f"{TAGS}/v1")).text
    assert lines(page)[0] == "docker login -u rae localhost:5000"
    (line,) = [unescape(one) for one in re.findall(r"<code>(printf .*?)</code>", page, re.DOTALL)]
    assert line.endswith("kubectl create secret docker-registry wharfinger --from-file=.dockerconfigjson=/dev/stdin")
    assert "imagePullSecrets:" in page
    (tmp_path / "token.txt").write_text('s"%s\n'.replace('"', ""))
    document = await asyncio.to_thread(
        subprocess.check_output, ["/bin/sh", "-c", line.partition(" | ")[0]], cwd=tmp_path, text=True
    )
    assert json.loads(document) == {"auths": {"localhost:5000": {"username": "rae", "password": "s%s"}}}


async def test_two_tags_are_compared_on_a_page(site, shelf):
    shelf.push(build(shelf, *STEPS, inside={"Env": ["MODE=old"], "User": "app"}), "v1")
    shelf.push(build(shelf, *STEPS[:2], ("RUN new", b"new layer"), inside={"Env": ["MODE=new"], "Cmd": ["x"]}), "v2")
    await shelf.deliver(site)
    page = (await site.ask(f"/repositories/{NAME}/-/compare?from=v1&to=v2")).text
    text = shown(page)
    assert "fetches 9 B; 400 B they have already" in text
    assert "Layers added 1 Layers added Made by Digest Size 2 RUN new" in text
    assert "Runs as app not there" in text
    assert "MODE old new" in text
    same = (await site.ask(f"/repositories/{NAME}/-/compare?from=v1&to={NAME}:v1")).text
    assert "Both are the same manifest" in same
    empty = (await site.ask(f"/repositories/{NAME}/-/compare")).text
    assert '<option value="v1">' in empty


@pytest.mark.parametrize("other", ["v3", "acme/none:v1", HOSTILE, "acme/app", "sha256:1", "v1&platform=linux/mips"])
async def test_what_cannot_be_compared_says_so(site, shelf, other):
    shelf.push(build(shelf, *STEPS), "v1")
    await shelf.deliver(site)
    answer = await site.ask(f"/repositories/{NAME}/-/compare?from=v1&to={other.replace('<', '%3C').replace(' ', '+')}")
    if "platform" in other:  # a single image has no platforms to choose from
        assert answer.status_code == 200
        return
    assert answer.status_code == 400
    assert "cannot be compared" in answer.text
    assert "<script>alert" not in answer.text


async def test_a_comparison_with_a_private_repository_is_one_with_none(site, shelf):
    _, _, (_, rae, _) = await people(site, shelf)
    answers = [
        await rae.get(f"/repositories/{NAME}/-/compare?from=v1&to={name}:v1") for name in ("acme/secret", "acme/absent")
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert re.sub("acme(/|%2F)secret", r"acme\1absent", answers[0].text) == answers[1].text


def test_a_time_in_an_address_is_exact():
    assert insides.exactly(1_700_000_000 * SECOND + 7) == "2023-11-14T22:13:20.000007+00:00"


def test_a_layer_without_bytes_still_has_its_part_of_the_bar():
    assert insides.pairs([("a", "b" * 2_000)]).shown == [("a", "b" * 999 + "…")]
    assert insides.pairs([("a", "b" * 900)] * 30).hidden == 13


async def test_links_stay_within_the_registry_that_the_address_names(site, shelf):
    images = {machine: build(shelf, *STEPS, architecture=machine) for machine in ("amd64", "arm64")}
    digest = shelf.push(several(shelf, images), "v1", "v2")
    attach(shelf, digest, NOTATION, b"jose")
    await shelf.deliver(site)
    for path in ("tags/v1", f"manifests/{digest}", "compare?from=v1&to=v2", "tags/v1/history"):
        page = (await site.ask(f"/registries/default/-/repositories/{NAME}/-/{path}")).text
        main = page.partition("<main")[2].partition("</main>")[0]
        links = [
            to for to in re.findall(r'(?:href|action)="([^"#]+)', main) if not to.startswith("/registries/default/-/")
        ]
        assert links == [], path
