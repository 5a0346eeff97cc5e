# SPDX-License-Identifier: Apache-2.0
"""The processes of a node: the HTTP workers, one for background jobs, and a debug listener if there is to be one.

```text
wharfinger serve ─┬─ worker 1 … n     one event loop each, one listening socket for all
                  ├─ jobs             unless --no-work
                  └─ debug            where http.debug.addr says so
```

All are started afresh (not forked), and again when they end by themselves. They share nothing but the database, the
blobs and the metrics' folder, and end within `http.draintimeout` of SIGTERM.
"""

import multiprocessing
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels

from wharfinger import failpoints, telemetry
from wharfinger.clock import Clock
from wharfinger.domain.deployment import Setting
from wharfinger.loading import loading
from wharfinger.server.companions import companion, end_with
from wharfinger.server.metrics_folder import counting_folder
from wharfinger.server.node import Listening, Loader, Node
from wharfinger.settings import Settings, parse_address

if TYPE_CHECKING:
    from wharfinger.server.tls import Certificate
    from wharfinger.web.edge import Edge

MAX_WORKERS: Final = 4
MAX_FILES: Final = 65_536
_FILE_THREADS: Final = 4
"""Threads of a worker in which the HTTP server reads the files that it sends; more only take turns, and memory."""
_TLS: Final = {"tls1.2": SSLProtocols.tls12, "tls1.3": SSLProtocols.tls13}

_log = telemetry.logger("server")


class CannotListen(Exception):
    """The address cannot be had."""


class BadCertificate(Exception):
    """`http.tls` names a certificate or a key that cannot be used."""


def worker_count(settings: Settings) -> int:
    """Return how many HTTP workers there are to be: one for each core that this process may use, up to four."""
    return settings.http.workers or min(MAX_WORKERS, len(os.sched_getaffinity(0)))


def check_certificate(settings: Settings) -> str:
    """Return what the operator should know about the certificate; nothing if all is well, or if there is none.

    Raises:
        BadCertificate: it cannot be used.
    """
    certificate = _certificate(settings)
    return "" if certificate is None else certificate.concern


def require_free(settings: Settings) -> None:
    """Refuse an address that somebody listens at; the server itself would share it, for the sake of its workers.

    Raises:
        CannotListen: somebody else has the address, or it is not ours.
    """
    if settings.http.net == "unix":
        return
    address = parse_address(settings.http.addr)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            message = f"cannot listen at {settings.http.addr}: {error.strerror}"
            raise CannotListen(message) from error


def serve(settings: Settings, shown: Sequence[Setting] = (), *, with_jobs: bool) -> None:
    """Serve until SIGTERM or SIGINT, and return when everything has ended.

    Args:
        settings: what counts.
        shown: the same for people, each with where it was said.
        with_jobs: whether to run the background jobs too.

    Raises:
        CannotListen: somebody else has the address, or it is not ours.
        BadCertificate: certificate or key cannot be used.
    """
    multiprocessing.set_start_method("spawn", force=True)
    _allow_many_files()
    telemetry.configure_log(settings.log.level, settings.log.formatter, settings.log.fields)
    if point := failpoints.armed():
        _log.warning("a failpoint is set: a process ends without a word where it comes by", failpoint=point)
    certificate = _certificate(settings)
    with ExitStack() as stack:
        telemetry.share_metrics(stack.enter_context(counting_folder()))
        require_free(settings)
        server = _server(settings, settings.http.addr, worker_count(settings))
        if with_jobs:
            jobs = stack.enter_context(companion("jobs", partial(_work, settings, os.getpid())))
            server.companions = [*server.companions, jobs]
        if settings.http.debug.addr is not None:
            debug = stack.enter_context(companion("debug", partial(_serve_debug, settings, os.getpid())))
            server.companions = [*server.companions, debug]
        if certificate is not None:
            server.use(certificate, str(_TLS[settings.http.tls.minimumtls]))
            stack.enter_context(_watched(certificate, server.replace_soon))
        _run(server, partial(_application, settings, shown, os.getpid()), settings.http.addr)


def _allow_many_files() -> None:
    """Let this process and those below it open as many files as the system lets anybody ask for.

    The usual limit, 1,024, is for programs that cannot count further; a connection takes one, and a push another.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _certificate(settings: Settings) -> "Certificate | None":
    """Return the certificate that the settings name."""
    tls = settings.http.tls
    if tls.certificate is None or tls.key is None:
        return None
    from wharfinger.security.pairs import PairRefused  # noqa: PLC0415 - a server without TLS does not wait for it
    from wharfinger.server.tls import Certificate  # noqa: PLC0415 - as above

    try:
        return Certificate(tls.certificate, tls.key, Clock())
    except PairRefused as error:
        message = f"http.tls: {error}"
        raise BadCertificate(message) from error


@contextmanager
def _watched(certificate: "Certificate", changed: Callable[[], None]) -> Iterator[None]:
    """Watch the files of the certificate beside the workers."""
    stop = threading.Event()
    thread = threading.Thread(target=certificate.watch, args=(changed, stop), name="certificate", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _work(settings: Settings, parent: int) -> None:
    with loading():
        from wharfinger import bootstrap  # noqa: PLC0415 - the main process starts nothing with it

    _leave_sighup_to_the_main_process()
    end_with(parent)
    bootstrap.work(settings)


def _serve_debug(settings: Settings, parent: int) -> None:
    end_with(parent)
    address = settings.http.debug.addr or ""
    _run(_server(settings, address, 1, plain=True), partial(_debug_application, settings, os.getpid()), address)


def _application(
    settings: Settings, shown: Sequence[Setting], parent: int, listening: Listening | None = None
) -> "Edge":
    _leave_sighup_to_the_main_process()
    end_with(parent)
    with loading():
        from wharfinger import application  # noqa: PLC0415 - only a worker loads what it serves

        return _telling(application.application(settings, shown), listening)


def _debug_application(settings: Settings, parent: int, listening: Listening | None = None) -> "Edge":
    _leave_sighup_to_the_main_process()
    end_with(parent)
    with loading():
        from wharfinger import application  # noqa: PLC0415 - as above

        return _telling(application.debug_application(settings), listening)


def _leave_sighup_to_the_main_process() -> None:
    """Have this process live on: a service manager, or a terminal that closes, tells all processes at once."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _telling(edge: "Edge", listening: Listening | None) -> "Edge":
    if listening is not None:
        edge.after_start(listening.soon)
    return edge


def _run(server: Node, load: Loader, address: str) -> None:
    try:
        server.serve(target_loader=load, wrap_loader=False)
    except (OSError, RuntimeError) as error:
        message = f"cannot listen at {address}: {error}"
        raise CannotListen(message) from error


def _server(settings: Settings, address: str, workers: int, *, plain: bool = False) -> Node:
    http, tls = settings.http, settings.http.tls
    host, _, port = address.rpartition(":")
    is_socket = http.net == "unix" and not plain
    secure = tls.certificate is not None and not plain
    return Node(
        "wharfinger",
        address=host.strip("[]") or "0.0.0.0",  # noqa: S104 - `:5000` means every interface, and was asked for
        port=0 if is_socket else int(port),
        uds=Path(address) if is_socket else None,
        interface=Interfaces.ASGI,
        workers=workers,
        http=_http_mode(settings, secure=secure),
        http1_settings=HTTP1Settings(header_read_timeout=int(http.timeouts.header.total_seconds() * 1000)),
        websockets=False,
        runtime_blocking_threads=_FILE_THREADS,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, int(http.draintimeout.total_seconds())),
    )


def _http_mode(settings: Settings, *, secure: bool) -> HTTPModes:
    http2 = not settings.http.http2.disabled if secure else settings.http.h2c.enabled
    return HTTPModes.auto if http2 else HTTPModes.http1
