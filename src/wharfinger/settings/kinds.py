# SPDX-License-Identifier: Apache-2.0
"""What a leaf of the settings may hold, attached to its field in the tree.

One description serves the reader, the environment rule, `wharfinger check` and the reference page, so they cannot
disagree.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Final

from wharfinger.settings import addresses, hosts, values
from wharfinger.settings.providers import parse_provider

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """A single value."""

    name: str
    parse: Callable[[str], object]
    show: Callable[[object], str] = values.show
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """A list of single values."""

    of: One

    @property
    def name(self) -> str:
        """What the reference page calls it."""
        return f"list of {self.of.name}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Values under names of the operator's choice, which compare without regard to case."""

    name: str
    key: Callable[[str], str]
    of: One | Many


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """A list of small sections; `needed` are the fields without which one means nothing."""

    blank: "Callable[[], DataclassInstance]"
    needed: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the reference page calls it."""
        return f"list of sections with {', '.join(item.name for item in fields(self.blank()))}"


Kind = One | Many | Named | Records

SIGNING_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Of JSON Web Tokens: every one that needs a private key to sign."""

BOOLEAN: Final = One(name="boolean", parse=values.parse_boolean)
TEXT: Final = One(name="text", parse=values.parse_text)
PATH: Final = One(name="path", parse=values.parse_path)
COUNT: Final = One(name="integer", parse=values.integer(1))
PAGE_SIZE: Final = One(name="integer", parse=values.page_size(1000))
DURATION: Final = One(name="duration", parse=values.parse_duration)
SPAN: Final = One(name="duration", parse=values.parse_span)
GRACE: Final = One(name="duration", parse=values.parse_grace)
SIZE: Final = One(name="size", parse=values.parse_size, show=values.show_size)
LIMIT: Final = One(name="size or none", parse=values.parse_limit, show=values.show_size)
RATE: Final = One(name="size a second or none", parse=values.parse_rate, show=values.show_size)
WORKERS: Final = One(
    name="integer or auto", parse=values.parse_workers, show=lambda value: "auto" if value is None else str(value)
)
PLACE: Final = One(name="address or path", parse=values.parse_text)
LISTENER: Final = One(name="address", parse=values.parse_listener)
TARGET: Final = One(name="address", parse=values.parse_target)
URL: Final = One(name="URL", parse=addresses.parse_web_address)
URL_PATH: Final = One(name="path", parse=addresses.parse_url_path)
PREFIX: Final = One(name="path", parse=addresses.parse_prefix)
DATABASE: Final = One(name="URL", parse=values.parse_database, secret=True)
SECRET: Final = One(name="text", parse=lambda text: values.Secret(values.parse_text(text)), secret=True)
DESTINATIONS: Final = Many(of=One(name="destination", parse=values.parse_destination))
PORTS: Final = Many(of=One(name="port", parse=values.integer(1, 65_535)))
LIFETIME: Final = One(name="duration", parse=values.parse_lifetime)
STATUS: Final = One(name="HTTP status", parse=values.integer(100, 599))
PROXIES: Final = Many(of=One(name="network", parse=values.parse_proxy))
NETWORKS: Final = Many(of=One(name="network", parse=values.parse_network))
LABEL: Final = One(name="name", parse=hosts.parse_label)
DOMAIN: Final = One(name="domain", parse=hosts.parse_domain)
TEXTS: Final = Many(of=TEXT)
PROVIDER: Final = One(name="name", parse=parse_provider)
PATTERNS: Final = Many(of=One(name="regular expression", parse=values.parse_pattern))
ALGORITHMS: Final = Many(of=One(name="algorithm", parse=values.choice(*SIGNING_ALGORITHMS)))
FIELDS: Final = Named(name="names with text", key=values.parse_text, of=TEXT)
HEADERS: Final = Named(
    name="header names with lists",
    key=values.parse_header_name,
    of=Many(of=One(name="header value", parse=values.parse_header_value)),
)
SECRET_HEADERS: Final = Named(
    name="header names with lists",
    key=values.parse_header_name,
    of=Many(
        of=One(name="header value", parse=lambda text: values.Secret(values.parse_header_value(text)), secret=True)
    ),
)


def words(*allowed: str) -> One:
    """Return the kind of a choice between words."""
    return One(name=" or ".join(f"`{word}`" for word in allowed), parse=values.choice(*allowed))


def about(kind: Kind, text: str, *, unset: str = "") -> Mapping[str, object]:
    """Return the metadata of a leaf.

    Args:
        kind: what it may hold.
        text: one line of help.
        unset: what it means that nothing is set, where the default is nothing.
    """
    return {"kind": kind, "help": text, "unset": unset}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One setting, seen from outside the tree."""

    key: str
    kind: Kind
    help: str
    value: object
    unset: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return variable_of(self.key)

    def shown(self, value: object) -> str:
        """Return a value of this setting as text."""
        if value is None and self.unset:
            return self.unset
        return self.kind.show(value) if isinstance(self.kind, One) else values.show(value)


def variable_of(key: str) -> str:
    """Return the environment variable of a dotted key; `[]` stands for the first of a list."""
    return "REGISTRY_" + key.replace("[]", ".0").replace(".", "_").upper()


def leaves(section: "DataclassInstance", prefix: str = "") -> Iterator[Leaf]:
    """Yield every setting of a section, in the order of the tree."""
    for item in fields(section):
        key, value = prefix + item.name, getattr(section, item.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from leaves(value, f"{key}.")
        else:
            yield leaf_of(item.metadata, key, value)


def leaf_of(metadata: Mapping[str, object], key: str, value: object) -> Leaf:
    """Return the leaf that a field's metadata describes."""
    kind = metadata["kind"]
    assert isinstance(kind, One | Many | Named | Records)  # noqa: S101 - a field without `about` is a bug of the tree
    return Leaf(key=key, kind=kind, help=str(metadata["help"]), value=value, unset=str(metadata["unset"]))
