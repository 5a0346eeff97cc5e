# SPDX-License-Identifier: Apache-2.0
"""What a URL or a form says: fields by name, each of them text."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.sentences import Sentence

_MAX_PARAMETERS: Final = 20
_MAX_FIELDS: Final = 500
"""Of a form: a page of check boxes has one for each row."""


class Form(Mapping[str, str]):
    """The fields of a form. As a mapping, it is for fields that come once.

    Args:
        pairs: names and texts, in the order of the page.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, text in pairs:
            self._fields.setdefault(name, []).append(text)

    def __getitem__(self, name: str) -> str:
        """Return a field's text.

        Raises:
            KeyError: it is not there.
            QueryInvalid: it comes more than once.
        """
        first, *others = self._fields[name]
        if others:
            message = Sentence("The field %(name)r of the form comes more than once.", name=name[:50])
            raise QueryInvalid(message)
        return first

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._fields)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._fields)

    def text(self, name: str) -> str:
        """Return a field as somebody typed it, without blanks around it and carriage returns in it; empty if none."""
        return self.get(name, "").replace("\r\n", "\n").strip()

    def chosen(self, name: str) -> tuple[str, ...]:
        """Return every text of a name that may come often: check boxes, a list that takes several."""
        return tuple(self._fields.get(name, ()))

    def is_checked(self, name: str) -> bool:
        """Say whether a check box is checked: a browser sends nothing of one that is not."""
        return name in self._fields


def read_query(raw: bytes) -> Mapping[str, str]:
    """Return the parameters of a URL.

    Raises:
        QueryInvalid: they cannot be read, or one comes twice.
    """
    pairs = _pairs(raw, _MAX_PARAMETERS, Sentence("The part of the address after `?` cannot be read."))
    if len(dict(pairs)) != len(pairs):
        message = Sentence("A parameter after `?` comes twice.")
        raise QueryInvalid(message)
    return dict(pairs)


def read_form(raw: bytes) -> Form:
    """Return the fields of a form, which are written as parameters of a URL are.

    Raises:
        QueryInvalid: they cannot be read.
    """
    return Form(_pairs(raw, _MAX_FIELDS, Sentence("The form cannot be read.")))


def link(query: Mapping[str, str], **changes: str | None) -> str:
    """Return a link to the same page with some parameters changed, or taken away."""
    changed = {**query, **changes}
    return "?" + urlencode({name: value for name, value in changed.items() if value is not None})


def _pairs(raw: bytes, most: int, message: Sentence) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError as error:  # also what is not ASCII, or not UTF-8 once decoded
        raise QueryInvalid(message) from error
