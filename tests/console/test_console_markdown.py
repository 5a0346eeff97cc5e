# SPDX-License-Identifier: Apache-2.0
"""Descriptions become HTML that can do nothing: no script, no style, no image, no way into this site; and quickly."""

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.console.markdown import MOST_HTML, render, rendered

LONGEST = 25_000
BLOCKS = {"blockquote", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
TABLES = {"table", "tbody", "td", "th", "thead", "tr"}
ELEMENTS = BLOCKS | TABLES | {"a", "br", "code", "em", "s", "strong"}


class Reader(HTMLParser):
    """Reads HTML as a browser would, and says what is in it."""

    def __init__(self):
        super().__init__()
        self.elements, self.attributes, self.words = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.words += data


def read(html):
    found = Reader()
    found.feed(str(html))
    found.close()
    return found


def assert_harmless(html):
    found = read(html)
    assert set(found.elements) <= ELEMENTS
    for element, name, value in found.attributes:
        assert (element, name) in {("a", "href"), ("a", "rel"), ("ol", "start")}
        if name == "href":
            assert value.lower().startswith(("http://", "https://", "mailto:"))


def test_what_markdown_has_is_shown():
    html = render(
        "# Shop\n\nA **web** _server_, ~~old~~ `new`.\n\n3. three\n4. four\n\n> said\n\n"
        "| a | b |\n| - | -: |\n| 1 | 2 |\n\n```sh\ndocker pull <name>\n```\n"
    )
    for wanted in (
        "<h2>Shop</h2>",
        "<strong>web</strong>",
        "<em>server</em>",
        "<s>old</s>",
        "<code>new</code>",
        '<ol start="3">',
        "<blockquote>",
        "<td>1</td>",
        "<pre><code>docker pull &lt;name&gt;\n</code></pre>",
    ):
        assert wanted in html
    assert "style" not in html  # the alignment of a cell: the pages allow none


def test_a_link_leads_to_another_site_and_tells_it_nothing():
    assert render("[guide](https://example.com/a?b=1&c=2)") == (
        '<p><a href="https://example.com/a?b=1&amp;c=2" rel="nofollow noopener noreferrer">guide</a></p>\n'
    )
    assert 'href="mailto:ann@example.com"' in render("<ann@example.com>")


@pytest.mark.parametrize(
    "address", ["/sign-out", "docs/a.md", "//evil.example/a", "#top", "?x=1", "../..", "ftp://a/b"]
)
def test_a_link_into_this_site_is_its_text(address):
    assert render(f"see [*this*]({address}) page") == "<p>see <em>this</em> page</p>\n"


def test_an_image_is_a_link_to_it_and_is_never_loaded():
    assert render("![a *fine* picture](https://example.com/a.png)") == (
        '<p><a href="https://example.com/a.png" rel="nofollow noopener noreferrer">a fine picture</a></p>\n'
    )
    assert render("![](https://example.com/a.png)").count("https://example.com/a.png") == 2
    assert render("[![build](https://ci.example/b.svg)](https://ci.example/)") == (
        '<p><a href="https://ci.example/" rel="nofollow noopener noreferrer">build</a></p>\n'
    )
    assert render("![here](a.png)") == "<p>here</p>\n"


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](&#x6a;avascript:alert(1))",
    "[a](\x01javascript:alert(1))",
    "[a](vbscript:msgbox(1))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "![a](data:image/svg+xml,<svg onload=alert(1)>)",
    "![a](javascript:alert(1))",
    "<javascript:alert(1)>",
    "[a]: javascript:alert(1)\n\n[a]",
    '[a](https://example.com "\\" onmouseover=alert(1) x=\\"")',
    '[a](https://example.com/" onmouseover="alert(1))',
    "<a href=javascript:alert(1)>a</a>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "```<script>\nalert(1)\n```",
    "`<img src=x onerror=alert(1)>`",
    '~~~"><script>alert(1)</script>\na\n~~~',
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml-stylesheet href='javascript:alert(1)'?>",
    "<form action=/sign-out method=post><button>win</button></form>",
    "<base href=https://evil.example/>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<details open ontoggle=alert(1)>",
    "# <img src=x onerror=alert(1)>",
    "| <img src=x onerror=alert(1)> |\n| - |\n",
    "\u202e<script>alert(1)</script>\u0000",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_text(text):
    html = render(text)
    assert_harmless(html)
    assert "<script" not in html
    assert "<img" not in html


@given(
    st.lists(st.sampled_from([*HOSTILE, "\n", "\n\n", "- ", "> ", "|", "*", "[", "](", ")", "!", "`", "<", ">", "&"]))
)
def test_no_mixture_of_hostile_texts_does_anything(parts):
    assert_harmless(render("".join(parts)[:LONGEST]))


COSTLY = {
    "brackets": "[" * LONGEST,
    "images": "![" * (LONGEST // 2),
    "quotes": "> " * (LONGEST // 2) + "a",
    "lists": "".join("  " * level + "- a\n" for level in range(150)),
    "emphasis": "**_" * (LONGEST // 3),
    "wide table": ("|a" * 300 + "|\n" + "|-" * 300 + "|\n" + "|\n" * LONGEST)[:LONGEST],
    "long table": ("a|b\n-|-\n" + "x|y\n" * LONGEST)[:LONGEST],
    "rules": "***\n" * (LONGEST // 4),
    "angles": "<" * LONGEST,
    "ampersands": "&" * LONGEST,
    "links": "<http://a>" * (LONGEST // 10),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_no_text_takes_long_or_becomes_much(kind):
    begun = time.process_time()
    html = render(COSTLY[kind])
    assert time.process_time() - begun < 2  # a tenth of that on a machine with nothing else to do
    assert len(html) <= MOST_HTML + 200
    assert_harmless(html)


def test_what_would_become_too_much_is_shown_as_it_was_written():
    html = render("<http://a>" * (LONGEST // 10) + "<http://b>" * 800)
    assert html.startswith("<pre>&lt;http://a&gt;")
    assert "<a " not in html


async def test_a_description_is_rendered_once_for_all_who_read_it():
    render.cache_clear()
    assert await rendered("*one*") == await rendered("*one*") == "<p><em>one</em></p>\n"
    assert render.cache_info().misses == 1
