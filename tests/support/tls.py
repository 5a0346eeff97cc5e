# SPDX-License-Identifier: Apache-2.0
"""A server that speaks TLS, with a certificate that the product's own command made."""

import http.client
import socket
import ssl
import urllib.request
from pathlib import Path

from cryptography import x509

from tests.support.commands import run
from tests.support.server import COMMAND, READY_PATH, Server


def self_signed(folder, *names, force=False):
    """Have `wharfinger certificate self-signed` write `registry.key` and `registry.crt`; gives what it printed."""
    words = ("--folder", folder, *(["--force"] if force else []))
    return run(COMMAND[0], "certificate", "self-signed", *names, *words).stdout


def number_of(content):
    """The serial number of the first certificate in a PEM file's content."""
    return x509.load_pem_x509_certificate(content).serial_number


class SecureServer(Server):
    """A registry with TLS.

    Args:
        folder: as of every server; `registry.crt` and `registry.key` lie in `certificates` below it.
        port: where it listens, if the environment names the address.
        place: where the settings look for the two, if not there.
        options: as of every server.
    """

    def __init__(self, folder, *, port=None, place=None, environment=None, **options):
        self.certificates = Path(folder) / "certificates"
        place = Path(place or self.certificates)
        files = {
            "REGISTRY_HTTP_TLS_CERTIFICATE": str(place / "registry.crt"),
            "REGISTRY_HTTP_TLS_KEY": str(place / "registry.key"),
        }
        super().__init__(folder, environment={**files, **(environment or {})}, **options)
        self.port = port or self.port
        if not (self.certificates / "registry.crt").exists():
            self.renew()

    @property
    def url(self):
        return f"https://{self.host}"

    @property
    def number(self):
        """The serial number of the certificate in the file."""
        return number_of((self.certificates / "registry.crt").read_bytes())

    def renew(self):
        """Replace key and certificate with new ones."""
        self_signed(self.certificates, "localhost", "127.0.0.1", force=True)

    def trust(self):
        """A client's side of TLS that trusts the certificate in the file and no other."""
        return ssl.create_default_context(cafile=self.certificates / "registry.crt")

    def connect(self, trust=None, **options):
        """A connection of its own, handshake done."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30, **options)
        try:
            return (trust or self.trust()).wrap_socket(connection, server_hostname="localhost")
        except BaseException:
            connection.close()
            raise

    def shown(self):
        """The serial number of the certificate that a new connection is shown."""
        with self.connect(_anything()) as connection:
            return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True)).serial_number

    def is_ready(self):
        """Ask whether the registry is ready, once."""
        assert self.process.poll() is None, f"ended with status {self.process.poll()}:\n{self.log}"
        try:
            with urllib.request.urlopen(self.url + READY_PATH, timeout=2, context=_anything()) as answer:
                return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False


def _anything():
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    return trust
