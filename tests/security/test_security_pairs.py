# SPDX-License-Identifier: Apache-2.0
"""Certificate and key of the operator: what is refused, with which words, and what the log says of their time."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.commands import run
from wharfinger.clock import DAY, HOUR, SECOND, Instant
from wharfinger.security.certificates import Name, make_self_signed
from wharfinger.security.pairs import Pair, PairRefused

NOW = Instant(1_800_000_000_000_000)
NAMES = [Name.parse("registry.local")]
KEYS = {
    "rsa": ["rsa:2048"],
    "ec-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ec-384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["ed25519"],
}


@pytest.fixture
def files(tmp_path):
    """Return the paths of certificate and key, with a pair in them."""
    pair = make_self_signed(NAMES, days=30, now=NOW)
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    return certificate, key


def refusal(files):
    with pytest.raises(PairRefused) as caught:
        Pair.read(*files)
    return str(caught.value)


def test_what_was_read_is_what_was_judged(files):
    pair = Pair.read(*files)
    assert (pair.certificate, pair.key) == tuple(path.read_bytes() for path in files)
    assert (pair.begin, pair.end) == (NOW - HOUR, NOW - HOUR + 30 * DAY)


@pytest.mark.parametrize("words", KEYS.values(), ids=KEYS)
def test_the_usual_kinds_of_keys_can_be_used(tmp_path, words):
    files = (tmp_path / "c", tmp_path / "k")
    run("openssl", "req", "-x509", "-newkey", *words, "-nodes", "-subj", "/CN=r", "-out", files[0], "-keyout", files[1])
    assert Pair.read(*files).key == files[1].read_bytes()


def test_a_key_as_older_tools_write_it_can_be_used(tmp_path):
    key, certificate = tmp_path / "k", tmp_path / "c"
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", key)  # with its parameters before it
    run("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=r", "-out", certificate)
    assert b"EC PARAMETERS" in key.read_bytes()
    Pair.read(certificate, key)


def test_one_file_may_hold_both(files):
    certificate, key = files
    key.write_bytes(key.read_bytes() + certificate.read_bytes())
    Pair.read(key, key)


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_is_not_there_is_named(files, which):
    files[which].unlink()
    assert refusal(files) == f"{files[which]} cannot be read: No such file or directory"


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("content", [b"", b"\x30\x82\x01\x0a", b"hello"])
def test_what_is_no_pem_is_refused(files, which, content):
    files[which].write_bytes(content)
    kind = ("certificate", "key")[which]
    assert f"{files[which]} holds no {kind} in PEM" in refusal(files)


@pytest.mark.parametrize("which", [0, 1])
def test_every_beginning_of_a_file_is_refused(files, which):
    """Whatever has been written of a file so far, a server does not take it."""
    whole = files[which].read_bytes()
    for length in range(len(whole.rstrip().removesuffix(b"-----"))):
        files[which].write_bytes(whole[:length])
        assert str(files[which]) in refusal(files), length


def test_a_chain_that_breaks_off_is_refused(files):
    certificate, _ = files
    whole = certificate.read_bytes()
    certificate.write_bytes(whole + whole[: len(whole) // 2])
    assert refusal(files) == f"{certificate} is incomplete"


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_damaged_is_refused(files, which):
    lines = files[which].read_bytes().splitlines(keepends=True)
    files[which].write_bytes(b"".join([lines[0], b"AAAA" * 16 + b"\n", *lines[2:]]))
    assert "cannot be read" in refusal(files)


def test_exchanged_files_are_noticed(files):
    certificate, key = files
    assert refusal((key, certificate)) == f"{key} holds a key where the certificate should be"
    assert refusal((certificate, certificate)) == f"{certificate} holds a certificate where the key should be"


def test_a_key_of_another_certificate_is_refused(files):
    certificate, key = files
    key.write_bytes(make_self_signed(NAMES, days=30, now=NOW).key)
    assert refusal(files) == f"{key} is not the key of the certificate in {certificate}"


def test_the_certificate_of_the_key_must_stand_first(files):
    certificate, _ = files
    other = make_self_signed(NAMES, days=30, now=NOW).certificate
    own = certificate.read_bytes()
    certificate.write_bytes(other + own)
    assert "must stand first" in refusal(files)
    certificate.write_bytes(own + other)
    assert Pair.read(*files).certificate == own + other


def encoded(key, protection=None):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, protection or serialization.NoEncryption())


def test_a_key_with_a_password_is_refused(files):
    protected = encoded(ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"secret"))
    files[1].write_bytes(protected)
    assert "password" in refusal(files)


@pytest.mark.parametrize(
    "key",
    [
        lambda: rsa.generate_private_key(65537, 1024),
        lambda: rsa.generate_private_key(65537, 2056),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
    ],
)
def test_a_key_that_the_server_cannot_use_is_refused(files, key):
    files[1].write_bytes(encoded(key()))
    assert "this kind of key cannot be used" in refusal(files)


def test_a_pair_behind_links_is_read(files, tmp_path):
    """As Kubernetes mounts a secret."""
    (tmp_path / "..data").symlink_to(tmp_path)
    links = [tmp_path / "link.crt", tmp_path / "link.key"]
    for link, path in zip(links, files, strict=True):
        link.symlink_to(Path("..data") / path.name)
    assert Pair.read(*links) == Pair.read(*files)


def test_its_time_is_worth_a_word_only_when_it_matters(files):
    pair = Pair.read(*files)
    assert "not valid before" in pair.concern(Instant(pair.begin - SECOND))
    assert pair.concern(pair.begin) == ""
    assert pair.concern(Instant(pair.end - 14 * DAY)) == ""
    assert "expires on" in pair.concern(Instant(pair.end - 14 * DAY + SECOND))
    assert not pair.has_expired(Instant(pair.end - 1))
    assert pair.has_expired(pair.end)
    assert "has expired" in pair.concern(pair.end)


def test_an_ed25519_key_is_not_one_of_another_kind(files):
    files[1].write_bytes(encoded(ed25519.Ed25519PrivateKey.generate()))
    assert "is not the key of the certificate" in refusal(files)
