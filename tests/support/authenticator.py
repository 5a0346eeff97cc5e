# SPDX-License-Identifier: Apache-2.0
"""An authenticator with its browser, in Python: makes passkeys and answers with them (WebAuthn, "none" attestation).

It is written from the specification, not with the library that the product checks it with; only CBOR is that one's.
"""

import base64
import hashlib
import json
import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Authenticator:
    """A device with passkeys.

    Args:
        origin: of the page that its browser shows.
        verifies: whether it checks who holds it.
        counts: whether it counts its signatures.
    """

    def __init__(self, origin="https://registry.test", *, verifies=True, counts=True):
        self.origin = origin
        self.verifies = verifies
        self.counts = counts
        self.counter = 0
        self.keys = {}

    def make(self, options):
        """Answer the options for a new passkey."""
        asked = json.loads(options)
        key, key_id = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        self.keys[encoded(key_id)] = key, asked["user"]["id"]
        point = key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        described = b"\0" * 16 + len(key_id).to_bytes(2, "big") + key_id + cbor.encode(cose)
        data = self._data(asked["rp"]["id"], HAS_KEY) + described
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", asked["challenge"])
        return self._answer(encoded(key_id), clientDataJSON=client, attestationObject=attestation)

    def show(self, options, key_id=None, **changes):
        """Answer the options for a passkey that is there, with fields of the client's data changed."""
        asked = json.loads(options)
        offered = [one["id"] for one in asked.get("allowCredentials") or [{"id": one} for one in self.keys]]
        key_id = key_id or next(one for one in offered if one in self.keys)
        key, user = self.keys[key_id]
        data = self._data(asked["rpId"], 0)
        client = self._client("webauthn.get", asked["challenge"], **changes)
        signature = key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        handle = base64.urlsafe_b64decode(user + "==")
        return self._answer(
            key_id, clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=handle
        )

    def _data(self, host, flags):
        self.counter += 1 if self.counts else 0
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client(self, kind, asked, **changes):
        told = {"type": kind, "challenge": asked, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**told, **changes}).encode()

    def _answer(self, key_id, **response):
        parts = {name: encoded(content) for name, content in response.items()}
        return json.dumps({"id": key_id, "rawId": key_id, "type": "public-key", "response": parts})
