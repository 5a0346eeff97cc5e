# SPDX-License-Identifier: Apache-2.0
"""The main process of the HTTP server, which starts the workers, starts them again, and replaces them.

Workers are replaced when the certificate changes, or on SIGHUP. All new ones listen before the first old one is told to
go, and if one of them does not, the old ones stay. An old worker accepts nothing more and ends with its last request,
however long that takes: a layer of gigabytes on a slow line must not break off because a certificate was renewed.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Final, Protocol

from granian.server.mp import MPServer, WorkerProcess

from wharfinger import telemetry
from wharfinger.server.companions import Companion

if TYPE_CHECKING:
    from wharfinger.server.tls import Certificate
    from wharfinger.web.edge import Edge

_START_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_LAST_REQUEST_SECONDS: Final = 86_400.0
"""After this long, nobody reads the answer to an old worker's last request any more."""
_TURNS: Final = 20
_log = telemetry.logger("server")


class Loader(Protocol):
    """Makes the application, in a worker."""

    def __call__(self, listening: "Listening | None" = None) -> "Edge":
        """Return it; it is to call `listening.soon` once it has started."""
        ...


class Listening:
    """Tells the main process, from a worker, that the worker listens.

    Args:
        notice: where the main process waits. It sees the end of it if the worker dies before.
    """

    def __init__(self, notice: "Connection[bytes, bytes]") -> None:
        self._notice = notice

    def soon(self) -> None:
        """Tell it once the server listens; called on the worker's loop when the application has started.

        The server runs the loop until the application has started, then listens, then runs the loop for good. The first
        run ends a few turns from now, so more turns than that are only reached in the second.
        """
        self._after(_TURNS)

    def _after(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._after, turns - 1)
        else:
            self._notice.send_bytes(b"listening")
            self._notice.close()


class InMemory:
    """Bytes that arrive in a worker as the name of a file that holds them, and that no disk ever sees.

    The HTTP server wants names of files. What a worker is given is pickled on its way; there, this becomes the name.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __reduce__(self) -> tuple[Callable[[bytes], str], tuple[bytes]]:
        return file_in_memory, (self._content,)


def file_in_memory(content: bytes) -> str:
    """Return the name of a new file that exists in this process alone, for as long as the process does."""
    descriptor = os.memfd_create("wharfinger-tls", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return f"/proc/self/fd/{descriptor}"


class Node(MPServer):
    """The HTTP server's main process."""

    companions: Sequence[Companion] = ()
    """Told to stop when the server is told itself."""
    _certificate: "Certificate | None" = None
    _minimum = ""
    _retry: threading.Timer | None = None
    _old: Sequence[WorkerProcess] = ()

    def use(self, certificate: "Certificate", minimum: str) -> None:
        """Have the workers speak TLS with this certificate, from this version of TLS on."""
        self._certificate = certificate
        self._minimum = minimum
        self._show(certificate)

    def signal_handler_interrupt(self, *args: object, **kwargs: object) -> None:
        """Stop everything at once: what runs has one drain time together, not one after the other."""
        for companion in self.companions:
            companion.terminate()
        super().signal_handler_interrupt(*args, **kwargs)

    def replace_soon(self) -> None:
        """Read the certificate again and replace the workers, as SIGHUP does; callable from any thread."""
        self.signal_handler_reload()

    def _show(self, certificate: "Certificate") -> None:
        """Have workers that start from now on show the pair in force."""
        pair = certificate.pair
        files = (InMemory(pair.certificate), InMemory(pair.key))
        self.ssl_ctx = (True, *files, None, self._minimum, None, [], False)  # type: ignore[assignment]  # see InMemory

    def _reload(self, spawn_target: object, target_loader: Loader) -> None:
        self.reload_signal = False
        self.main_loop_interrupt.clear()
        self._take(spawn_target, target_loader)
        if self.interrupt_signal or self.interrupt_children or self.reload_signal:
            self.main_loop_interrupt.set()  # what came meanwhile was perhaps cleared, and must not wait for ever

    def _take(self, spawn_target: object, target_loader: Loader) -> None:
        """Replace the workers by ones with what the certificate's files say now, if both can be had."""
        before = self.ssl_ctx
        if self._retry is not None:
            self._retry.cancel()  # this is it
        if self._certificate is not None:
            if not self._certificate.read_again():
                return
            self._show(self._certificate)
        if self._replace(spawn_target, target_loader):
            _log.info(
                "the workers were replaced", certificate=self._certificate.summary if self._certificate else "none"
            )
        elif not self.interrupt_signal:
            self.ssl_ctx = before
            _log.error("new workers do not start; the ones before stay, with their certificate, until the next attempt")
            self._retry = threading.Timer(_RETRY_SECONDS, self.replace_soon)
            self._retry.daemon = True
            self._retry.start()

    def _replace(self, spawn_target: object, target_loader: Loader) -> bool:
        """Start a new set of workers and retire the old one; the old one stays if the new one is not complete."""
        new: list[WorkerProcess] = []
        if not self._start_all(new, spawn_target, target_loader):
            for worker in new:
                worker.kill()
                worker.join()
            return False
        retired, self.wrks = self.wrks, new
        for worker in retired:
            worker.terminate()
        self.interrupt_children.clear()  # whoever of the old ones died meanwhile has a successor
        for worker in new:
            worker.interrupt_by_parent = False
        self.interrupt_children += [worker.idx for worker in new if not worker.is_alive()]
        self._old = [*(worker for worker in self._old if worker.is_alive()), *retired]
        for worker in retired:
            threading.Thread(target=_end_at_last, args=(worker,), name="old-worker", daemon=True).start()
        return True

    def _start_all(self, new: list[WorkerProcess], spawn_target: object, target_loader: Loader) -> bool:
        """Start as many workers as there are to be; whether all of them listen."""
        notices = []
        try:
            for number in range(self.workers):
                worker, notice = self._start(number, spawn_target, target_loader)
                new.append(worker)
                notices.append(notice)
        except OSError as error:  # no memory, or too many processes: both are there while workers are replaced
            _log.error("a worker cannot be started", reason=str(error))
            return False
        return all(self._listens(notice) for notice in notices)

    def _start(
        self, number: int, spawn_target: object, target_loader: Loader
    ) -> tuple[WorkerProcess, "Connection[bytes, bytes]"]:
        """Start a worker; the connection says when it listens, and ends if it dies before."""
        receiver, sender = Pipe(duplex=False)
        worker = self._spawn_worker(number, spawn_target, partial(target_loader, listening=Listening(sender)))
        worker.interrupt_by_parent = True  # until it listens, its death is no reason to start another one
        worker.start()
        sender.close()
        return worker, receiver

    def _listens(self, notice: "Connection[bytes, bytes]") -> bool:
        with notice:
            for _ in range(int(_START_SECONDS / _LOOK_SECONDS)):
                if self.interrupt_signal:
                    return False
                if notice.poll(_LOOK_SECONDS):
                    break
            else:
                return False
            try:
                notice.recv_bytes()
            except EOFError:
                return False
            return True

    def _stop_workers(self) -> None:
        self.wrks += [worker for worker in self._old if worker.is_alive()]
        super()._stop_workers()


def _end_at_last(worker: WorkerProcess) -> None:
    """Wait for a worker that was told to go, and end it if it never does."""
    if not wait([worker.inner.sentinel], _LAST_REQUEST_SECONDS):
        worker.kill()
