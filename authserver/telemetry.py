"""Logs and metrics: what happens, said without secrets.

The lowest layer: everyone may count or log, so nothing of ours is imported here. In several worker
processes the metrics live in files under PROMETHEUS_MULTIPROC_DIR (`serve` sets it before this is imported).
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, MutableMapping
from contextvars import ContextVar
from operator import add
from pathlib import Path
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

# For tracebacks in colour structlog would import rich, if it is there: 4 MB of every worker, and ours are plain.
_left_out = sys.modules.setdefault("rich", None) is None  # type: ignore[arg-type]  # None says "not installed" to import
import structlog  # noqa: E402 - after rich is left out

if _left_out:
    del sys.modules["rich"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request being served; every log line carries it."""
address: ContextVar[str] = ContextVar("address", default="")
"""Where that request comes from, trusted proxies seen through."""

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"pass(word|wd)|secret|cookie|authorization|credential|csrf|(^|_)token$|^(access|refresh|id)_token|master_key|private",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # a JWT
    r"|(?i:bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|\$argon2[^\s'\"]+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password of a URL
    r"|[A-Za-z0-9_-]{80,}"  # a refresh handle or a session cookie
)


def redact(text: str) -> str:
    """The text without anything that looks like a credential."""
    return _SECRET_VALUE.sub(REDACTED, text)


def _redact_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = REDACTED
        elif isinstance(value, str):
            event[name] = redact(value)
        elif not isinstance(value, int | float | bool | None):
            event[name] = redact(repr(value))
    return event


def _make_printable(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For terminals, which obey what strangers may have put into a path: a control character is shown, not sent."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            kept = "\n" if name == "exception" else ""
            event[name] = "".join(
                c if c.isprintable() or c in kept else c.encode("unicode_escape").decode("ascii") for c in value
            )
    return event


def _add_request_id(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    current = request_id.get()
    if current:
        event["request_id"] = current
    return event


def logger(name: str) -> Any:
    """A structlog logger; usable before `set_up_logging`."""
    return structlog.get_logger(component=name)


def set_up_logging(form: Literal["console", "json"] = "console", level: str = "INFO") -> None:
    """One line per event on stderr; redaction runs last before the text is made."""
    _configure(form, level)
    _adopt_standard_logging(level)


def _configure(form: Literal["console", "json"], level: str) -> None:
    render: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_request_id,
            structlog.processors.format_exc_info,
            _redact_event,
            *(() if form == "json" else (_make_printable,)),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: _Lines(),
        cache_logger_on_first_use=False,
    )


class _Lines:
    """Each event one line, written at once, on whatever stderr is at that moment."""

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = exception = log = msg


class _ToStructlog(logging.Handler):
    """Lines of libraries (uvicorn above all) in the same form, through the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        log = logger(record.name)
        log.log(record.levelno, record.getMessage(), **({"exc_info": record.exc_info} if record.exc_info else {}))


def _adopt_standard_logging(level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.INFO))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


# From the first line on, whoever embeds the app: structlog's own default prints the local variables
# of every frame of a traceback, passwords among them.
_configure("console", "INFO")

# -- metrics ----------------------------------------------------------------------------------

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR" in os.environ
registry = CollectorRegistry()


class Tally:
    """A counter with one label whose children are resolved once: `TALLY.inc("rotated")`."""

    def __init__(self, name: str, text: str, label: str) -> None:
        self._counter = Counter(name, text, [label], registry=registry)
        self._children: dict[str, Counter] = {}

    def inc(self, value: str) -> None:
        child = self._children.get(value)
        if child is None:
            child = self._children[value] = self._counter.labels(value)
        child.inc()


TOKENS_ISSUED = Tally("authserver_tokens_issued", "Access tokens issued", "grant")
REFRESHES = Tally("authserver_refreshes", "Presentations of a refresh token", "result")
INTROSPECTIONS = Tally("authserver_introspections", "Introspections", "active")
LOGINS = Tally("authserver_logins", "Log-in attempts", "result")
REVOCATIONS = Tally("authserver_revocations", "Revocations that changed something", "kind")
LOGOUT_DELIVERIES = Tally(
    "authserver_logout_deliveries", "Attempts to tell a client that a user was logged out", "result"
)
PURGED = Counter("authserver_purged_rows", "Rows deleted that can no longer matter", ["table"], registry=registry)

_REQUESTS = Counter("authserver_http_requests", "Requests", ["route", "method", "status"], registry=registry)
_SECONDS = Histogram(
    "authserver_http_request_seconds",
    "Time to answer",
    ["route"],
    registry=registry,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_request_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    """Count one answered request. `route` is a template, never a path: labels must stay few."""
    key = (route, method, status)
    children = _request_children.get(key)
    if children is None:
        label = method if method in _METHODS else "other"
        children = _REQUESTS.labels(route, label, str(status)), _SECONDS.labels(route)
        if label == method:
            _request_children[key] = children
    children[0].inc()
    children[1].observe(seconds)


def gauge(name: str, text: str, read: Callable[[], float]) -> None:
    """A gauge that is asked when somebody looks. In several workers the last one asked stands for all.

    Registering a name again (a second app in one process, in tests) replaces the reader."""
    existing = _gauges.get(name)
    if existing is None:
        existing = _gauges[name] = Gauge(
            name, text, registry=registry, multiprocess_mode="livemax" if MULTIPROCESS else "all"
        )
    if not MULTIPROCESS:
        existing.set_function(read)
    _readers[name] = read


RESOURCE_SERVERS = Gauge(
    "authserver_resource_servers",
    "Resource servers that report what they have applied",
    ["state"],
    registry=registry,
    multiprocess_mode="livemax" if MULTIPROCESS else "all",
)
RESOURCE_SERVER_MAX_LAG = Gauge(
    "authserver_resource_server_max_lag",
    "Records of the log that the last of those that report has not applied yet",
    registry=registry,
    multiprocess_mode="livemax" if MULTIPROCESS else "all",
)


LOGOUTS_WAITING = Gauge(
    "authserver_logouts_waiting",
    "Clients that have yet to be told of a log-out",
    registry=registry,
    multiprocess_mode="livemax" if MULTIPROCESS else "all",
)


_gauges: dict[str, Gauge] = {}
_readers: dict[str, Callable[[], float]] = {}


def refresh_gauges() -> None:
    """In multiprocess mode gauges are written, not asked: each worker does so about once a second."""
    if MULTIPROCESS:
        for name, read in _readers.items():
            _gauges[name].set(read())


def forget_this_process() -> None:
    """At a worker's end: its gauges no longer count, its counters still do."""
    if MULTIPROCESS:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]  # the library has no type here


def render_metrics() -> bytes:
    """The text format of Prometheus, over all workers."""
    if not MULTIPROCESS:
        return generate_latest(registry)
    from prometheus_client.multiprocess import MultiProcessCollector

    merged = CollectorRegistry()
    MultiProcessCollector(merged)  # type: ignore[no-untyped-call]  # nor here
    merged.register(_Workers(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    return generate_latest(merged)


def _process_metrics(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()


class _Workers(Collector):
    """CPU, memory and descriptors of all workers, added up; of start and limit the least."""

    def __init__(self, directory: str) -> None:
        # Each living worker has written its gauges into a file of its own.
        self._pids = {int(file.stem.rpartition("_")[2]) for file in Path(directory).glob("gauge_live*.db")}

    def collect(self) -> Iterable[Metric]:
        added: dict[str, Metric] = {}
        for pid in self._pids:
            for metric in _process_metrics(pid):
                known = added.setdefault(metric.name, metric)
                if known is not metric:
                    join = min if metric.name.endswith(("start_time_seconds", "max_fds")) else add
                    pairs = zip(known.samples, metric.samples, strict=True)
                    known.samples = [a._replace(value=join(a.value, b.value)) for a, b in pairs]
        return added.values()


if not MULTIPROCESS:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
