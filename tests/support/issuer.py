# SPDX-License-Identifier: Apache-2.0
"""An issuer of identity tokens, as GitHub, GitLab and clusters are: its keys, its tokens, a server that speaks TLS."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wharfinger.security.thumbprints import jwk_of

DISCOVERY = "/.well-known/openid-configuration"
AUDIENCE = "registry.example.com"
WORKFLOW = {
    "sub": "repo:acme/app:ref:refs/heads/main",
    "repository": "acme/app",
    "repository_owner": "acme",
    "repository_owner_id": "65",
    "event_name": "push",
    "ref": "refs/heads/main",
}
"""Claims of a workflow of GitHub Actions."""


def b64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Key:
    """A key pair of an issuer.

    Args:
        kid: its name.
        kind: `RS256`, `ES256` or `EdDSA`.
    """

    def __init__(self, kid="k1", kind="RS256"):
        self.kid, self.kind = kid, kind
        match kind:
            case "RS256":
                self.private = rsa.generate_private_key(65537, 2048)
            case "ES256":
                self.private = ec.generate_private_key(ec.SECP256R1())
            case _:
                self.private = ed25519.Ed25519PrivateKey.generate()

    @property
    def jwk(self):
        return {**jwk_of(self.private.public_key()), "kid": self.kid, "alg": self.kind, "use": "sig"}

    def sign(self, content):
        match self.kind:
            case "RS256":
                return self.private.sign(content, padding.PKCS1v15(), hashes.SHA256())
            case "ES256":
                r, s = decode_dss_signature(self.private.sign(content, ec.ECDSA(hashes.SHA256())))
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")
            case _:
                return self.private.sign(content)


class Tokens:
    """Makes identity tokens.

    Args:
        issuer: the `iss`.
        key: signs.
        now: seconds since 1970.
    """

    def __init__(self, issuer, key, now=time.time):
        self.issuer, self.key, self._now = issuer, key, now

    def make(self, header=None, *, without=(), key=None, **claims):
        """Return a token with other claims, with `header` changed, and without some claims."""
        now, key = int(self._now()), key or self.key
        said = {"iss": self.issuer, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300, **WORKFLOW, **claims}
        said = {name: value for name, value in said.items() if name not in without}
        top = {"alg": key.kind, "typ": "JWT", "kid": key.kid, **(header or {})}
        top = {name: value for name, value in top.items() if value is not None}
        signed = f"{b64(json.dumps(top).encode())}.{b64(json.dumps(said).encode())}"
        return f"{signed}.{b64(key.sign(signed.encode()))}"


class Issuer:
    """A server on 127.0.0.1 that gives the keys of an issuer; its address is its name.

    Args:
        context: for TLS.
        keys: that it publishes first.
    """

    def __init__(self, context, *keys):
        self.keys = list(keys)
        self.is_up = True
        self.asked = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                status, body = issuer.answer(self.path)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, path):
        if not self.is_up:
            return 502, b"<h1>Bad gateway</h1>"
        documents = {
            DISCOVERY: {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [key.jwk for key in self.keys]},
        }
        return (200, json.dumps(documents[path]).encode()) if path in documents else (404, b"{}")

    @property
    def tokens(self):
        """Make tokens with the newest key."""
        return Tokens(self.url, self.keys[-1])

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
