# SPDX-License-Identifier: Apache-2.0
"""The other side: servers on 127.0.0.1 that answer as a test says, their certificates, and names that lead to them."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wharfinger.outbound.client import Client

NAME = "other.example"
LOOPBACK = ipaddress.ip_address("127.0.0.1")


def answer(body=b"", status=200, **headers):
    """The bytes of an answer; `content_type="..."` is a header."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Peer:
    """One server. `answers` maps a path to bytes or to a coroutine function that is given the writer."""

    def __init__(self, answers, tls=None):
        self.answers = answers
        self.heads = []
        self.names = []
        self.ended = asyncio.Event()
        """Set whenever a client closed its connection."""
        self._tls = tls
        self._tasks = set()

    @property
    def paths(self):
        return [head.split(" ")[1] for head in self.heads]

    def url(self, path="/", host=NAME):
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def __aenter__(self):
        if self._tls:
            self._tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            said = self.answers[head.split(" ")[1].partition("?")[0]]
            if isinstance(said, bytes):
                writer.write(said)
            else:
                await said(writer)
            await reader.read()
        self.ended.set()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


class Names:
    """A resolver: the first look-up of a name gives the first of its answers, and so on; the last is repeated."""

    def __init__(self, answers):
        self._answers = {
            name: [[ipaddress.ip_address(one) for one in each] for each in given] for name, given in answers
        }
        self.asked = []

    async def __call__(self, host):
        self.asked.append(host)
        left = self._answers[host]
        return left.pop(0) if len(left) > 1 else left[0]


@contextlib.contextmanager
def client(policy, *, tls=None, network=None, **names):
    """A client for which every name leads to 127.0.0.1, or `other_example=[["10.0.0.1"]]` to what is given."""
    given = {name.replace("_", "."): answers for name, answers in names.items()}
    resolve = Names(given.items())

    async def everywhere(host):
        return await resolve(host) if host in given else [LOOPBACK]

    made = Client(policy, tls=tls or ssl.create_default_context(), resolve=everywhere, network=network)
    made.asked = resolve.asked
    with contextlib.closing(made):
        yield made


class Authority:
    """Issues certificates for servers."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Authority of the tests")])
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0)))

    def context(self, *names):
        """What a server needs to speak TLS under these names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        path = self._folder / f"{names[0]}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        path.write_bytes(private + self._signed(subject, key, alternatives))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context

    def _signed(self, subject, key, extension):
        now = dt.datetime.now(tz=dt.UTC)
        ours = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(extension, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ours), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def _general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
