"""What the operator may set, read from the environment once; nothing else in `worker/` touches `os.environ`."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

PREFIX = "MODERATOR_"
_MAX_TOPIC_NAME = 249  # Kafka's own limit
_TOPIC_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_LONGEST_TOPIC = len("enforcement.suspend")


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable, the value and what is allowed."""


class Guarantee(StrEnum):
    """What happens to a batch that a failure interrupts."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


class Decisions(StrEnum):
    """Which decisions are published."""

    OTHER = "other"  # those with an outcome other than clear
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `moderator run` can be told; each field is also `MODERATOR_<NAME IN CAPITALS>`.

    Durations are in seconds. Field names of the command line are the same with dashes.
    """

    broker: str = "127.0.0.1:9092"  # host:port, several with commas
    topic_prefix: str = ""  # set before every topic's name
    group: str = "moderator"  # the consumer group; with the prefix, also the stem of the transactional ids
    guarantee: Guarantee = Guarantee.EXACTLY_ONCE
    decisions: Decisions = Decisions.OTHER
    statements: bool = False  # whether statements of reasons are published (docs/statements.md)
    policies: Path | None = None  # folder of the policy pack; None is the one that comes with the program
    cache_dir: Path | None = None  # compiled expressions; None keeps none
    state_dir: Path | None = None  # state that memory has no room for (docs/state.md); None: all in memory
    state_accounts_in_memory: int = 20_000  # of each partition; their records are decoded, those used last
    http_host: str = "127.0.0.1"
    http_port: int = 8000  # 0: any free port
    batch: int = 2000  # records judged at once, and in one transaction
    session_timeout: float = 10.0  # a worker that is silent for longer loses its partitions
    transaction_timeout: float = 15.0  # the broker aborts a transaction that is open for longer
    batch_limit: float = 30.0  # a batch that is judged for longer ends the process
    probe_limit: float = 30.0  # a record that crashed the worker twice has as long in a process of its own
    expire_interval: float = 2.0  # how often timers are looked at
    connect_timeout: float = 15.0  # how long a start waits for the broker
    stop_timeout: float = 9.0  # how long a stop may take before the process ends anyway
    linger: float = 0.0  # seconds that an output waits for company; a batch is sent together as it is
    compression: str = ""  # of what is published: "", gzip, snappy, lz4, zstd
    max_request_size: int = 1_000_000  # bytes of one produced batch; below the topics' max.message.bytes
    log_level: str = "info"
    log_format: str = "text"  # text | json
    model_url: str = (
        ""  # of an operator's own model, asked about uncertain posts (docs/models.md); empty: none
    )
    model_timeout: float = 2.0  # a request to it may take as long
    model_retries: int = 2  # how often a request that failed is made again
    model_token_file: Path | None = None  # holds the bearer token that it wants; read for each request
    judge: str = "worker.judges:engine"  # module:function that makes the judges

    def __post_init__(self) -> None:
        check = _Checks(self)
        check.that("broker", _is_address_list, "host:port, several with commas")
        check.that("topic_prefix", _is_prefix, "letters, digits, dots, dashes and underscores")
        check.that(
            "group", lambda value: 0 < len(value) <= 200 and value.isprintable(), "1 to 200 characters"
        )
        check.between("http_port", 0, 65535)
        check.between("batch", 1, 10_000)
        check.between("state_accounts_in_memory", 100, 10_000_000)
        check.that("state_dir", _is_folder_or_nothing, "a folder, or a path where one can be made")
        check.between("session_timeout", 6.0, 60.0)
        check.between("transaction_timeout", 5.0, 900.0)
        check.between("batch_limit", 1.0, 600.0)
        check.between("probe_limit", 1.0, 600.0)
        check.between("expire_interval", 0.1, 300.0)
        check.between("connect_timeout", 1.0, 300.0)
        check.between("stop_timeout", 1.0, 300.0)
        check.between("linger", 0.0, 0.02)
        check.between("max_request_size", 800_000, 16_000_000)
        check.that(
            "compression",
            {"", "gzip", "snappy", "lz4", "zstd"}.__contains__,
            "gzip, snappy, lz4, zstd or nothing",
        )
        check.that(
            "log_level", {"debug", "info", "warning", "error"}.__contains__, "debug, info, warning or error"
        )
        check.that("log_format", {"text", "json"}.__contains__, "text or json")
        if self.model_url and (problem := _problem_of_url(self.model_url)):
            # Without the value: it may hold a password.
            raise SettingsError(f"{PREFIX}MODEL_URL: must be {problem}")
        check.between("model_timeout", 0.05, 60.0)
        check.between("model_retries", 0, 10)
        check.that("judge", lambda value: value.count(":") == 1, "module:function")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """The settings of this process; `overrides` (a command's options, None where not given) win.

        An empty variable counts as unset.

        Raises:
            SettingsError: a variable or an option that cannot be read; the message names it.
        """
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = source.get(PREFIX + field.name.upper())
            if text is None or not text.strip():
                continue  # docker-compose and Helm make an empty variable of a value that is not set
            parse = _PARSERS.get(field.name, str)
            try:
                values[field.name] = parse(text.strip())
            except ValueError as error:
                raise SettingsError(f"{PREFIX}{field.name.upper()}={text!r}: {error}") from None
        values.update({name: value for name, value in overrides.items() if value is not None})
        for name, kind in (("guarantee", Guarantee), ("decisions", Decisions)):
            if name in values:
                try:
                    values[name] = kind(values[name])
                except ValueError:
                    raise SettingsError(
                        f"{PREFIX}{name.upper()}={values[name]!r}: must be one of {', '.join(kind)}"
                    ) from None
        if isinstance(values.get("log_level"), str):
            values["log_level"] = values["log_level"].lower()
        return cls(**values)

    def to_environment(self) -> dict[str, str]:
        """This process's environment with these settings, for a child process."""
        values = {PREFIX + field.name.upper(): _text(getattr(self, field.name)) for field in fields(self)}
        return {**os.environ, **values}

    def topic(self, name: str) -> str:
        """The topic's name in the cluster, for its name in the contract."""
        return self.topic_prefix + name

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked again."""
        return replace(self, **changes)

    def client_id(self) -> str:
        """What brokers call this process in their logs and quotas."""
        return f"moderator-{socket.gethostname()}-{os.getpid()}"


class _Checks:
    """Refuses values out of range, naming the variable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def that(self, name: str, holds: Callable[[Any], bool], allowed: str) -> None:
        value = getattr(self._settings, name)
        if not holds(value):
            raise SettingsError(f"{PREFIX}{name.upper()}={str(value)!r}: must be {allowed}")

    def between(self, name: str, lowest: float, highest: float) -> None:
        value = getattr(self._settings, name)
        if not lowest <= value <= highest:
            raise SettingsError(f"{PREFIX}{name.upper()}={value}: must be from {lowest:g} to {highest:g}")


def _is_address_list(value: str) -> bool:
    addresses = value.split(",")
    for address in addresses:
        host, colon, port = address.strip().rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            return False
    return bool(addresses)


def _is_folder_or_nothing(value: Path | None) -> bool:
    return value is None or not value.exists() or value.is_dir()


def _is_prefix(value: str) -> bool:
    return len(value) + _LONGEST_TOPIC <= _MAX_TOPIC_NAME and _TOPIC_CHARACTERS.issuperset(value)


def _problem_of_url(value: str) -> str:
    """What a model's address must be and is not; empty when nothing is wrong."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port or of brackets
        return "an address, http://host:port/path or https://…"
    if not good or not value.isprintable() or " " in value:
        return "an address, http://host:port/path or https://…"
    if parts.username is not None or parts.password is not None:
        return f"an address without a name and a password; {PREFIX}MODEL_TOKEN_FILE names a file with a token"
    return ""


def _yes_or_no(text: str) -> bool:
    word = text.lower()
    if word not in _YES | _NO:
        raise ValueError("must be true or false")
    return word in _YES


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number of seconds") from None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _folder(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


_YES = frozenset(("true", "yes", "on", "1"))
_NO = frozenset(("false", "no", "off", "0"))
_PARSERS: dict[str, Callable[[str], Any]] = {
    "policies": _folder,
    "statements": _yes_or_no,
    "cache_dir": _folder,
    "state_dir": _folder,
    "model_token_file": _folder,
    **dict.fromkeys(("http_port", "batch", "max_request_size", "model_retries", "state_accounts_in_memory"), _whole
    ),
    **dict.fromkeys(
        (
            "session_timeout", "transaction_timeout", "batch_limit", "probe_limit", "expire_interval",
            "connect_timeout", "stop_timeout", "linger", "model_timeout",
        ),
        _seconds,
    ),
}  # fmt: skip
