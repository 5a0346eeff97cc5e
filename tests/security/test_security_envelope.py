# SPDX-License-Identifier: Apache-2.0
"""Sealed secrets: they open with the right key in the right place, and in no other way."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.security.envelope import Envelope, EnvelopeBroken, MaterialTooShort, Place

OLD, NEW = b"o" * 32, b"n" * 40
PLACE = Place("signing_keys", "7", "private_key")
SECRET = b"canary-3a9f"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.binary(max_size=300), st.builds(Place, texts, texts, texts))
def test_what_is_sealed_opens_again(content, place):
    assert Envelope([OLD]).open(Envelope([OLD]).seal(content, place), place) == content


def test_sealing_twice_gives_two_texts_without_the_secret():
    envelope = Envelope([OLD])
    one, other = envelope.seal(SECRET, PLACE), envelope.seal(SECRET, PLACE)
    assert one != other
    assert one.startswith(f"v1.{envelope.key_id}.")
    assert SECRET.hex() not in one


def test_key_id_gives_nothing_of_the_key_away_and_differs_for_each():
    assert Envelope([OLD]).key_id != Envelope([NEW]).key_id
    assert len(Envelope([OLD]).key_id) == 16


def test_format_is_the_documented_one():
    """What is stored must open for ever; and the id in it must not be a part of the key."""

    def derived(purpose, length):
        return HKDF(hashes.SHA256(), length, salt=None, info=b"wharfinger envelope v1 " + purpose).derive(OLD)

    version, key_id, sealed = Envelope([OLD]).seal(SECRET, Place("t", "r", "c")).split(".")
    content = base64.urlsafe_b64decode(sealed + "==")
    bound = b"\0\0\0\2v1" + b"".join(b"\0\0\0\1" + part for part in (b"t", b"r", b"c"))
    assert (version, key_id) == ("v1", derived(b"id", 8).hex())
    assert AESGCM(derived(b"key", 32)).decrypt(content[:12], content[12:], bound) == SECRET


@given(st.builds(Place, texts, texts, texts))
def test_sealed_text_opens_only_in_its_place(place):
    envelope = Envelope([OLD])
    sealed = envelope.seal(SECRET, PLACE)
    if place != PLACE:
        with pytest.raises(EnvelopeBroken):
            envelope.open(sealed, place)


def test_names_that_join_to_the_same_text_are_different_places():
    envelope = Envelope([OLD])
    sealed = envelope.seal(SECRET, Place("ab", "c", "d"))
    with pytest.raises(EnvelopeBroken, match="moved"):
        envelope.open(sealed, Place("a", "bc", "d"))


def test_every_changed_sign_is_noticed():
    envelope = Envelope([OLD])
    sealed = envelope.seal(SECRET, PLACE)
    for position, sign in enumerate(sealed):
        changed = sealed[:position] + ("A" if sign != "A" else "B") + sealed[position + 1 :]
        with pytest.raises(EnvelopeBroken) as caught:
            envelope.open(changed, PLACE)
        assert "signing_keys.private_key, row 7" in str(caught.value)
        assert SECRET.decode() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "v1", "secret", "v1..", "v2.{id}.AAAA", "v1.{id}.", "v1.{id}.A", "v1.{id}.AAAA"])
def test_text_that_was_never_sealed_is_an_error(text):
    envelope = Envelope([OLD])
    with pytest.raises(EnvelopeBroken):
        envelope.open(text.format(id=envelope.key_id), PLACE)


def test_old_secret_opens_until_it_is_dropped_and_the_new_one_seals():
    sealed = Envelope([OLD]).seal(SECRET, PLACE)
    both = Envelope([NEW, OLD])
    assert both.open(sealed, PLACE) == SECRET
    assert both.key_id == Envelope([NEW]).key_id
    assert Envelope([NEW]).open(both.seal(SECRET, PLACE), PLACE) == SECRET
    with pytest.raises(EnvelopeBroken, match="another secret"):
        Envelope([NEW]).open(sealed, PLACE)


@pytest.mark.parametrize("materials", [[], [b""], [b"x" * 31], [OLD, b"short"]])
def test_short_material_is_refused(materials):
    with pytest.raises(MaterialTooShort):
        Envelope(materials)
