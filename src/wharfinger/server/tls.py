# SPDX-License-Identifier: Apache-2.0
"""The certificate that the workers show: judged before they see it, and replaced when its files change.

A worker loads certificate and key once, when it starts, and ends if it cannot use them. So it never reads the
operator's files, which somebody may be writing just then. The main process reads and judges them, and gives each worker
the bytes that it judged; a worker that is started again after a crash gets the same ones.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wharfinger import telemetry
from wharfinger.clock import Clock, as_datetime
from wharfinger.security.pairs import Pair, PairRefused

POLL_SECONDS: Final = 2.0
"""How often the files are looked at. A change that stands for that long counts."""
_log = telemetry.logger("server")


class Certificate:
    """The operator's certificate and key.

    Args:
        certificate: the file with the certificate and its chain; links are followed each time.
        key: the file with its key.
        clock: the time.

    Raises:
        PairRefused: they cannot be used, or their time is over.
    """

    def __init__(self, certificate: Path, key: Path, clock: Clock) -> None:
        self._paths = (certificate, key)
        self._clock = clock
        self.pair = self._read()

    @property
    def concern(self) -> str:
        """What the operator should know about the pair in force; nothing while all is well."""
        concern = self.pair.concern(self._clock.now())
        return concern and f"{self._paths[0]}: {concern}"

    @property
    def summary(self) -> str:
        """The pair in force, for the log."""
        return f"{self._paths[0]}, valid until {as_datetime(self.pair.end):%Y-%m-%d}"

    def read_again(self) -> bool:
        """Take what the files say now, if it can be used; otherwise the log says why, and the old pair stays."""
        try:
            self.pair = self._read()
        except PairRefused as error:
            _log.error("the certificate is not taken; the one before stays", reason=str(error))
            return False
        if self.concern:
            _log.warning("the certificate needs attention", reason=self.concern)
        return True

    def watch(self, changed: Callable[[], None], stop: threading.Event) -> None:
        """Call `changed` whenever the files say something else than before and have settled, until told to stop.

        Their content is compared: an orchestrator swaps links, and a copy may keep time and size.
        """
        before: tuple[bytes | None, bytes | None] = (self.pair.certificate, self.pair.key)
        settled = before
        while not stop.wait(POLL_SECONDS):
            found = self._contents()
            if found == before and found != settled:
                settled = found
                changed()
            before = found

    def _read(self) -> Pair:
        pair = Pair.read(*self._paths)
        now = self._clock.now()
        if pair.has_expired(now):
            message = f"{self._paths[0]}: {pair.concern(now)}"
            raise PairRefused(message)
        return pair

    def _contents(self) -> tuple[bytes | None, bytes | None]:
        certificate, key = self._paths
        return _content(certificate), _content(key)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
