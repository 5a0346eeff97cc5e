# SPDX-License-Identifier: Apache-2.0
"""Names: registries, repositories, tags, and references (a tag or a digest).

Every name is parsed once, at the door, and travels as its own type from there on. The grammars are those of the OCI
distribution specification; the limits on length and depth are this registry's (docs/guide/limits.md).
"""

import re
from typing import Final, NewType

from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import DigestInvalid, ManifestUnknown, NameInvalid, TagInvalid
from wharfinger.domain.sentences import Sentence

RegistryName = NewType("RegistryName", str)
RepositoryName = NewType("RepositoryName", str)
TagName = NewType("TagName", str)
Reference = TagName | Digest
"""A tag or a digest; `is_digest` tells them apart."""

DEFAULT_REGISTRY: Final = RegistryName("default")
MAX_NAME_LENGTH: Final = 255
"""Many clients refuse a longer `host/name`."""
MAX_NAME_DEPTH: Final = 16

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_ONE_COMPONENT: Final = re.compile(_COMPONENT, re.ASCII)
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_LEGAL: Final = re.compile(r"[a-z0-9._/-]", re.ASCII)


def parse_repository_name(text: str) -> RepositoryName:
    """Return the text as a repository name.

    Raises:
        NameInvalid: the text is outside the grammar or too long; the message names the first offence.
    """
    if len(text) <= MAX_NAME_LENGTH and text.count("/") < MAX_NAME_DEPTH and _REPOSITORY.fullmatch(text):
        return RepositoryName(text)
    raise NameInvalid(_what_is_wrong(text))


def namespace_of(name: RepositoryName) -> str | None:
    """Return the first part of a name of several parts; a one-part name belongs to the registry itself."""
    first, slash, _ = name.partition("/")
    return first if slash else None


def parse_tag(text: str) -> TagName:
    """Return the text as the name of a tag that is to be written.

    Raises:
        TagInvalid: the text is outside the grammar.
    """
    if _TAG.fullmatch(text):
        return TagName(text)
    shown = text if len(text) <= 40 else text[:37] + "..."  # noqa: PLR2004 - a readable length
    message = Sentence(
        "%(shown)r is not a tag: a tag has up to 128 letters, digits, underscores, dots and hyphens, "
        "and begins with a letter, a digit or an underscore.",
        shown=shown,
    )
    raise TagInvalid(message)


def parse_reference(text: str) -> Reference:
    """Return what a manifest is to be found under: a digest if there is a colon, a tag otherwise.

    Raises:
        DigestInvalid: there is a colon, but this is no digest.
        ManifestUnknown: no tag could have this name, so none has.
    """
    if ":" in text:
        return parse_digest(text)
    if _TAG.fullmatch(text):
        return TagName(text)
    shown = text if len(text) <= 40 else text[:37] + "..."  # noqa: PLR2004 - a readable length
    message = Sentence("There is no tag %(shown)r, and no tag can have that name.", shown=shown)
    raise ManifestUnknown(message)


def parse_reference_to_write(text: str) -> Reference:
    """Return what a manifest is to be stored under.

    Raises:
        DigestInvalid: the text looks like a digest (`algorithm:…`) and is none.
        TagInvalid: the text is neither.
    """
    if text.startswith(("sha256:", "sha512:")):
        return parse_digest(text)
    return parse_tag(text)


def is_digest(reference: Reference) -> bool:
    """Say whether a reference is a digest: a tag cannot contain a colon."""
    return ":" in reference


def _what_is_wrong(text: str) -> Sentence:
    if not text:
        return Sentence("The repository name is empty.")
    shown = text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - a readable length
    return Sentence("%(shown)r is not a repository name: %(why)s", shown=shown, why=_first_offence(text))


def _first_offence(text: str) -> Sentence:
    if len(text) > MAX_NAME_LENGTH:
        return Sentence(
            "it has %(count)s characters, and at most %(most)s are possible.", count=len(text), most=MAX_NAME_LENGTH
        )
    if text.count("/") >= MAX_NAME_DEPTH:
        return Sentence(
            "it has %(count)s parts, and at most %(most)s are possible.", count=text.count("/") + 1, most=MAX_NAME_DEPTH
        )
    if text != text.lower() and parse_would_accept(text.lower()):
        return Sentence("names are lower-case; %(better)r would be right.", better=text.lower())
    for position, character in enumerate(text):
        if not _LEGAL.fullmatch(character):
            return Sentence(
                "the character %(character)r at position %(position)s is not allowed; use lower-case letters, digits, "
                "and between them `.`, `_`, `__`, `-` and `/`.",
                character=character,
                position=position + 1,
            )
    for part in text.split("/"):
        if not _ONE_COMPONENT.fullmatch(part):
            return Sentence(
                "the part %(part)r must begin and end with a letter or digit, with one `.`, one or two `_`, or hyphens "
                "between them.",
                part=part,
            )
    return Sentence("it does not follow the grammar of the distribution specification.")


def parse_would_accept(text: str) -> bool:
    """Say whether the text is a repository name."""
    return len(text) <= MAX_NAME_LENGTH and text.count("/") < MAX_NAME_DEPTH and bool(_REPOSITORY.fullmatch(text))


__all__ = [
    "DEFAULT_REGISTRY",
    "Digest",
    "DigestInvalid",
    "RegistryName",
    "RepositoryName",
    "TagName",
    "is_digest",
    "namespace_of",
    "parse_reference",
    "parse_reference_to_write",
    "parse_repository_name",
    "parse_tag",
]
