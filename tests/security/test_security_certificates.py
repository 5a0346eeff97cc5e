# SPDX-License-Identifier: Apache-2.0
"""Self-signed certificates: which names they take, what they say, and how they are written."""

import ipaddress
import ssl
import stat
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wharfinger.clock import Instant, as_datetime
from wharfinger.security.certificates import (
    FileInTheWay,
    Name,
    NameRefused,
    make_self_signed,
    write_self_signed,
)
from wharfinger.security.pairs import Pair

NOW = Instant(1_800_000_000_000_000)


def made(*names, days=365):
    return make_self_signed([Name.parse(name) for name in names], days=days, now=NOW)


def parsed(*names, **options):
    return x509.load_pem_x509_certificate(made(*names, **options).certificate)


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("registry.local", "registry.local", None, "registry.local"),
        ("Registry.Local:5000", "registry.local", 5000, "registry.local:5000"),
        ("registry", "registry", None, "registry"),
        ("my_registry:443", "my_registry", 443, "my_registry:443"),
        ("*.example.org", "*.example.org", None, "*.example.org"),
        ("192.0.2.2:65535", "192.0.2.2", 65535, "192.0.2.2:65535"),
        ("2001:DB8::1", "2001:db8::1", None, "[2001:db8::1]"),
        ("[2001:db8:0::1]", "2001:db8::1", None, "[2001:db8::1]"),
        ("[::1]:5000", "::1", 5000, "[::1]:5000"),
        ("a" * 63 + ".b", "a" * 63 + ".b", None, "a" * 63 + ".b"),
    ],
)
def test_a_name_has_a_host_and_perhaps_a_port(text, host, port, shown):
    name = Name.parse(text)
    assert (name.host, name.port, str(name)) == (host, port, shown)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://registry.local", "only its host"),
        ("registry.local/team", "only its host"),
        ("", "no host"),
        (":5000", "no host"),
        ("registry.local:", "number from 1 to 65535"),
        ("registry.local:0", "number from 1 to 65535"),
        ("registry.local:65536", "number from 1 to 65535"),
        ("registry.local:٣", "number from 1 to 65535"),
        ("registry..local", "no host name"),
        ("-registry.local", "no host name"),
        ("regi stry", "no host name"),
        ("registry.local\n", "no host name"),
        ("a" * 64, "no host name"),
        (".".join(["a" * 63] * 4), "no host name"),
        ("registry.local.", "ends with a dot"),
        ("*", "wrong place"),
        ("a.*.org", "wrong place"),
        ("*.*.org", "wrong place"),
        ("regi*.org", "wrong place"),
        ("192.0.2", "neither an address nor a name"),
        ("192.0.2.256", "neither an address nor a name"),
        ("0.0.0.0", "where a server listens"),
        ("[::]:5000", "where a server listens"),
        ("fe80::1%eth0", "zone"),
        ("2001:db8::1:zz", "brackets"),
        ("[registry]:5000", "brackets are for IPv6"),
        ("레지스트리.local", "xn--"),
    ],
)
def test_a_name_that_clients_cannot_use_is_refused_with_the_reason(text, reason):
    with pytest.raises(NameRefused, match=reason):
        Name.parse(text)


def test_every_name_is_an_alternative_name_once_and_without_its_port():
    certificate = parsed("registry.local:5000", "registry.local", "*.example.org", "192.0.2.2:1", "[::1]:2")
    names = extension(certificate, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["registry.local", "*.example.org"]
    addresses = [ipaddress.ip_address("192.0.2.2"), ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses


def test_it_is_its_own_authority_for_servers_and_nothing_below_it():
    certificate = parsed("registry.local")
    assert certificate.issuer == certificate.subject
    certificate.verify_directly_issued_by(certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert list(extension(certificate, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert isinstance(certificate.public_key().curve, ec.SECP256R1)


def test_it_begins_an_hour_ago_and_lasts_as_many_days_as_were_asked_for():
    certificate = parsed("registry.local", days=825)
    assert certificate.not_valid_before_utc == as_datetime(NOW) - timedelta(hours=1)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=825)


def test_no_two_have_the_same_key_or_number():
    first, second = parsed("registry.local"), parsed("registry.local")
    assert first.serial_number != second.serial_number
    assert first.public_key() != second.public_key()


def test_a_name_that_is_too_long_for_a_title_is_still_a_name():
    long = f"{'a' * 60}.{'b' * 60}.example.org"
    certificate = parsed(long)
    assert extension(certificate, x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [long]
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "Wharfinger"


def test_the_files_fit_and_only_the_owner_reads_the_key(tmp_path):
    key, certificate = write_self_signed(made("registry.local"), tmp_path / "new" / "folder", force=False)
    assert (key.name, certificate.name) == ("registry.key", "registry.crt")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o644
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    assert Pair.read(certificate, key).certificate == certificate.read_bytes()
    assert sorted(path.name for path in key.parent.iterdir()) == ["registry.crt", "registry.key"]


@pytest.mark.parametrize("name", ["registry.key", "registry.crt"])
def test_what_is_there_stays_unless_forced(tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(FileInTheWay, match=name):
        write_self_signed(made("registry.local"), tmp_path, force=False)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "precious")]

    key, certificate = write_self_signed(made("registry.local"), tmp_path, force=True)
    Pair.read(certificate, key)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_that_leads_nowhere_counts_as_there(tmp_path):
    (tmp_path / "registry.key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileInTheWay):
        write_self_signed(made("registry.local"), tmp_path, force=False)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "registry.crt").mkdir()  # a rename over it fails, after the key was written beside its place
    with pytest.raises(OSError, match=r"registry\.crt"):
        write_self_signed(made("registry.local"), tmp_path, force=True)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
