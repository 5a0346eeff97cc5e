# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a running registry: the log, and the metrics.

One line for each request, written when its answer has left; everything else that is logged goes through structlog to
the same stream. Metrics are counted in files of a shared folder when `PROMETHEUS_MULTIPROC_DIR` names one, so that
`/metrics` of any process tells the sum over all.
"""

import asyncio
import functools
import os
import select
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TextIO, cast

import orjson
from prometheus_client import REGISTRY as THIS_PROCESS
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LogFormat = Literal["text", "json", "logstash"]
_GATHER_SECONDS: Final = 0.02
MOST_WAITING: Final = 1024 * 1024
"""Bytes of request lines that wait for a standard error that is full; further lines are lost."""
_LEVELS: Final = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}

_BOUNDS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)


class _Durations(Histogram):
    """A histogram that takes many observations at once."""

    def add(self, seconds: float, counts: Sequence[int]) -> None:
        """Add observations that took so long together, counted by bucket."""
        self._sum.inc(seconds)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


REQUESTS: Final = _Durations(
    "wharfinger_http_request_duration_seconds",
    "Time from a request's first byte to its answer's last, by route, method and status.",
    ("route", "method", "status"),
    buckets=_BOUNDS,
)
BYTES_OUT: Final = Counter("wharfinger_http_response_bytes", "Bytes of answers' bodies, by route.", ("route",))
STORE_OPERATIONS: Final = Histogram(
    "wharfinger_blobstore_duration_seconds",
    "Time of blob store operations, by operation and outcome.",
    ("operation", "outcome"),
    buckets=(0.001, 0.01, 0.1, 1.0, 10.0),
)
JOBS: Final = Counter("wharfinger_jobs", "Background jobs run, by job and outcome.", ("job", "outcome"))
COLLECTED: Final = Counter(
    "wharfinger_collection_reviews", "What became of things that collection looked at.", ("kind", "outcome")
)
FREED: Final = Counter("wharfinger_collection_freed_bytes", "Bytes of blobs that were removed from the store.")
DUE: Final = Gauge(
    "wharfinger_collection_due",
    "Reviews and burials whose time has come, up to 10,000 of a kind.",
    ("kind",),
    multiprocess_mode="mostrecent",
)
STANDING_STILL: Final = Gauge(
    "wharfinger_collection_standing_still",
    "Whether collection waits, because the clock jumped or nothing may be written.",
    multiprocess_mode="mostrecent",
)
LINES_DROPPED: Final = Counter(
    "wharfinger_log_lines_dropped", "Lines of requests that standard error did not take, and that are lost."
)
VERIFIED_BYTES: Final = Counter("wharfinger_verified_bytes", "Bytes of blobs that verification has read.")
VERIFICATION_FINDINGS: Final = Counter(
    "wharfinger_verification_findings", "What verification found to be wrong, by kind.", ("kind",)
)
VERIFIED_AT: Final = Gauge(
    "wharfinger_verification_end_time_seconds", "When the last verification ended.", multiprocess_mode="max"
)
UP_SINCE: Final = Gauge(
    "wharfinger_process_start_time_seconds", "When the newest process started.", multiprocess_mode="max"
)


class _Soon:
    """Runs a function `_GATHER_SECONDS` after it was first asked to: what comes in between is done in one go."""

    __slots__ = ("_asked", "_run")

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._asked = False

    def __call__(self) -> None:
        """Ask. Without a running loop the function runs at once, for nobody would call it later."""
        if not self._asked and not self.later():
            self._run()

    def later(self) -> bool:
        """Ask, if there is a running loop; return whether there is."""
        if not self._asked:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return False
            self._asked = True
            loop.call_later(_GATHER_SECONDS, self._now)
        return True

    def _now(self) -> None:
        self._asked = False
        self._run()


class _Tally:
    """What was counted of one kind of request since the last flush."""

    __slots__ = ("counts", "seconds", "size")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS) + 1)
        self.seconds = 0.0
        self.size = 0


class RequestCounts:
    """Counts requests, and hands the sums to the metrics soon.

    Each number of a shared metric is a lock, a look at the process' id and a write: for every request, they took a
    tenth of a pull.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, int], _Tally] = {}
        self._soon = _Soon(self.flush)

    def add(self, route: str, method: str, status: int, seconds: float, size: int) -> None:
        """Count one request; called on the loop."""
        tally = self._tallies.get((route, method, status))
        if tally is None:
            tally = self._tallies[route, method, status] = _Tally()
        tally.counts[bisect_left(_BOUNDS, seconds)] += 1
        tally.seconds += seconds
        tally.size += size
        self._soon()

    def flush(self) -> None:
        """Hand over what was counted; called on the loop."""
        tallies, self._tallies = self._tallies, {}
        for (route, method, status), tally in tallies.items():
            durations: _Durations = REQUESTS.labels(route, method, str(status))
            durations.add(tally.seconds, tally.counts)
            if tally.size:
                BYTES_OUT.labels(route).inc(tally.size)


REQUEST_COUNTS: Final = RequestCounts()


class RequestLine:
    """Writes the canonical line of a request, in the format that `log.formatter` names.

    Args:
        form: `text` (logfmt), `json`, or `logstash` (JSON with its field names).
        fields: put into every line.
        enabled: `log.accesslog.disabled` turns the lines off.
    """

    def __init__(self, form: LogFormat, fields: Mapping[str, str], *, enabled: bool) -> None:
        self.enabled = enabled
        self._text = form == "text"
        self._time_key = "@timestamp" if form == "logstash" else "time"
        self._fields = dict(fields)
        self._fields_text = "".join(f" {name}={_quoted(value)}" for name, value in fields.items())
        self._second = 0
        self._stamp = ""
        self._out = sys.stderr.fileno()
        self._waiting: list[bytes] = []
        self._length = 0
        self._soon = _Soon(self.flush)

    def write(
        self,
        *,
        request_id: str,
        client: str,
        method: str,
        path: str,
        status: int,
        size: int,
        seconds: float,
        user_agent: str,
    ) -> None:
        """Write one line, within `_GATHER_SECONDS`: lines that come together leave together.

        A write gives the interpreter's lock away: one for each request costs a busy server as much as the pull itself.
        """
        stamp = self._now()
        milliseconds = round(seconds * 1000, 2)
        if self._text:
            line = (
                f'time="{stamp}" level=info msg=request id={request_id} client={client} method={method} '
                f"path={_quoted(path)} status={status} bytes={size} ms={milliseconds} "
                f"agent={_quoted(user_agent)}{self._fields_text}\n"
            ).encode()
        else:
            line = orjson.dumps(
                {
                    self._time_key: stamp,
                    "level": "info",
                    "msg": "request",
                    "id": request_id,
                    "client": client,
                    "method": method,
                    "path": path,
                    "status": status,
                    "bytes": size,
                    "ms": milliseconds,
                    "agent": user_agent,
                    **self._fields,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
        if self._length + len(line) > select.PIPE_BUF:
            self.flush()
        if self._length + len(line) > MOST_WAITING:
            LINES_DROPPED.inc()
            return
        self._waiting.append(line)
        self._length += len(line)
        self._soon()

    def flush(self) -> None:
        """Write what waits: at once and, up to a pipe's limit, in one piece among the lines of other processes.

        A log that cannot be written must not fail the request that it tells of. What standard error does not take now
        waits; what it can never take is counted and lost.
        """
        rest = memoryview(b"".join(self._waiting))
        try:
            while rest:
                rest = rest[os.write(self._out, rest) :]
        except BlockingIOError:  # somebody made it not wait, and whoever reads it is slow
            self._soon.later()
        except OSError:
            LINES_DROPPED.inc(rest.tobytes().count(b"\n"))
            rest = rest[:0]
        self._waiting, self._length = [rest.tobytes()] if rest else [], len(rest)

    def _now(self) -> str:
        """Return the time to the millisecond; the part to the second is made once a second."""
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._stamp}.{nanoseconds // 1_000_000:03d}Z"


class _StandardError:
    """Standard error as it is when a line is written: loggers are made once, and somebody may redirect it later."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_log(level: str, form: LogFormat, fields: Mapping[str, str]) -> None:
    """Have this process log to standard error: plain JSON or logfmt for machines, colours for a terminal."""
    _Library.configure = partial(_configure, level, form, dict(fields))
    if _Library.is_loaded:
        _Library.configure()


def _configure(level: str, form: LogFormat, fields: Mapping[str, str]) -> None:
    import structlog  # noqa: PLC0415 - see `Log`

    renderer: structlog.typing.Processor
    if form == "text":
        terminal = sys.stderr.isatty()
        renderer = (
            structlog.dev.ConsoleRenderer(event_key="msg", timestamp_key="time")
            if terminal
            else structlog.processors.LogfmtRenderer(key_order=["time", "level", "msg"], drop_missing=True)
        )
    else:
        renderer = structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event).decode())
    structlog.configure(
        processors=[
            lambda _log, _method, event: {**fields, **event},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp" if form == "logstash" else "time"),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("msg"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )


class _Library:
    """The library that writes lines: whether this process has loaded it, and how it is to be configured."""

    is_loaded = False
    configure: Callable[[], None] = staticmethod(lambda: None)


class Log:
    """The log of a room of the house.

    The library that writes lines is loaded with the first line: it took a tenth of a process' start, and most processes
    have nothing to say for days.
    """

    def __init__(self, room: str) -> None:
        self._room = room

    def debug(self, message: str, **fields: object) -> None:
        """Say something that only helps to find a fault."""
        self._lines.debug(message, **fields)

    def info(self, message: str, **fields: object) -> None:
        """Say what happened."""
        self._lines.info(message, **fields)

    def warning(self, message: str, **fields: object) -> None:
        """Say what somebody should look at."""
        self._lines.warning(message, **fields)

    def error(self, message: str, **fields: object) -> None:
        """Say what failed."""
        self._lines.error(message, **fields)

    def exception(self, message: str, **fields: object) -> None:
        """Say what failed, with the exception that is being handled."""
        self._lines.exception(message, **fields)

    @functools.cached_property
    def _lines(self) -> "FilteringBoundLogger":
        import structlog  # noqa: PLC0415 - see above

        if not _Library.is_loaded:
            _Library.is_loaded = True
            _Library.configure()
        lines: FilteringBoundLogger = structlog.get_logger(room=self._room)
        return lines


def logger(room: str) -> Log:
    """Return a log for a room of the house."""
    return Log(room)


def metrics() -> bytes:
    """Return all metrics in Prometheus' text format, summed over the processes of this node."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # noqa: TID251 - the library's own switch
        return generate_latest(THIS_PROCESS)
    summed = CollectorRegistry()
    multiprocess.MultiProcessCollector(summed)  # type: ignore[no-untyped-call]  # the library leaves it out
    return generate_latest(summed)


def share_metrics(folder: str) -> None:
    """Have this process and its children count in files of the folder; called before any metric exists."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # noqa: TID251 - the library's own switch


def _quoted(value: str) -> str:
    """Return a value that cannot break out of its line, whatever a client sent."""
    return orjson.dumps(value.encode("utf-8", "replace").decode()).decode()
