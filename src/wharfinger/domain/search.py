# SPDX-License-Identifier: Apache-2.0
"""What somebody typed into a search field, what texts are found by, and which of two finds comes first.

Everything is compared folded: without the difference of capitals, and with every letter written in one way, so that a
Korean syllable is the same whether a Mac composed it or not. Both databases get folded text and compare bytes.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_QUERY: Final = 200
"""Characters; what is longer is no search but a mistake of the clipboard."""
MAX_WORDS: Final = 5
MAX_RESULTS: Final = 100
"""Of each kind. Whoever sees more than that narrows the search."""
SHORTEST_DIGEST: Final = 6
"""How many hexadecimal digits somebody must give: fewer would match by chance."""
LONGEST_WORD: Final = 40
MAX_TERMS: Final = 2_000
"""How many terms one repository is found by."""
MAX_LABEL_TERMS: Final = 200
"""How many terms one manifest is found by."""
LONGEST_LABEL: Final = 100
"""Characters of a label's name, and of its value: what is longer is cut off, here and where it is looked for."""
LABEL: Final = "label:"
"""What stands before a label that is looked for."""
READ: Final = ""
"""The term of every manifest whose labels were read."""

_ADDRESS: Final = re.compile(r"(?:https?://)?(?:[a-z0-9.-]+:[0-9]+/|localhost/)", re.ASCII)
"""What stands before a name where it is pasted, and is no part of one."""
_WORD: Final = re.compile(r"[^\W_]+")
_DIGEST: Final = re.compile(rf"(?:(sha256|sha512):)?([0-9a-f]{{{SHORTEST_DIGEST},128}})", re.ASCII)
_SAYS_NOTHING: Final = re.compile(r"https?://|[0-9]{4}-[0-9]{2}-[0-9]{2}t", re.ASCII)
"""Beginnings of values whose words nobody looks for: addresses and times, which almost every image has."""
_HEX_DIGITS: Final = {"sha256": 64, "sha512": 128}


class FoundKind(StrEnum):
    """Kinds of what is found."""

    REPOSITORIES = "repositories"
    TAGS = "tags"
    DIGESTS = "digests"
    ACCOUNTS = "accounts"
    """People, organizations and teams."""


@dataclass(frozen=True, slots=True)
class LabelQuery:
    """A label that is looked for, as a term.

    Args:
        term: of the label.
        is_beginning: whether a term that begins so is enough.
    """

    term: str
    is_beginning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What is looked for.

    Args:
        words: each must be found, in the name of a repository, in its description or in the value of a label.
        labels: beginnings of terms, each of which one of its images must have; and nothing but repositories is found.
        tag_words: each must be found in the name of a tag; only of a query such as `app:v1`.
        digests: beginnings of digests, each with its algorithm.
        within: each must be found in the name of the repository that has the digest; only of `app@sha256:…`.
    """

    words: tuple[str, ...] = ()
    tag_words: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    labels: tuple["LabelQuery", ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked for."""
        return not (self.words or self.tag_words or self.digests or self.labels)


def fold(text: str) -> str:
    """Return the text as it is compared."""
    return unicodedata.normalize("NFC", text.casefold())


def read_query(text: str, hosts: Iterable[str] = ()) -> SearchQuery:
    """Return what a text looks for; every text looks for something, or is empty.

    Whatever stands in a terminal may be pasted: `registry.example.com/acme/app:v1`, `acme/app@sha256:…`, a digest, or
    the beginning of its digits.

    Args:
        text: what was typed; what is longer than `MAX_QUERY` is cut off.
        hosts: names under which the registry is reached, which are left out at the front.
    """
    # No name holds what cannot be printed, and PostgreSQL takes no text with a NUL.
    folded = fold("".join(one if one.isprintable() else " " for one in text[:MAX_QUERY])).strip()
    labels = tuple(_label(word) for word in folded.split() if word.startswith(LABEL))[:MAX_WORDS]
    if labels:
        others = " ".join(word for word in folded.split() if not word.startswith(LABEL))
        return SearchQuery(words=_split(others), labels=labels)
    folded = _ADDRESS.sub("", folded)
    for host in hosts:
        folded = folded.removeprefix(f"{fold(host)}/")
    name, at, digest = folded.partition("@")
    if at:
        words = _split(name.partition(":")[0])
        return SearchQuery(words=words, digests=_digests_of(digest), within=words)
    digests = _digests_of(folded)
    if ":" not in folded:
        return SearchQuery(words=_split(folded), digests=digests)
    if digests:
        return SearchQuery(digests=digests)
    name, _, tag = folded.rpartition(":")
    return SearchQuery(words=_split(name), tag_words=_split(tag))


def terms_of(texts: Iterable[str]) -> Sequence[str]:
    """Return what texts are found by: the beginning of any of these.

    A word is found by its beginning. Where words are not kept apart by spaces, or carry endings and are joined, as in
    Korean, any part of a word may be the one that is looked for: there every end of the word is a term of its own.
    """
    found: dict[str, None] = {}
    for text in texts:
        for term in _terms(text):
            found.setdefault(term)
            if len(found) == MAX_TERMS:
                return list(found)
    return list(found)


def label_terms_of(labels: Mapping[str, str]) -> Sequence[str]:
    """Return what labels are found by: each as a whole, then the words of their values."""
    whole = [f"={fold(name)[:LONGEST_LABEL]}={fold(value)[:LONGEST_LABEL]}" for name, value in labels.items()]
    values = [value for value in labels.values() if not _SAYS_NOTHING.match(fold(value))]
    return list(dict.fromkeys([*whole, *terms_of(value[:LONGEST_LABEL] for value in values)]))[:MAX_LABEL_TERMS]


def parts_of(word: str) -> Sequence[str]:
    """Return the parts of a folded word that are terms by themselves: `web-server` is two."""
    return _WORD.findall(word)


def pieces(text: str, words: Iterable[str]) -> Sequence[tuple[str, bool]]:
    """Return a text in pieces, in order, and of each whether it is one of the words that were looked for."""
    # The longest first: of `app` and `apple`, the longer one is what matched.
    wanted = sorted({fold(word) for word in words if word}, key=len, reverse=True)
    if not wanted:
        return [(text, False)]
    pattern = re.compile("|".join(map(re.escape, wanted)), re.IGNORECASE)
    found: list[tuple[str, bool]] = []
    end = 0
    for match in pattern.finditer(text):
        if match.start() > end:
            found.append((text[end : match.start()], False))
        found.append((match[0], True))
        end = match.end()
    if end < len(text):
        found.append((text[end:], False))
    return found


def _label(word: str) -> LabelQuery:
    """Read `label:NAME`, `label:NAME=VALUE` or `label:NAME=BEGINNING*`, which is folded already."""
    name, equals, value = word.removeprefix(LABEL).partition("=")
    is_beginning = not equals or value.endswith("*")
    return LabelQuery(f"={name[:LONGEST_LABEL]}={value.rstrip('*')[:LONGEST_LABEL]}", is_beginning)


def _split(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split()))[:MAX_WORDS]


def _digests_of(text: str) -> tuple[str, ...]:
    match = _DIGEST.fullmatch(text.strip())
    if match is None:
        return ()
    algorithms = [match[1]] if match[1] else _HEX_DIGITS
    return tuple(f"{one}:{match[2]}" for one in algorithms if len(match[2]) <= _HEX_DIGITS[one])


def _terms(text: str) -> Iterator[str]:
    for match in _WORD.finditer(fold(text)):
        word = match[0][:LONGEST_WORD]
        yield word
        if any(unicodedata.category(letter) == "Lo" for letter in word):
            yield from (word[start:] for start in range(1, len(word)))
