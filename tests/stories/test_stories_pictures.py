# SPDX-License-Identifier: Apache-2.0
"""The pictures of the guide, taken of a shop's registry.

`pytest tests/stories/test_stories_pictures.py --pictures docs/guide/images` writes them. Without it, the pages are only
opened; and in both cases the guide must show every picture, and none that is not there.
"""

import re
import struct
import zlib
from pathlib import Path

import pytest

from tests.console.registry import push
from tests.stories.town import PASSWORD, opened
from tests.support.images import image, platforms
from tests.support.pages import page_in, require_open
from wharfinger.domain.access import Visibility
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.services.repositories import RepositoryChange

pytestmark = pytest.mark.slow
GUIDE = Path(__file__).parent.parent.parent / "docs" / "guide"
LARGEST = 100_000
SIZE = (1120, 640)
SHOP = {
    "shop/web": "The shop's web server",
    "shop/api": "Orders, stock and payments over HTTP",
    "shop/worker": "Sends mails and invoices",
    "tools/build": "What our builds run in",
}
PICTURES = {
    "repositories": ("/", "max"),
    "repository": ("/repositories/shop/web", "max"),
    "people": ("/repositories/shop/web/-/people", "max"),
    "settings": ("/repositories/shop/web/-/settings", "max"),
    "tag": ("/repositories/shop/web/-/tags/2.1.0", "max"),
    "comparison": ("/repositories/shop/web/-/compare?from=2.0.3&to=2.1.0", "max"),
    "search": ("/search?q=web", "max"),
    "trash": ("/trash", "max"),
    "administration": ("/administration", "max"),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("shop")) as town:
        auth = ("max", PASSWORD)
        for tags in (("2.0.2",), ("2.0.3",)):
            push(town.url, "shop/web", built(tags[0]), *tags, auth=auth)
        push(town.url, "shop/web", platforms("shop"), "edge", auth=auth)
        push(town.url, "shop/web", built("2.1.0"), "2.1.0", "2.1", "latest", auth=auth)
        for name in ("shop/api", "shop/worker", "tools/build", "shop/old"):
            push(town.url, name, built(name), "1.4.0", "latest", auth=auth)
        services, registry = town.services, town.office.registry
        for name, description in SHOP.items():
            change = RepositoryChange(description=description, visibility=Visibility.INTERNAL)
            town.run(services.repositories.change(registry, RepositoryName(name), change, SYSTEM_ACTOR))
        for name in ("acme/app", "acme/web", "shop/old"):
            town.run(services.repositories.delete(registry, RepositoryName(name), SYSTEM_ACTOR))
        town.office.give("rae", "read", repository="shop/web")
        town.office.give("acme/builders", "write", repository="shop/web")
        yield town


def built(seed):
    """Return an image of some layers."""
    layers = [
        {"etc/base": b"x" * 80_000},
        {f"opt/{seed.replace('/', '-')}": seed.encode() * 5_000},
        {"srv/page": b"page"},
    ]
    return image(seed, layers=layers, command=["/srv/start", "--port", "8080"])


@pytest.mark.parametrize("name", PICTURES)
def test_the_page_of_a_picture_is_open_to_everybody(shop, chromium, request, name):
    path, who = PICTURES[name]
    with page_in(chromium, SIZE, locale="en-US", color_scheme="light", cookies=shop.cookies_of(who)) as page:
        page.goto(shop.url + path)
        require_open(page)
        page.evaluate("document.activeElement?.blur()")
        taken = smaller(page.screenshot())
        folder = request.config.getoption("--pictures")
        if folder is not None:
            (Path(folder) / f"console-{name}.png").write_bytes(taken)


def test_every_picture_is_small_and_in_the_guide_in_both_languages():
    taken = {f"console-{name}.png" for name in PICTURES}
    assert {file.name for file in (GUIDE / "images").iterdir()} == taken
    assert all((GUIDE / "images" / name).stat().st_size < LARGEST for name in taken)
    for pages, way in (("*.md", "images/"), ("ko/*.md", "../images/")):
        pattern = rf"!\[[^]]+\]\({re.escape(way)}([^)]+)\)"
        assert {name for page in GUIDE.glob(pages) for name in re.findall(pattern, page.read_text())} == taken


def smaller(png):
    """Return the same picture, its pixels packed as tightly as they can be."""
    kept, pixels, at = [], b"", 8
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        if kind == b"IDAT":
            pixels += png[at + 8 : at + 8 + length]
        else:
            kept.append((kind, png[at + 8 : at + 8 + length]))
        at += length + 12
    kept.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in kept
    )
    return png[:8] + b"".join(chunks)
