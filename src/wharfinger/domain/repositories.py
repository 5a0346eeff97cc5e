# SPDX-License-Identifier: Apache-2.0
"""What a repository says of itself: two descriptions, and the source that its images are built from."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from wharfinger.domain.errors import RepositoryInvalid
from wharfinger.domain.sentences import Sentence

MAX_DESCRIPTION: Final = 100
MAX_FULL_DESCRIPTION: Final = 25_000
"""Characters; what the registries have that people move from."""
MAX_SOURCE: Final = 255
SOURCE_ANNOTATION: Final = "org.opencontainers.image.source"
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Control characters besides the tab and the end of a line, and halves of characters."""
_SCHEMES: Final = frozenset({"http", "https", "git", "ssh", "git+http", "git+https", "git+ssh"})
_BY_SSH: Final = re.compile(r"[A-Za-z0-9._-]+@([A-Za-z0-9.-]+):(?!//)/?(.+)", re.ASCII)
"""As `git clone git@host:path` has it."""
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+", re.ASCII)


def parse_description(text: str) -> str:
    """Return the text as a description, without spaces at its ends; an empty one stands for none.

    Raises:
        RepositoryInvalid: it is longer than a list shows, or more than a line.
    """
    wanted = text.strip()
    if len(wanted) > MAX_DESCRIPTION:
        message = Sentence(
            "The description has %(count)s characters, and at most %(most)s are possible.",
            count=len(wanted),
            most=MAX_DESCRIPTION,
        )
        raise RepositoryInvalid(message)
    if not wanted.isprintable():
        message = Sentence("The description holds a character that cannot be printed; it is one line of plain text.")
        raise RepositoryInvalid(message)
    return wanted


def parse_full_description(text: str) -> str:
    """Return the text as a full description, with lines that end in one way; an empty one stands for none.

    Raises:
        RepositoryInvalid: it is longer than a page may be, or holds a character that no page can show.
    """
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    if len(wanted) > MAX_FULL_DESCRIPTION:
        message = Sentence(
            "The full description has %(count)s characters, and at most %(most)s are "
            "possible: link to a longer text instead.",
            count=f"{len(wanted):,}",
            most=f"{MAX_FULL_DESCRIPTION:,}",
        )
        raise RepositoryInvalid(message)
    if (unfit := _UNFIT.search(wanted)) is not None:
        line = wanted.count("\n", 0, unfit.start()) + 1
        message = Sentence(
            "Line %(line)s of the full description holds a control character, U+%(code)s: take it out.",
            line=line,
            code=f"{ord(unfit[0]):04X}",
        )
        raise RepositoryInvalid(message)
    return wanted


def parse_source(text: str) -> str:
    """Return the text as the source of a repository, in one form for all ways to write it; an empty one is none.

    `git@github.com:acme/app.git`, `https://GitHub.com/acme/app/` and `ssh://git@github.com/acme/app` are all
    `https://github.com/acme/app`: where a source is compared, the same one must be the same text.

    Raises:
        RepositoryInvalid: it is no address of a source, or holds a password.
    """
    wanted = text.strip()
    if not wanted:
        return ""
    found = _read_source(wanted)
    if found is None or len(found) > MAX_SOURCE:
        message = Sentence(
            "The source is not the address of a repository of source code; give for example "
            "https://github.com/acme/app, of at most %(most)s characters, without a password.",
            most=MAX_SOURCE,
        )
        raise RepositoryInvalid(message)
    return found


def source_of(annotations: Mapping[str, str]) -> str | None:
    """Return the source that a manifest names in its annotations; one that cannot be read names none.

    A label of the image's configuration does not count: images take labels over from the image that they are built
    on, so it may name the source of somebody else.
    """
    try:
        return parse_source(annotations.get(SOURCE_ANNOTATION, "")) or None
    except RepositoryInvalid:
        return None


def _read_source(text: str) -> str | None:
    if not text.isascii() or not text.isprintable():  # what reads addresses passes over some of these in silence
        return None
    by_ssh = _BY_SSH.fullmatch(text)
    if "://" not in text and by_ssh is not None:
        return _join("https", by_ssh[1], f"/{by_ssh[2]}")
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return None
    if url.scheme not in _SCHEMES or url.password is not None or url.query or url.fragment:
        return None
    is_web = url.scheme.removeprefix("git+") in {"http", "https"}
    if is_web and url.username is not None:  # a token, as likely as a name
        return None
    shown = f"{host}:{port}" if is_web and port is not None else host
    return _join("http" if url.scheme.removeprefix("git+") == "http" else "https", shown, url.path)


def _join(scheme: str, host: str, path: str) -> str | None:
    path = path.rstrip("/").removesuffix(".git")
    name = host.lower().partition(":")[0]
    if _HOST.fullmatch(name) is None or _PATH.fullmatch(path) is None:
        return None
    return f"{scheme}://{host.lower()}{path}"
