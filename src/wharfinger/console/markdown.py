# SPDX-License-Identifier: Apache-2.0
"""Descriptions: Markdown in, HTML that can do nothing out. The only place where text becomes HTML (ADR 0036).

```text
text ── markdown-it: HTML is text ── links and images of ours ── nh3: only what is listed ── the page, under its CSP
```

Each wall stands without the others. No image is loaded: the host that has it would learn who reads the page, and when;
so an image is a link to it. A link leads to another site, or is the text that it was.
"""

import asyncio
import functools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MOST_CELLS: Final = 5_000
"""Of tables: a row of one character stands for as many cells as the table has columns."""
MOST_HTML: Final = 150_000
"""Characters; a text that becomes more is shown as it was written."""
_KEPT: Final = 64
_ELSEWHERE: Final = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_COLUMNS: Final = re.compile(r"[ \t>]*[|:-][ \t|:-]*")
"""The line under the headings of a table."""
_BLOCKS: Final = {"blockquote", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
_TABLES: Final = {"table", "tbody", "td", "th", "thead", "tr"}
_INLINE: Final = {"a", "br", "code", "em", "s", "strong"}


async def rendered(text: str) -> Markup:
    """Return a description as HTML, made beside the event loop: a hostile one takes a tenth of a second."""
    return await asyncio.to_thread(render, text)


@functools.lru_cache(maxsize=_KEPT)
def render(text: str) -> Markup:
    """Return a description as HTML that holds no script, no style, no image, and no address but of other sites.

    Args:
        text: Markdown, not longer than a description may be: time and memory grow with it.
    """
    import nh3  # noqa: PLC0415 - only who shows a description needs it

    markdown = _markdown(tables=_cells(text) <= MOST_CELLS)
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:  # the page has its own heading above them
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
        if token.children:
            token.children = list(_with_our_links(token.children))
    html = nh3.clean(
        str(markdown.renderer.render(tokens, markdown.options, {})),
        tags=_BLOCKS | _TABLES | _INLINE,
        attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
    if len(html) > MOST_HTML:
        return Markup("<pre>{}</pre>").format(escape(text))
    return Markup(html)  # noqa: S704 - it is what the sanitizer let through


@functools.cache
def _markdown(*, tables: bool) -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415 - as above

    rules = ["strikethrough", "table"] if tables else ["strikethrough"]
    return MarkdownIt("commonmark", {"html": False}).enable(rules)


def _cells(text: str) -> int:
    """Return how many cells the tables of a text can have at the most."""
    lines = text.splitlines()
    return max((line.count("|") + 1 for line in lines if _COLUMNS.fullmatch(line)), default=0) * len(lines)


def _with_our_links(tokens: Sequence["Token"]) -> Iterator["Token"]:
    """Yield the tokens of a line: images are links to them, and links that lead into this site are their text."""
    from markdown_it.token import Token  # noqa: PLC0415 - as above

    opened: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            opened.append(_leads_elsewhere(token.attrs.get("href")))
            if not opened[-1]:
                continue
        elif token.type == "link_close":
            if not opened.pop():
                continue
        elif token.type == "image":
            address = token.attrs.get("src")
            words = Token("text", "", 0, content=_words(token) or str(address))
            if any(opened) or not _leads_elsewhere(address):
                yield words
            else:
                yield Token("link_open", "a", 1, attrs={"href": str(address)})
                yield words
                yield Token("link_close", "a", -1)
            continue
        yield token


def _leads_elsewhere(address: object) -> bool:
    return _ELSEWHERE.match(str(address)) is not None


def _words(image: "Token") -> str:
    """Return what stands for an image where it is not seen."""
    parts = [image]
    found = []
    while parts:
        token = parts.pop()
        if token.children:
            parts += reversed(token.children)
        elif token.type in {"text", "code_inline"}:
            found.append(token.content)
    return "".join(found)
