# SPDX-License-Identifier: Apache-2.0
"""The pages that look inside, in Chromium: nothing that was pushed runs, nobody is barred, and a tag goes back."""

import pytest

from tests.protocol.client import Client
from tests.support.builds import NOTATION, attach, build, cosign, several
from tests.support.pages import DESK, PHONE, page_in, require_open
from tests.support.server import Server

pytestmark = pytest.mark.slow
NAME = "acme/shop"
HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=2</script><svg/onload=document.title=3>'


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("inside") / "registry") as server, Client.of(server.url) as client:
        repository = client.repository(NAME)
        for tag in ("v1", "v2"):
            images = {
                machine: build(
                    repository,
                    ("ADD rootfs /", b"base " * 900),
                    ("RUN /bin/sh -c apt-get install -y a-very-long-list-of-packages # buildkit", machine.encode()),
                    (f"COPY {tag} /srv", tag.encode() + machine.encode()),
                    architecture=machine,
                    inside={"Env": [f"VERSION={tag}"], "Cmd": ["serve"], "Labels": {"org.example.word": "x" * 200}},
                    annotations={"org.opencontainers.image.base.name": "golden:1"},
                )
                for machine in ("amd64", "arm64")
            }
            digest = repository.push(several(repository, images, attested=True), tag, "latest")
        bill = attach(repository, digest, "application/spdx+json", b"bill")
        attach(repository, bill, NOTATION, b"jose")
        cosign(repository, digest)
        hostile = client.repository("acme/hostile")
        words = {HOSTILE: HOSTILE, "bidi": "a\u202eb\u2066"}
        inside = {"Labels": words, "Env": [f"{HOSTILE}={HOSTILE}"], "Cmd": [HOSTILE], "User": HOSTILE}
        document = build(hostile, (HOSTILE, b"hostile"), inside=inside, annotations=words, author=HOSTILE)
        target = hostile.push(document, "v1")
        attach(hostile, target, "application/vnd.example.x", b"x", annotations={HOSTILE: HOSTILE})
        hostile.push(build(hostile, ("RUN", b"plain")), "v2")
        yield server


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["tags/latest", "compare?from=v1&to=v2"])
def test_nobody_is_barred_and_nothing_is_too_wide(chromium, registry, path, size, scheme):
    with page_in(chromium, size, color_scheme=scheme) as page:
        page.goto(f"{registry.url}/repositories/{NAME}/-/{path}")
        require_open(page)


@pytest.mark.parametrize("path", ["tags/v1", "compare?from=v2&to=v1"])
def test_nothing_that_was_pushed_runs(chromium, registry, path):
    with page_in(chromium, PHONE) as page:
        page.goto(f"{registry.url}/repositories/acme/hostile/-/{path}")
        page.wait_for_load_state("networkidle")
        assert page.title().endswith("· Wharfinger")
        assert page.locator("img[src=x], main script").count() == 0
        require_open(page)


def test_a_tag_is_looked_at_on_another_platform_compared_and_set_back_without_a_script(chromium, registry):
    with page_in(chromium, java_script_enabled=False) as page:
        page.goto(f"{registry.url}/repositories/{NAME}")
        page.get_by_role("link", name="latest", exact=True).click()
        page.get_by_role("navigation", name="Platform").get_by_role("link", name="linux/arm64").click()
        assert "linux/arm64" in page.locator("section:has(#configuration)").inner_text()
        page.get_by_label("with").fill("v1")
        page.get_by_role("button", name="Compare").click()
        assert "VERSION" in page.get_by_role("table", name="Environment").inner_text()
        page.goto(f"{registry.url}/repositories/{NAME}/-/tags/latest")
        page.get_by_role("link", name="Restore").click()
        page.get_by_role("button", name="Restore").click()
        assert "names" in page.get_by_role("status").first.inner_text()
        assert page.get_by_role("link", name="v1", exact=True).count() == 1
