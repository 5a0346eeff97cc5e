# SPDX-License-Identifier: Apache-2.0
"""Texts that somebody pushed, as they may be shown: with every character in sight.

A terminal obeys control characters, and a browser turns text around at marks that nobody sees. Both are written out,
so that what is read is what is there.
"""

import unicodedata

_SPACE = "Zs"


def legible(text: str) -> str:
    r"""Return the text with control characters and invisible marks written as `\u202e`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or unicodedata.category(one) == _SPACE else _written(one) for one in text)


def legible_lines(text: str) -> str:
    """Return the same, and leave line ends and tabs what they are."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(legible(cell) for cell in line.split("\t")) for line in lines)


def shortened(text: str, longest: int) -> str:
    """Return a text that is not longer than that, with an ellipsis where it was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _written(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004 - four digits
