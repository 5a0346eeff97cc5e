# SPDX-License-Identifier: Apache-2.0
"""Certificates that vouch for themselves, for a registry whose clients can be told what to trust.

Such a certificate is its own authority: the file that the server shows is also the `ca.crt` that Docker and podman
look for. It therefore says `CA:TRUE`, and that nothing but itself may hang on it.
"""

import contextlib
import ipaddress
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wharfinger.clock import Instant, as_datetime

MAX_DAYS: Final = 825
"""Apple's systems refuse certificates that are valid for longer."""
KEY_FILE: Final = "registry.key"
CERTIFICATE_FILE: Final = "registry.crt"
_SKEW: Final = timedelta(hours=1)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_NAME: Final = 253
_MAX_COMMON_NAME: Final = 64
_MAX_PORT: Final = 65_535


class NameRefused(Exception):
    """A name for which no certificate can be made; the message says why, and what to write instead."""


class FileInTheWay(Exception):
    """A key or certificate is there already, and may be in use."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already")


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name under which clients reach the registry."""

    host: str
    """In lower case, and without the brackets of an IPv6 address."""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST` or `HOST:PORT`; the host is a name, `*.` and a name, or an address.

        Raises:
            NameRefused: clients could not hold what they reach against it.
        """
        if "://" in text or "/" in text:
            message = (
                f"{text!r} is an address of a page; write only its host, as in registry.local or registry.local:5000"
            )
            raise NameRefused(message)
        host, port = _split(text)
        return cls(host=_checked_host(host.lower(), text), port=_checked_port(port, text))

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every name below a domain."""
        return self.host.startswith("*.")

    def __str__(self) -> str:
        """Return the name as it stands before the slash in an image's name."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSigned:
    """A new key and its certificate, in PEM."""

    key: bytes
    certificate: bytes


def make_self_signed(names: Sequence[Name], *, days: int, now: Instant) -> SelfSigned:
    """Make a key and a certificate for at least one name; ports do not matter to it.

    Its time begins an hour ago, for clients whose clock is slow, and lasts `days` from then, `MAX_DAYS` at most.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    hosts = list(dict.fromkeys(name.host for name in names))
    # The common name is only for people, and may not be longer.
    title = hosts[0] if len(hosts[0]) <= _MAX_COMMON_NAME else "Wharfinger"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    begin = as_datetime(now).replace(microsecond=0) - _SKEW
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return SelfSigned(
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
    )


def write_self_signed(made: SelfSigned, folder: Path, *, force: bool) -> tuple[Path, Path]:
    """Write `registry.key`, which only its owner may read, and `registry.crt`; returns their paths, key first.

    Each file appears whole or not at all, and both are durable once this returns. A server that watches them sees a
    pair that does not fit for a moment when both are replaced, and waits for the second.

    Raises:
        FileInTheWay: one of them exists, and `force` is off; nothing was changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / KEY_FILE, folder / CERTIFICATE_FILE
    if not force:
        for path in (key, certificate):
            if os.path.lexists(path):
                raise FileInTheWay(path)
    with _written(key, made.key, 0o600) as new_key, _written(certificate, made.certificate, 0o644) as new_certificate:
        _put(new_key, key, force=force)
        _put(new_certificate, certificate, force=force)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return key, certificate


# --- names -----------------------------------------------------------------------------------------------------------


def _split(text: str) -> tuple[str, str | None]:
    """Divide host and port. An IPv6 address needs brackets only if a port follows."""
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):
        if ":" not in match[1]:
            message = f"{text!r}: brackets are for IPv6 addresses"
            raise NameRefused(message)
        return match[1], match[2]
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _checked_port(port: str | None, text: str) -> int | None:
    if port is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= _MAX_PORT:
        message = f"{text!r}: the port must be a number from 1 to {_MAX_PORT}"
        raise NameRefused(message)
    return int(port)


def _checked_host(host: str, text: str) -> str:
    with contextlib.suppress(ValueError):
        return _checked_address(ipaddress.ip_address(host), text)
    if reason := _why_no_name(host):
        message = f"{text!r} {reason}"
        raise NameRefused(message)
    return host


def _checked_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address, text: str) -> str:
    reason = ""
    if address.is_unspecified:
        reason = "is where a server listens; write the name or the address that clients use"
    elif isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        reason = "has a zone, which a certificate cannot carry; write the address without it"
    if reason:
        message = f"{text!r} {reason}"
        raise NameRefused(message)
    return str(address)


def _why_no_name(host: str) -> str:
    """Return what is wrong with a host that is no address; nothing if clients could reach it."""
    labels = host.removeprefix("*.").split(".")
    if not host:
        return "has no host"
    if ":" in host:
        return "is no IPv6 address; before a port, the address stands in brackets, as in [2001:db8::1]:5000"
    if not host.isascii():
        return "has letters that are not ASCII; write it in the form that begins with xn--"
    if "*" in host.removeprefix("*."):
        return "has its * in the wrong place; it can only be the whole first part, as in *.example.org"
    if host.endswith("."):
        return "ends with a dot; write it without"
    if len(host) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        return "is no host name: it has parts of letters, digits and hyphens, with dots between them"
    if labels[-1].isdigit():
        return "is neither an address nor a name: a name does not end with a number"
    return ""


# --- the certificate -------------------------------------------------------------------------------------------------

_KEY_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@contextlib.contextmanager
def _written(target: Path, content: bytes, mode: int) -> Iterator[Path]:
    """Write beside the target, durably; what is not put in its place is removed."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)  # whatever the umask says
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def _put(new: Path, target: Path, *, force: bool) -> None:
    if force:
        new.replace(target)
        return
    try:
        target.hardlink_to(new)  # unlike a rename, refuses to overwrite what has come meanwhile
    except FileExistsError as error:
        raise FileInTheWay(target) from error
