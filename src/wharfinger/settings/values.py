# SPDX-License-Identifier: Apache-2.0
"""The kinds of values: how each is written, read and shown, and what a person is told who wrote it wrongly.

Reading and showing are inverse for durations and sizes: what `wharfinger check` prints may be written into the file.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Proxy = Network | Literal["unix"]
"""Who may set forwarding headers: the addresses of a network, or whoever speaks over a Unix socket."""

UNSET: Final = "not set"
HIDDEN: Final = "***"
_LEAST_GRACE: Final = timedelta(hours=1)


class Unfit(Exception):
    """A text that is no value of its kind; the message says what was given and what would be right."""


class Secret:
    """A text that no log, error or page may show; only `reveal` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret, for the one place that needs it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A TCP address to listen on or to call."""

    host: str
    """Empty for every interface."""
    port: int

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can reach it; a name other than `localhost` is never looked up, so: no."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def quoted(text: str) -> str:
    """Return what was given, fit for one line of a message."""
    short = text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - readable
    return '"' + "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in short) + '"'


def show(value: object) -> str:
    """Return a value as it would be written; secrets stay hidden."""
    match value:
        case None:
            return UNSET
        case bool():
            return "true" if value else "false"
        case timedelta():
            return format_duration(value)
        case tuple():
            return f"[{', '.join(show(item) for item in value)}]"
        case Mapping():
            return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


# --- plain values ----------------------------------------------------------------------------------------------------

_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})
_LARGEST: Final = 2**63 - 1


def parse_boolean(text: str) -> bool:
    """Return what YAML 1.1 means by the word; quotes around it do not matter."""
    word = text.lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    message = f"{quoted(text)} is neither true nor false"
    raise Unfit(message)


def parse_text(text: str) -> str:
    """Return the text, which may hold no control character."""
    if text.isprintable():
        return text
    message = f"{quoted(text)} holds a character that cannot be printed"
    raise Unfit(message)


def parse_path(text: str) -> Path:
    """Return a path as it was written; a relative one counts from where the program is started."""
    return Path(parse_text(text))


def integer(least: int, most: int = _LARGEST) -> Callable[[str], int]:
    """Return a reader of whole numbers within the bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
            message = f"{quoted(text)} is not a whole number"
            raise Unfit(message)
        number = int(text)
        if not least <= number <= most:
            message = f"{number} is outside the range; give {least} or more"
            raise Unfit(message if most == _LARGEST else f"{message}, at most {most}")
        return number

    return parse


def page_size(default: int) -> Callable[[str], int]:
    """Return a reader of page sizes; nought and below mean the default, as in distribution."""

    def parse(text: str) -> int:
        number = integer(-_LARGEST)(text)
        return number if number > 0 else default

    return parse


def choice(*words: str) -> Callable[[str], str]:
    """Return a reader of one of the words, whatever their case."""
    by_text = {word.lower(): word for word in words}

    def parse(text: str) -> str:
        if text.lower() in by_text:
            return by_text[text.lower()]
        message = f"{quoted(text)} is not possible; give one of {', '.join(words)}"
        raise Unfit(message)

    return parse


def parse_workers(text: str) -> int | None:
    """Return a number of processes, or nothing for `auto`."""
    return None if text.lower() == "auto" else integer(1, 1024)(text)


# --- durations and sizes ---------------------------------------------------------------------------------------------

_MILLISECOND: Final = 1_000
_SECOND: Final = 1_000 * _MILLISECOND
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_UNITS: Final[Mapping[str, Fraction]] = {
    "h": Fraction(_HOUR),
    "m": Fraction(_MINUTE),
    "s": Fraction(_SECOND),
    "ms": Fraction(_MILLISECOND),
    "us": Fraction(1),
    "\N{MICRO SIGN}s": Fraction(1),
    "\N{GREEK SMALL LETTER MU}s": Fraction(1),
    "ns": Fraction(1, 1_000),
}
"""Microseconds in each unit that Go's `time.ParseDuration` knows."""
_NUMBER: Final = r"[0-9]{1,19}(?:\.[0-9]{0,18})?|\.[0-9]{1,18}"
_PART: Final = re.compile(rf"({_NUMBER})(ns|us|\u00b5s|\u03bcs|ms|s|m|h)", re.ASCII)
_DURATION: Final = re.compile(rf"\+?(?:(?:{_NUMBER})(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+", re.ASCII)
_LONGEST: Final = timedelta(microseconds=_LARGEST // 1_000)


def parse_duration(text: str) -> timedelta:
    """Return a duration in Go's form, such as `30s`, `1h30m` or `168h`; finer than a microsecond is cut off."""
    if text.lstrip("+") == "0":
        return timedelta(0)
    if re.fullmatch(r"[0-9]{1,18}", text):
        message = f"{text} has no unit; give {text}s for seconds (distribution would read {text} nanoseconds)"
        raise Unfit(message)
    if not _DURATION.fullmatch(text):
        message = f"{quoted(text)} is not a duration; give for example 30s, 1h30m or 168h"
        raise Unfit(message)
    total = sum(Fraction(_padded(number)) * _UNITS[unit] for number, unit in _PART.findall(text))
    if total > _LONGEST // timedelta(microseconds=1):
        message = f"{quoted(text)} is too long; at most {format_duration(_LONGEST)}"
        raise Unfit(message)
    return timedelta(microseconds=int(total))


def parse_span(text: str) -> timedelta:
    """Return a duration that is not nought: how often, how long at least."""
    duration = parse_duration(text)
    if duration:
        return duration
    message = f"{quoted(text)} is no time at all; give for example 10s"
    raise Unfit(message)


def parse_grace(text: str) -> timedelta:
    """Return a duration of an hour or more: less would take away what a slow push still relies on."""
    duration = parse_duration(text)
    if duration >= _LEAST_GRACE:
        return duration
    message = f"{quoted(text)} is too short: a push may take that long; give 1h or more"
    raise Unfit(message)


def _padded(number: str) -> str:
    """Return the number as `Fraction` reads it: Go also takes `.5` and `5.`."""
    return f"0{number}0" if "." in number else number


def format_duration(duration: timedelta) -> str:
    """Return the shortest exact form: `168h`, `1h30m`, `1.5s`, `100ms`."""
    left = duration // timedelta(microseconds=1)
    parts = []
    for unit, size in (("h", _HOUR), ("m", _MINUTE)):
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    if left >= _SECOND or not (left or parts):
        parts.append(f"{left // _SECOND}{_decimals(left % _SECOND, 6)}s")
    elif left >= _MILLISECOND:
        parts.append(f"{left // _MILLISECOND}{_decimals(left % _MILLISECOND, 3)}ms")
    elif left:
        parts.append(f"{left}us")
    return "".join(parts)


def _decimals(rest: int, digits: int) -> str:
    return f".{rest:0{digits}}".rstrip("0") if rest else ""


_SIZES: Final[Mapping[str, int]] = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SIZE: Final = re.compile(rf"({_NUMBER})\s*([a-zA-Z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Return a number of bytes, written plainly or with a unit."""
    match = _SIZE.fullmatch(text)
    factor = _SIZES.get(match[2].lower()) if match else None
    if match is None or factor is None:
        message = f"{quoted(text)} is not a size; give bytes, or for example 256MiB (1024 times 1024) or 5GB (10^9)"
        raise Unfit(message)
    size = Fraction(_padded(match[1])) * factor
    if size.denominator != 1 or size > _LARGEST:
        message = f"{quoted(text)} is not a whole number of bytes that a file could have"
        raise Unfit(message)
    return int(size)


def parse_limit(text: str) -> int | None:
    """Return a size, or nothing for `none`: no limit."""
    return None if text.lower() == "none" else parse_size(text)


def parse_rate(text: str) -> int | None:
    """Return bytes a second, or nothing for `none`: no limit."""
    rate = parse_limit(text.removesuffix("/s"))
    if rate == 0:
        message = f"{quoted(text)} would stand still; give a size such as 10MiB, or none for no limit"
        raise Unfit(message)
    return rate


def show_size(value: object) -> str:
    """Return a size in the largest unit that divides it."""
    if not isinstance(value, int) or value == 0:
        return show(value)
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value % _SIZES[unit.lower()] == 0:
            return f"{value // _SIZES[unit.lower()]}{unit}"
    return str(value)


# --- places ----------------------------------------------------------------------------------------------------------

_MAX_PORT: Final = 65_535
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)


def parse_address(text: str) -> Address:
    """Return `HOST:PORT` in its parts; `:PORT` means every interface, an IPv6 address stands in brackets."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host) != bracketed or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > _MAX_PORT:
        message = f"{quoted(text)} is not an address; give HOST:PORT, for example 127.0.0.1:5000, [::1]:5000 or :5000"
        raise Unfit(message)
    host = host[1:-1] if bracketed else host
    if not re.fullmatch(r"[A-Za-z0-9._:%-]*", host):
        message = f"{quoted(host)} is not a host"
        raise Unfit(message)
    return Address(host=host, port=int(port))


def parse_listener(text: str) -> str:
    """Return an address to listen on, as it was written."""
    parse_address(text)
    return text


def parse_target(text: str) -> str:
    """Return an address to call, as it was written: it needs a host."""
    if parse_address(text).host:
        return text
    message = f"{quoted(text)} has no host to call; give HOST:PORT"
    raise Unfit(message)


def parse_proxy(text: str) -> Proxy:
    """Return an address or a network that forwarding headers are believed from, or `unix`."""
    return "unix" if text.lower() == "unix" else parse_network(text, " or unix")


def parse_network(text: str, besides: str = "") -> Network:
    """Return an address or a network of clients; `besides` says what else would be right."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        message = f"{quoted(text)} has bits behind its mask; give {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        examples = f"10.0.0.5, 10.0.0.0/8{besides}" if besides else "10.0.0.5 or 10.0.0.0/8"
        message = f"{quoted(text)} is neither an address nor a network; give for example {examples}"
    raise Unfit(message)


def parse_destination(text: str) -> str:
    """Return what requests to others may go to besides the public internet: an address, a network or a host's name."""
    try:
        found = ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text)
        if "%" not in text:  # a zone means nothing but on one machine
            return str(found)
    except ValueError:
        pass
    if _HOST_NAME.fullmatch(text) and not re.fullmatch(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)", text):
        return text.lower()
    try:
        message = f"{quoted(text)} has bits behind its mask; give {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        message = (
            f"{quoted(text)} is no address, no network and no name of a host; give for example 10.1.2.3, 10.0.0.0/8 or "
            "gitlab.example.com, without https:// and without a port"
        )
    raise Unfit(message)


def parse_lifetime(text: str) -> timedelta:
    """Return how long a credential that stands for a workload is valid: a minute to an hour, in whole seconds."""
    duration = parse_duration(text)
    if timedelta(minutes=1) <= duration <= timedelta(hours=1) and not duration % timedelta(seconds=1):
        return duration
    message = f"{quoted(text)} is outside the range; give whole seconds, from 1m to 1h"
    raise Unfit(message)


def parse_database(text: str) -> Secret:
    """Return where the metadata is; the message never repeats the URL, which may hold a password."""
    scheme, separator, rest = text.partition("://")
    if separator and rest and scheme in {"postgresql", "postgres"}:
        return Secret(text)
    message = "this is no database that is known; give postgresql://USER:PASSWORD@HOST/NAME, or nothing for SQLite"
    raise Unfit(message)


def parse_pattern(text: str) -> str:
    """Return a regular expression that Python's `re` can compile, as it was written."""
    try:
        re.compile(text)
    except (re.error, RecursionError) as error:
        message = f"{quoted(text)} is not a regular expression as Python reads them: {error}"
        raise Unfit(message) from error
    return text


_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)


def parse_header_name(text: str) -> str:
    """Return the name of an HTTP header."""
    if _HEADER_NAME.fullmatch(text):
        return text
    message = f"{quoted(text)} cannot be the name of a header"
    raise Unfit(message)


def parse_header_value(text: str) -> str:
    """Return the value of an HTTP header, which is one line of ASCII."""
    if text.isascii() and text.isprintable():
        return text
    message = "the value of a header is one line of plain ASCII"
    raise Unfit(message)
