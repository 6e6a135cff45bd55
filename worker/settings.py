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

from worker import security

PREFIX = "MODERATOR_"
MEDIA_SCHEMES = frozenset(("file", "http", "https", "s3", "gs", "az"))
"""The schemes of media URIs that an operator may allow."""
MEDIA_GROUP_SUFFIX = "-media"
"""What the media worker's consumer group has after the name of the other workers' group."""
_MODEL_TOKEN = f"{PREFIX}MODEL_TOKEN_FILE names a file with a token"
_S3_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY hold the keys"
_MEDIA_HOSTS = "hosts and buckets with commas: cdn.example.com, cdn.example.com:8443, s3://bucket"
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
    # How to connect (docs/security.md). Secrets are in files only, which are read for each connection.
    security_protocol: str = "PLAINTEXT"  # PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
    sasl_mechanism: str = ""  # SCRAM-SHA-256, SCRAM-SHA-512, PLAIN, OAUTHBEARER
    sasl_username: str = ""
    sasl_password_file: Path | None = None
    oauth_token_file: Path | None = None  # a token that somebody else renews
    oauth_token_url: str = ""  # or the endpoint that gives tokens, with the two below
    oauth_client_id: str = ""
    oauth_client_secret_file: Path | None = None
    oauth_scope: str = ""  # what to ask the endpoint for; empty: its default
    tls_ca_file: Path | None = None  # PEM: whom to trust; None: whom the system trusts
    tls_cert_file: Path | None = None  # PEM: this client's own certificate, with intermediate ones
    tls_key_file: Path | None = None  # PEM: its key; None: in the same file
    tls_key_password_file: Path | None = None
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
    pack_check_limit: float = 600.0  # compiling a published pack and judging its cases may take as long
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

    # The media worker (docs/media/running.md). It reads in the group `<group>-media`.
    media: bool = False  # whether this worker examines media instead of judging
    media_schemes: tuple[
        str, ...
    ] = ()  # of the URIs that are loaded: file, https, http, s3, gs, az; none by default
    media_folders: tuple[Path, ...] = ()  # below one of them a file: URI must lie
    media_hosts: tuple[str, ...] = ()  # hosts and buckets: cdn.example.com, s3://bucket, gs://bucket
    media_allow_private: bool = False  # whether a host may have an address that is not public
    media_s3_endpoint: str = ""  # address of a store that speaks S3; empty: AWS's own
    media_banks: Path | None = None  # folder of the hash banks
    media_bank_reload: float = 10.0  # how often the folder is looked at
    media_model: Path | None = None  # TOML file of an operator's image classifier; None: none is asked
    media_c2pa_trust: Path | None = None  # PEM file: whose C2PA manifests are trusted, not only valid
    media_processes: int = 0  # files examined at once, each in a process; 0: one for each core less one
    media_batch: int = 16  # records with media in one transaction
    media_nice: int = 19  # how far the process steps back behind others on its machine, as nice(1) counts
    media_work_dir: Path | None = None  # for files while they are examined; None: the temporary folder
    media_cache: int = 20_000  # pictures and frames whose finds are kept for reposts; 0 keeps nothing
    media_cache_seconds: float = 300.0  # how long a URI is taken to hold the same file
    media_max_bytes: int = 64 * 1024 * 1024  # of one file
    media_max_pixels: int = 50_000_000  # of one decoded picture or frame
    media_max_side: int = 20_000  # pixels of its longer side
    media_max_frames: int = 240  # of a video that are looked at
    media_load_timeout: float = 10.0  # loading a file may take as long, tries again included
    media_examine_timeout: float = 30.0  # examining it may take as long
    media_memory_bytes: int = 1536 * 1024 * 1024  # that examining one file may take

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
        check.between("pack_check_limit", 1.0, 3600.0)
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
        if self.model_url and (problem := _problem_of_url(self.model_url, _MODEL_TOKEN)):
            # Without the value: it may hold a password.
            raise SettingsError(f"{PREFIX}MODEL_URL: must be {problem}")
        check.between("model_timeout", 0.05, 60.0)
        check.between("model_retries", 0, 10)
        check.that("judge", lambda value: value.count(":") == 1, "module:function")
        self._check_media(check)
        if found := security.fault(self):
            raise SettingsError(f"{PREFIX}{found[0].upper()}: {found[1]}")

    def _check_media(self, check: _Checks) -> None:
        allowed = ", ".join(sorted(MEDIA_SCHEMES))
        check.that("media_schemes", MEDIA_SCHEMES.issuperset, f"some of {allowed}")
        check.that(
            "media_folders", lambda value: all(folder.is_absolute() for folder in value), "absolute paths"
        )
        check.that("media_hosts", lambda value: all(map(_is_media_host, value)), _MEDIA_HOSTS)
        if self.media_s3_endpoint and (problem := _problem_of_url(self.media_s3_endpoint, _S3_KEYS)):
            raise SettingsError(f"{PREFIX}MEDIA_S3_ENDPOINT: must be {problem}")
        check.that("media_banks", _is_folder_or_nothing, "a folder")
        check.that("media_work_dir", _is_folder_or_nothing, "a folder, or a path where one can be made")
        check.between("media_bank_reload", 0.2, 86_400.0)
        check.between("media_processes", 0, 256)
        check.between("media_batch", 1, 1_000)
        check.between("media_nice", 0, 19)
        check.between("media_cache", 0, 1_000_000)
        check.between("media_cache_seconds", 0.0, 86_400.0)
        check.between("media_max_bytes", 1_024, 4 * 1024**3)
        check.between("media_max_pixels", 1_024, 1_000_000_000)
        check.between("media_max_side", 32, 65_535)
        check.between("media_max_frames", 1, 10_000)
        check.between("media_load_timeout", 0.5, 300.0)
        check.between("media_examine_timeout", 0.5, 300.0)
        check.between("media_memory_bytes", 128 * 1024**2, 64 * 1024**3)

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
        for name, value in overrides.items():
            if value is not None:
                # A list comes from the command line as it would from the environment.
                values[name] = _PARSERS[name](value) if name in _LISTS and isinstance(value, str) else value
        for name, kind in (("guarantee", Guarantee), ("decisions", Decisions)):
            if name in values:
                try:
                    values[name] = kind(values[name])
                except ValueError:
                    raise SettingsError(
                        f"{PREFIX}{name.upper()}={values[name]!r}: must be one of {', '.join(kind)}"
                    ) from None
        for name in ("security_protocol", "sasl_mechanism"):
            if isinstance(values.get(name), str):
                values[name] = values[name].upper()
        if isinstance(values.get("log_level"), str):
            values["log_level"] = values["log_level"].lower()
        return cls(**values)

    @classmethod
    def of_connection(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Only what says how to connect, for commands that take their address as an option.

        Raises:
            SettingsError: as `from_environment`.
        """
        source = os.environ if environment is None else environment
        wanted = [PREFIX + name.upper() for name in security.FIELDS]
        return cls.from_environment({name: source[name] for name in wanted if name in source})

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

    def for_media(self) -> Self:
        """These settings in the media worker's own group, which is also the stem of its transactional ids.

        Raises:
            SettingsError: the group's name would be too long.
        """
        return self.replace(group=self.group + MEDIA_GROUP_SUFFIX)

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


def _is_media_host(value: str) -> bool:
    """Whether it is a host name or an address, with a port or without, or a bucket with its scheme."""
    scheme, mark, bucket = value.partition("://")
    if mark:
        return scheme in {"s3", "gs", "az"} and bool(bucket) and not set(bucket) & set("/?#@ ")
    try:
        parts = urlsplit(f"//{value}")
        return bool(parts.hostname) and parts.netloc == value and "@" not in value and parts.port != 0
    except ValueError:  # of the port or of brackets
        return False


def _is_folder_or_nothing(value: Path | None) -> bool:
    return value is None or not value.exists() or value.is_dir()


def _is_prefix(value: str) -> bool:
    return len(value) + _LONGEST_TOPIC <= _MAX_TOPIC_NAME and _TOPIC_CHARACTERS.issuperset(value)


def _problem_of_url(value: str, secrets: str) -> str:
    """What an address must be and is not, empty when nothing is wrong; `secrets` says where passwords belong."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port or of brackets
        return "an address, http://host:port/path or https://…"
    if not good or not value.isprintable() or " " in value:
        return "an address, http://host:port/path or https://…"
    if parts.username is not None or parts.password is not None:
        return f"an address without a name and a password; {secrets}"
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
    if isinstance(value, tuple):
        return (os.pathsep if value and isinstance(value[0], Path) else ",").join(map(str, value))
    return "" if value is None else str(value)


def _words(text: str) -> tuple[str, ...]:
    """Words with commas between them, in lower case."""
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())


def _folders(text: str) -> tuple[Path, ...]:
    """Folders with colons between them, as in PATH."""
    return tuple(Path(part.strip()).expanduser() for part in text.split(os.pathsep) if part.strip())


def _folder(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


_YES = frozenset(("true", "yes", "on", "1"))
_NO = frozenset(("false", "no", "off", "0"))
_LISTS = frozenset(("media_schemes", "media_hosts", "media_folders"))
_PARSERS: dict[str, Callable[[str], Any]] = {
    "policies": _folder,
    "statements": _yes_or_no,
    "cache_dir": _folder,
    "state_dir": _folder,
    "model_token_file": _folder,
    **dict.fromkeys((name for name in security.FIELDS if name.endswith("_file")), _folder),
    "media": _yes_or_no,
    "media_allow_private": _yes_or_no,
    "media_schemes": _words,
    "media_hosts": _words,
    "media_folders": _folders,
    "media_banks": _folder,
    "media_work_dir": _folder,
    "media_c2pa_trust": _folder,
    "media_model": _folder,
    **dict.fromkeys(
        (
            "http_port", "batch", "max_request_size", "model_retries", "state_accounts_in_memory", "media_processes",
            "media_batch", "media_nice", "media_cache", "media_max_bytes", "media_max_pixels", "media_max_side",
            "media_max_frames", "media_memory_bytes",
        ),
        _whole,
    ),
    **dict.fromkeys(
        (
            "session_timeout", "transaction_timeout", "batch_limit", "probe_limit", "pack_check_limit", "expire_interval",
            "connect_timeout", "stop_timeout", "linger", "model_timeout", "media_bank_reload", "media_cache_seconds",
            "media_load_timeout", "media_examine_timeout",
        ),
        _seconds,
    ),
}  # fmt: skip
