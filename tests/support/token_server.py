# SPDX-License-Identifier: Apache-2.0
"""Somebody else's token server, as the token specification of CNCF distribution describes one.

It knows a few users and what each may do. A token names what was asked for, as far as the user may have it.

```text
GET  /token?service=S&scope=…&scope=…        with Basic, or with nothing for what everybody may do
POST /token  grant_type=password|refresh_token&scope=… …   a form
```
"""

import base64
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

SERVICE = "registry.example"
ISSUER = "tokens.example"
LIFETIME = 300


@dataclass(frozen=True)
class Key:
    """A key that signs tokens.

    Args:
        private: Ed25519 or RSA.
        kid: what the token server calls it.
    """

    private: Ed25519PrivateKey | RSAPrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    kid: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def rsa(cls):
        return cls(generate_private_key(65537, 2048))

    @property
    def algorithm(self):
        return "RS256" if isinstance(self.private, RSAPrivateKey) else "EdDSA"

    @property
    def jwk(self):
        """The public half, as a JSON Web Key."""
        kind = RSAAlgorithm if isinstance(self.private, RSAPrivateKey) else OKPAlgorithm
        return kind.to_jwk(self.private.public_key(), as_dict=True) | {"kid": self.kid, "use": "sig"}

    def sign(self, claims, **header):
        header = {"kid": self.kid} | header
        return jwt.encode(claims, self.private, header.pop("alg", self.algorithm), headers=header)


def claims_of(*access, user="alice", **more):
    """What a token says; `access` is written as in scopes. A claim given as nothing is left out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": user,
        "aud": SERVICE,
        "exp": now + LIFETIME,
        "nbf": now - 10,
        "iat": now,
        "jti": secrets.token_hex(8),
        "access": [_entry(*_parts(scope)) for scope in access],
        **more,
    }
    return {name: value for name, value in claims.items() if value is not None}


class TokenServer:
    """A token server on a free port of this machine; the same keys sign what it gives and what a test makes.

    Args:
        folder: where its key set lies.
        users: name to password.
        rights: name to what it may do, `{"repository:NAME" or "registry:catalog": actions}`; `""` is everybody.
    """

    def __init__(self, folder, users=None, rights=None):
        self.users = users or {}
        self.rights = rights or {}
        self.asked = []
        """Each request for a token: method, user and scopes."""
        self.jwks = Path(folder) / "jwks.json"
        self.replace_key(Key())
        self._refresh_tokens = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def realm(self):
        return f"http://127.0.0.1:{self._http.server_port}/token"

    @property
    def settings(self):
        """The variables that make a registry trust this server."""
        values = {"realm": self.realm, "service": SERVICE, "issuer": ISSUER, "jwks": self.jwks}
        return {f"REGISTRY_AUTH_TOKEN_{name.upper()}": str(value) for name, value in values.items()}

    def replace_key(self, key):
        """Sign with another key from now on, and write a key set that has only this one."""
        self.key = key
        self.write_keys(json.dumps({"keys": [key.jwk]}))

    def write_keys(self, text):
        """Replace the key set in one step."""
        new = self.jwks.with_suffix(".new")
        new.write_text(text)
        new.replace(self.jwks)

    def token(self, *access, user="alice", **more):
        """A token as the server gives it, without asking whether the user may; `more` are other claims."""
        return self.key.sign(claims_of(*access, user=user, **more))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, method, basic, query):
        """Return status and document for a request of a token."""
        refresh_token = query.get("refresh_token", [""])[0]
        name, secret = basic or (query.get("username", [""])[0], query.get("password", [""])[0])
        if refresh_token:
            name = self._refresh_tokens.get(refresh_token)
        elif name and self.users.get(name) != secret:
            name = None
        scopes = [scope for text in query.get("scope", []) for scope in text.split()]
        self.asked.append((method, name, scopes))
        if name is None or (not name and not scopes) or query.get("service") != [SERVICE]:
            return 401, {"details": "incorrect username or password"}
        token = self.token(*self._allowed(name, scopes), user=name)
        document = {"token": token, "access_token": token, "expires_in": LIFETIME}
        if name and (query.get("offline_token") or query.get("access_type") == ["offline"]):
            document["refresh_token"] = secrets.token_urlsafe(20)
            self._refresh_tokens[document["refresh_token"]] = name
        return 200, document

    def _allowed(self, name, scopes):
        rights = self.rights.get("", {}) | self.rights.get(name, {})
        for scope in scopes:
            kind, what, wanted = _parts(scope)
            actions = [action for action in wanted if action in rights.get(f"{kind}:{what}", "").split(",")]
            if actions:
                yield f"{kind}:{what}:{','.join(actions)}"


def _parts(scope):
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return kind, name, actions.split(",")


def _entry(kind, name, actions):
    return {"type": kind, "name": name, "actions": actions}


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(parse_qs(urlsplit(self.path).query))

        def do_POST(self):
            self._answer(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _answer(self, query):
            scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
            basic = base64.b64decode(encoded).decode().split(":", 1) if scheme == "Basic" else None
            status, document = server.answer(self.command, basic, query)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler
