"""Logging: lines for people on a terminal, JSON lines for machines, and floods kept out of both.

Nothing here looks at posts: whoever logs keeps texts, account ids and network addresses of people out of
the message (contract, promise 5). Fields go into `extra`, with names of their own:
`log.info("restored", extra={"partition": 3, "records": 1200})`.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import IO, Literal

LogFormat = Literal["text", "json"]

# Loggers of libraries that repeat themselves many times a second while a broker is away
# (aiokafka's reconnects are not configurable: faust-streaming issue 624).
NOISY_LOGGERS = ("aiokafka", "kafka", "faust", "mode", "asyncio")

# What a healthy cluster answers for a while, and how long it may: a new one makes its topic of group offsets
# when the first group asks for its coordinator, and the library logs each answer until then as an error.
_TRANSIENT = {"aiokafka.consumer.group_coordinator": frozenset({"GroupCoordinatorNotAvailableError"})}
_TRANSIENT_SECONDS = 30.0

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS = {"DEBUG": "2", "INFO": "36", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, the extra fields, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in _fields(record).items():
            line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Lines for people: time of day, level, message, `name=value` for the extra fields."""

    def __init__(self, *, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname:<8}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        # A line break in a message would let one record look like two.
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = f"{_time(record)[11:]} {level} {record.name}: {message}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class FloodFilter(logging.Filter):
    """Lets the first few of equal messages of noisy loggers through, and counts the rest.

    Messages are equal when logger, level and template (before its arguments) are. After a window the next
    one passes again, with `suppressed` as an extra field: how many were held back. At most `keys`
    templates are remembered, the least recently seen are forgotten.
    """

    def __init__(
        self,
        loggers: Iterable[str] = NOISY_LOGGERS,
        *,
        burst: int = 5,
        window_seconds: float = 60.0,
        keys: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._loggers = tuple(loggers)
        self._burst = burst
        self._window = window_seconds
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        if not any(record.name == name or record.name.startswith(f"{name}.") for name in self._loggers):
            return True
        key = (record.name, record.levelno, str(record.msg))
        now = self._clock()
        with self._lock:
            started, count = self._seen.pop(key, (now, 0))
            if now - started >= self._window:
                if count > self._burst:
                    record.suppressed = count - self._burst
                started, count = now, 0
            self._seen[key] = (started, count + 1)
            if len(self._seen) > self._keys:
                self._seen.popitem(last=False)
        return count < self._burst


class TransientFilter(logging.Filter):
    """Lowers errors that pass by themselves to warnings; those that last stay errors. Holds nothing back.

    An error lasts when the same logger still reports it `grace_seconds` after the first time. Silence for as
    long begins anew.
    """

    def __init__(
        self, *, grace_seconds: float = _TRANSIENT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._grace = grace_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._spans: dict[str, tuple[float, float]] = {}  # by logger: first and last time

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record's level may be another one afterwards."""
        names = _TRANSIENT.get(record.name)
        if names is None or record.levelno != logging.ERROR or not isinstance(record.args, tuple):
            return True
        if not any(type(argument).__name__ in names for argument in record.args):
            return True
        now = self._clock()
        with self._lock:
            first, last = self._spans.get(record.name, (now, now))
            if now - last > self._grace:
                first = now
            self._spans[record.name] = (first, now)
        if now - first < self._grace:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def setup(
    log_format: LogFormat = "text", level: str = "info", *, stream: IO[str] | None = None
) -> logging.Handler:
    """Sends all logging to one stream (standard error by default) and returns the handler.

    Replaces what was set up before, so it may be called again. Text is coloured only on a terminal.

    Raises:
        ValueError: the level or the format is not one that exists; the message names those that do.
    """
    target = stream if stream is not None else sys.stderr
    levels = {"debug", "info", "warning", "error", "critical"}
    if level.lower() not in levels:
        raise ValueError(f"log level {level!r} is none of {', '.join(sorted(levels))}")
    formatter: logging.Formatter
    if log_format == "json":
        formatter = JsonFormatter()
    elif log_format == "text":
        formatter = TextFormatter(colour=target.isatty())
    else:
        raise ValueError(f"log format {log_format!r} is none of json, text")
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    handler.addFilter(TransientFilter())
    handler.addFilter(FloodFilter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    return handler
