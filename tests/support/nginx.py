# SPDX-License-Identifier: Apache-2.0
"""nginx in front of a registry, set up as the guide shows it: plain, and with TLS and its own certificate."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.commands import free_port, run, spawn, tail, wait_until

CONFIG = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    log_format requests '$request_method $uri';
    access_log {folder}/access.log requests;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{plain_port};
        listen 127.0.0.1:{tls_port} ssl;
        server_name localhost;
        ssl_certificate {folder}/certificates/ca.crt;
        ssl_certificate_key {folder}/server.key;
        # Layers are as big as they are, and go straight through.
        client_max_body_size 0;
        proxy_request_buffering off;
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_read_timeout 900;
        }}
    }}
}}
"""

PASSWORDS = """\
auth_basic "registry";
auth_basic_user_file {folder}/users;
"""


class Nginx:
    """A running nginx before `upstream`.

    Args:
        upstream: the URL of the registry.
        users: names and passwords of those whom nginx lets through; everybody, if there are none.
    """

    def __init__(self, upstream, **users):
        self.folder = Path(tempfile.mkdtemp(prefix="wharfinger-nginx-"))
        self.plain_port, self.tls_port = free_port(), free_port()
        self._log = self.folder / "error.log"
        self._process = None
        try:
            self._start(upstream, users)
        except BaseException:
            self.stop()
            raise

    @property
    def plain(self):
        """`HOST:PORT` without TLS."""
        return f"localhost:{self.plain_port}"

    @property
    def tls(self):
        """`HOST:PORT` with TLS."""
        return f"localhost:{self.tls_port}"

    @property
    def certificates(self):
        """A folder with `ca.crt`, laid out as podman, skopeo and Docker want it for one host."""
        return self.folder / "certificates"

    def version(self):
        return run("nginx", "-v").stderr.rpartition("/")[2].split()[0]

    def requests(self):
        """The method and the path of every request that was answered."""
        return [tuple(line.split()) for line in (self.folder / "access.log").read_text().splitlines()]

    def methods(self, repository, *, until):
        """How often each method was used in a repository, counted once the last request, a PUT to `until`, is there."""
        wait_until(lambda: ("PUT", until) in self.requests(), why=f"nginx saw no PUT {until}")
        return Counter(method for method, path in self.requests() if path.startswith(f"/v2/{repository}/"))

    def stop(self):
        """End nginx and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _start(self, upstream, users):
        self.certificates.mkdir()
        run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", self.folder / "server.key", "-out", self.certificates / "ca.crt"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        )
        places = {"folder": self.folder, "plain_port": self.plain_port, "tls_port": self.tls_port}
        user = "user root;" if os.getuid() == 0 else ""
        settings = self.folder / "nginx.conf"
        text = CONFIG.format(user=user, upstream=upstream, **places)
        if users:
            (self.folder / "users").write_text("".join(f"{name}:{_hashed(users[name])}\n" for name in users))
            text = text.replace("server_name", f"{PASSWORDS.format(folder=self.folder)}server_name", 1)
        settings.write_text(text)
        words = ("-p", self.folder, "-e", self._log, "-c", settings)
        self._process = spawn("nginx", *words, log=self._log)
        wait_until(self._listens, within=20, why=lambda: f"nginx does not start:\n{tail(self._log)}")

    def _listens(self):
        assert self._process.poll() is None, f"nginx ended:\n{tail(self._log)}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.tls_port), timeout=2):
            return True
        return False


def _hashed(secret):
    return run("openssl", "passwd", "-apr1", "-stdin", feed=f"{secret}\n").stdout.strip()
