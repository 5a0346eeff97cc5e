# SPDX-License-Identifier: Apache-2.0
"""The Markdown files of the repository, and the little of Markdown that tests of them need."""

import re
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
GENERATED = {GUIDE / "settings.md"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Page:
    """One Markdown file.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    def __repr__(self):
        return str(self.path.relative_to(ROOT))

    @cached_property
    def blocks(self):
        """Language and content of every fenced block."""
        return _FENCE.findall(self.text)

    @cached_property
    def prose(self):
        """The text without its blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def code(self):
        """Everything that is set as code: words in backticks, and the lines of blocks."""
        words = re.findall(r"`([^`\n]+)`", self.prose)
        return [*words, *(line for _, content in self.blocks for line in content.splitlines())]

    @cached_property
    def links(self):
        """Where its relative links lead: path and, after a hash, heading."""
        return [link for link in _LINK.findall(self.prose) if not re.match(r"[a-z]+:", link)]

    @cached_property
    def anchors(self):
        """What a link to a heading of this page says after its hash."""
        headings = (heading.lower().replace("`", "") for heading in _HEADING.findall(self.prose))
        return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}

    def rows(self, first):
        """The cells of the rows of every table whose first column is headed `first`."""
        found, inside = [], False
        for line in self.prose.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if not cells:
                inside = False
            elif cells[0] == first:
                inside = True
            elif inside and not set(cells[0]) <= {"-"}:
                found.append(cells)
        return found


def pages():
    """Every Markdown file that belongs to the repository."""
    return [Page(path) for path in sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))]


def guide():
    """The pages of the guide, in both languages, but for the generated ones."""
    return [Page(path) for path in sorted(GUIDE.rglob("*.md")) if path not in GENERATED]
