# SPDX-License-Identifier: Apache-2.0
"""Sentences for people: English wherever they go, and a translation where a page shows them (ADR 0043).

Whoever refuses something, or gives a reason, says so once, in English, in the place where it is decided. Programs, logs
and clients read that English. A page shows the reader's language, and for that it needs the sentence as it was before
its values were put in.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Self

_NONE: Final[Mapping[str, str | int]] = MappingProxyType({})


class Sentence(str):
    """An English text that remembers what it was made of.

    Args:
        template: the text with places such as `%(name)s` and `%(name)r`; without values it is taken as it is.
        values: what stands in the places; each may be a sentence again.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, str | int]

    def __new__(cls, template: str, /, **values: str | int) -> Self:
        """Put the values into the template."""
        made = super().__new__(cls, template % values if values else template)
        made.template = template
        made.values = values or _NONE
        return made

    def said(self, translate: Callable[[str], str]) -> str:
        """Return the sentence in the language of which `translate` knows the templates."""
        template = translate(self.template)
        if not self.values:
            return template
        return template % {
            name: value.said(translate) if isinstance(value, Sentence) else value for name, value in self.values.items()
        }


def joined(between: str, sentences: Iterable[Sentence]) -> Sentence:
    """Return sentences in a row, each still to be translated by itself.

    Args:
        between: what stands between two of them: signs, or a sentence such as " and ".
        sentences: one at least.
    """
    first, *others = sentences
    for other in others:
        first = Sentence("%(first)s%(between)s%(other)s", first=first, between=between, other=other)
    return first
