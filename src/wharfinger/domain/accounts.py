# SPDX-License-Identifier: Apache-2.0
"""Accounts: what kinds there are, and how they are called.

```text
alice            a user
acme             an organization: users and organizations share one set of names
acme+ci          a robot of an organization
@default+ci      a robot of a registry
acme/builders    a team of an organization, where messages and commands name one
```

A user's or an organization's name is one part of a repository name, because it may be the first part of one.
"""

import enum
import re
import unicodedata
from dataclasses import dataclass
from typing import Final, NewType

from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.names import RegistryName
from wharfinger.domain.sentences import Sentence

AccountName = NewType("AccountName", str)
"""The name of a user, an organization or a robot, as it is stored and shown."""

MAX_ACCOUNT_NAME: Final = 39
_WORDS: Final = """
    account accounts anonymous api assets auth catalog default docker everyone grants health healthz internal login
    logout metrics nobody oauth organizations private public registries registry repositories robots search settings
    static system teams token tokens users v1 v2 wharfinger
"""
RESERVED: Final = frozenset(_WORDS.split())
"""Words that addresses, hosts and log lines of the deployment use themselves."""

LANGUAGES: Final = ("en", "ko")
"""In which pages can be read."""
LONGEST_DISPLAY_NAME: Final = 100
LONGEST_EMAIL: Final = 254
"""RFC 5321, section 4.5.3.1.3, without the angle brackets."""
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.](?:[^@\s]*[^@\s.])?")
"""Whether an address can be right, only a letter to it tells."""
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_LEGAL: Final = re.compile(r"[a-z0-9._-]", re.ASCII)
_SHOWN: Final = 60
_LONGEST_CLAIM: Final = 200


class AccountKind(enum.StrEnum):
    """What an account is."""

    USER = "user"
    ORGANIZATION = "organization"
    ROBOT = "robot"


class AccessType(enum.StrEnum):
    """Where an account may sign in."""

    CONSOLE = "console"
    KEYS = "keys"
    """With tokens and access keys, at the protocol and the API."""
    BOTH = "both"


class MemberRole(enum.StrEnum):
    """What a user is in an organization."""

    OWNER = "owner"
    MEMBER = "member"


class CredentialKind(enum.StrEnum):
    """What a stored credential is."""

    TOKEN = "token"  # noqa: S105 - a word, not a secret
    KEY = "key"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class TeamName:
    """The name of a team, with its organization's."""

    organization: AccountName
    team: str

    def __str__(self) -> str:
        return f"{self.organization}/{self.team}"


@dataclass(frozen=True, slots=True)
class RobotName:
    """The name of a robot, and whose it is: exactly one of organization and registry is set."""

    name: str
    organization: AccountName | None = None
    registry: RegistryName | None = None

    @property
    def full(self) -> AccountName:
        """The name under which the account is stored, and which it signs in with."""
        owner = f"@{self.registry}" if self.organization is None else self.organization
        return AccountName(f"{owner}+{self.name}")


Subject = AccountName | TeamName
"""Who can have a grant: a user, a robot, or a team."""


def parse_account_name(text: str) -> AccountName:
    """Return the text as the name of a user or an organization that is to be looked up.

    Raises:
        AccountInvalid: no account can have that name; the message says what would be right.
    """
    return AccountName(_component(text, Sentence("a name of an account")))


def parse_new_account_name(text: str) -> AccountName:
    """Return the text as the name of a user or an organization that is to be created.

    Raises:
        AccountInvalid: it is outside the grammar, or a word that the deployment uses itself.
    """
    name = parse_account_name(text)
    if name in RESERVED:
        message = Sentence(
            "%(text)r is a word that the registry uses itself; choose another name, for example %(better)r.",
            text=text,
            better=text + "-1",
        )
        raise AccountInvalid(message)
    return name


def parse_robot_name(text: str) -> RobotName:
    """Return the text as the name of a robot: `OWNER+NAME`, or `@REGISTRY+NAME`.

    Raises:
        AccountInvalid: it is neither.
    """
    owner, plus, name = text.partition("+")
    if not plus:
        message = Sentence(
            "%(shown)s is not a name of a robot: write ORGANIZATION+NAME, or @REGISTRY+NAME.", shown=_shown(text)
        )
        raise AccountInvalid(message)
    name = _component(name, Sentence("a name of a robot after the `+`"))
    if owner.startswith("@"):
        return RobotName(name, registry=RegistryName(_component(owner[1:], Sentence("a name of a registry"))))
    return RobotName(name, organization=parse_account_name(owner))


def parse_any_account_name(text: str) -> AccountName:
    """Return the text as the name of a user, an organization or a robot.

    Raises:
        AccountInvalid: it is none of them.
    """
    return parse_robot_name(text).full if "+" in text else parse_account_name(text)


def parse_team_name(text: str) -> TeamName:
    """Return the text as the name of a team: `ORGANIZATION/TEAM`.

    Raises:
        AccountInvalid: it is not of that form.
    """
    organization, slash, team = text.partition("/")
    if not slash:
        message = Sentence("%(shown)s is not a name of a team: write ORGANIZATION/TEAM.", shown=_shown(text))
        raise AccountInvalid(message)
    return TeamName(parse_account_name(organization), _component(team, Sentence("a name of a team after the `/`")))


def parse_subject(text: str) -> Subject:
    """Return the text as somebody who can have a grant: `alice`, `acme+ci`, `@default+ci` or `acme/builders`.

    Raises:
        AccountInvalid: it is none of them.
    """
    return parse_team_name(text) if "/" in text else parse_any_account_name(text)


def parse_email(text: str) -> str:
    """Return the text as an e-mail address.

    Raises:
        AccountInvalid: it cannot be one.
    """
    if len(text) <= LONGEST_EMAIL and text.isprintable() and _EMAIL.fullmatch(text):
        return text
    message = Sentence("%(shown)s is not an e-mail address: write it as in ann@example.com.", shown=_shown(text))
    raise AccountInvalid(message)


def parse_display_name(text: str) -> str:
    """Return the text as what people call somebody.

    Raises:
        AccountInvalid: it does not fit on a line.
    """
    if len(text) <= LONGEST_DISPLAY_NAME and text.isprintable():
        return text
    message = Sentence("A display name has at most %(most)s characters, on one line.", most=LONGEST_DISPLAY_NAME)
    raise AccountInvalid(message)


def parse_language(text: str) -> str:
    """Return the text as a language of the pages; empty for what the browser says.

    Raises:
        AccountInvalid: there are no pages in it.
    """
    if text in {"", *LANGUAGES}:
        return text
    message = Sentence(
        "%(shown)s is not a language of the pages: choose one of %(known)s.",
        shown=_shown(text),
        known=", ".join(LANGUAGES),
    )
    raise AccountInvalid(message)


def account_name_from(text: str) -> AccountName | None:
    """Return the name that a new account gets from what another server calls somebody; nothing if none can be made.

    `Ann.Lee@example.com` becomes `ann.lee`. Marks go off letters, and what no name can hold becomes a hyphen.
    """
    plain = unicodedata.normalize("NFKD", text.partition("@")[0][:_LONGEST_CLAIM].casefold())
    ascii_only = "".join(one for one in plain if not unicodedata.combining(one))
    parts = re.split(r"[^a-z0-9._]+", ascii_only)
    words = [re.sub(r"[._]*([._])[._]*", r"\1", part).strip("._") for part in parts]
    name = "-".join(word for word in words if word)[:MAX_ACCOUNT_NAME].strip("-._")
    return AccountName(name) if _COMPONENT.fullmatch(name) and name not in RESERVED else None


def _component(text: str, what: Sentence) -> str:
    if len(text) <= MAX_ACCOUNT_NAME and _COMPONENT.fullmatch(text):
        return text
    message = Sentence("%(shown)s is not %(what)s: %(why)s", shown=_shown(text), what=what, why=_what_is_wrong(text))
    raise AccountInvalid(message)


def _what_is_wrong(text: str) -> Sentence:
    if not text:
        return Sentence("it is empty.")
    if len(text) > MAX_ACCOUNT_NAME:
        return Sentence(
            "it has %(count)s characters, and at most %(most)s are possible.", count=len(text), most=MAX_ACCOUNT_NAME
        )
    if text != text.lower() and _COMPONENT.fullmatch(text.lower()):
        return Sentence("names are lower-case; %(better)r would be right.", better=text.lower())
    for position, character in enumerate(text):
        if not _LEGAL.fullmatch(character):
            return Sentence(
                "the character %(character)r at position %(position)s is not allowed; use lower-case letters, digits, "
                "and between them `.`, `_`, `__` and `-`.",
                character=character,
                position=position + 1,
            )
    return Sentence(
        "it must begin and end with a letter or digit, with one `.`, one or two `_`, or hyphens between them."
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


_A: Final = {
    AccountKind.USER: Sentence("a user"),
    AccountKind.ORGANIZATION: Sentence("an organization"),
    AccountKind.ROBOT: Sentence("a robot"),
}


def wrong_kind(name: str, wanted: AccountKind, kind: AccountKind) -> Sentence:
    """Say that an account is of another kind."""
    return Sentence("%(name)r is not %(wanted)s, but %(kind)s.", name=name, wanted=_A[wanted], kind=_A[kind])
