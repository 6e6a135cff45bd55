"""How every Kafka client of the program proves who it is and whom it talks to: TLS and SASL from the settings.

Secrets live in files, are read when a connection is made, and are in no `repr`, log line or error.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from worker.tls import CredentialError, Secret, TlsContext, is_loopback

if TYPE_CHECKING:
    from worker.settings import Settings

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
PASSWORD_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")
OAUTH = "OAUTHBEARER"
MECHANISMS = (*PASSWORD_MECHANISMS, OAUTH)

_PASSWORD_FIELDS = ("sasl_username", "sasl_password_file")
_ENDPOINT_FIELDS = ("oauth_token_url", "oauth_client_id", "oauth_client_secret_file")
_OAUTH_FIELDS = ("oauth_token_file", *_ENDPOINT_FIELDS, "oauth_scope")
_TLS_FIELDS = ("tls_ca_file", "tls_cert_file", "tls_key_file", "tls_key_password_file")
FIELDS = ("security_protocol", "sasl_mechanism", *_PASSWORD_FIELDS, *_OAUTH_FIELDS, *_TLS_FIELDS)
"""The settings that say how to connect, besides the address."""


def fault(settings: Settings) -> tuple[str, str] | None:
    """What is wrong with these settings, files included: the field, and what it must be; None when nothing is."""
    return _contradiction(settings) or _unusable(settings)


def _contradiction(settings: Settings) -> tuple[str, str] | None:
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism

    def given(*names: str) -> list[str]:
        return [name for name in names if getattr(settings, name)]

    def missing(*names: str) -> list[str]:
        return [name for name in names if not getattr(settings, name)]

    if protocol not in PROTOCOLS:
        return "security_protocol", f"must be one of {', '.join(PROTOCOLS)}"
    sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
    if not sasl and (extra := given("sasl_mechanism", *_PASSWORD_FIELDS, *_OAUTH_FIELDS)):
        return extra[0], f"has no effect with the security protocol {protocol}; use SASL_SSL or leave it out"
    if not tls and (extra := given(*_TLS_FIELDS)):
        other = "SASL_SSL" if sasl else "SSL"
        return extra[0], f"has no effect with the security protocol {protocol}; use {other} or leave it out"
    if given("tls_key_file", "tls_key_password_file") and not settings.tls_cert_file:
        return "tls_cert_file", "is missing: a key needs its certificate"
    if not sasl:
        return None
    if mechanism not in MECHANISMS:
        return "sasl_mechanism", f"must be one of {', '.join(MECHANISMS)}"
    if mechanism in PASSWORD_MECHANISMS:
        if extra := given(*_OAUTH_FIELDS):
            return extra[0], f"has no effect with {mechanism}; use {OAUTH} or leave it out"
        if lacking := missing(*_PASSWORD_FIELDS):
            return lacking[0], f"is missing: {mechanism} needs a name and a file with the password"
        return None
    return _token_contradiction(settings, given, missing)


def _token_contradiction(settings: Settings, given: Any, missing: Any) -> tuple[str, str] | None:
    if extra := given(*_PASSWORD_FIELDS):
        return extra[0], f"has no effect with {OAUTH}; leave it out"
    if settings.oauth_token_file is not None:
        extra = given(*_ENDPOINT_FIELDS, "oauth_scope")
        return (extra[0], "contradicts a token file: give a file or an endpoint") if extra else None
    if not given(*_ENDPOINT_FIELDS):
        return "oauth_token_file", f"is missing: {OAUTH} needs a token file, or an endpoint (oauth_token_url)"
    if lacking := missing(*_ENDPOINT_FIELDS):
        return lacking[0], "is missing: an endpoint needs its address, a client id and a file with its secret"
    try:
        parts = urlsplit(settings.oauth_token_url)
        host, bare = parts.hostname or "", parts.username is None and parts.password is None
        good = bool(host) and bare and parts.port != 0 and settings.oauth_token_url.isprintable()
    except ValueError:  # of the port or of brackets
        return "oauth_token_url", "must be an address, https://host/path"
    if not good or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        return "oauth_token_url", "must be https://host/path without a name and a password in it"
    return None


def _unusable(settings: Settings) -> tuple[str, str] | None:
    for name in (
        "sasl_password_file",
        "oauth_token_file",
        "oauth_client_secret_file",
        "tls_key_password_file",
    ):
        path = getattr(settings, name)
        try:
            if path is not None:
                Secret(path).read()
        except CredentialError as error:
            return name, str(error)
    try:
        tls_context(settings)
    except CredentialError as error:
        # The message names the file; of the variables the most likely one.
        certificate = settings.tls_cert_file is not None and str(settings.tls_cert_file) in str(error)
        return ("tls_cert_file" if certificate else "tls_ca_file"), str(error)
    return None


def tls_context(settings: Settings) -> TlsContext | None:
    """The context of a Kafka client; None where the protocol has no TLS.

    Raises:
        CredentialError: one of the files cannot be used.
    """
    if not settings.security_protocol.endswith("SSL"):
        return None
    return TlsContext(
        ssl.PROTOCOL_TLS_CLIENT,
        ca=settings.tls_ca_file,
        certificate=settings.tls_cert_file,
        key=settings.tls_key_file,
        key_password=settings.tls_key_password_file,
    )


def for_kafka_python(settings: Settings) -> dict[str, Any]:
    """What a client of kafka-python is told; empty for PLAINTEXT.

    Raises:
        CredentialError: a file cannot be used.
    """
    options = _common(settings)
    if settings.sasl_mechanism == OAUTH:
        from kafka.net.sasl.oauth import AbstractTokenProvider

        from worker.tokens import Tokens

        class Provider(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
            def __init__(self, tokens: Tokens) -> None:
                super().__init__()
                self._tokens = tokens

            def token(self) -> str:
                return self._tokens.get()

        options["sasl_oauth_token_provider"] = Provider(Tokens(settings))
    elif settings.sasl_mechanism:
        # Read once for each client: those of kafka-python live as long as a command.
        assert settings.sasl_password_file is not None
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = Secret(settings.sasl_password_file).read()
    return options


def for_aiokafka(settings: Settings) -> dict[str, Any]:
    """What a client of aiokafka is told; empty for PLAINTEXT. Passwords and tokens are read for each connection.

    Raises:
        CredentialError: a TLS file cannot be used.
    """
    options = _common(settings)
    if settings.sasl_mechanism == OAUTH:
        options["sasl_oauth_token_provider"] = _token_provider(settings)
    elif settings.sasl_mechanism:
        assert settings.sasl_password_file is not None
        _read_passwords_late()
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = Secret(settings.sasl_password_file)
    return options


def for_faust(settings: Settings) -> Any:
    """Faust's `broker_credentials`; None for PLAINTEXT.

    Raises:
        CredentialError: a TLS file cannot be used.
    """
    import faust

    context = tls_context(settings)
    if settings.sasl_mechanism == OAUTH:
        return faust.OAuthCredentials(oauth_cb=_token_provider(settings), ssl_context=context)
    if settings.sasl_mechanism:
        assert settings.sasl_password_file is not None
        _read_passwords_late()
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=Secret(settings.sasl_password_file),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _common(settings: Settings) -> dict[str, Any]:
    if settings.security_protocol == "PLAINTEXT":
        return {}
    options: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if (context := tls_context(settings)) is not None:
        options["ssl_context"] = context
    if settings.sasl_mechanism:
        options["sasl_mechanism"] = settings.sasl_mechanism
    return options


def _token_provider(settings: Settings) -> Any:
    from aiokafka.abc import AbstractTokenProvider

    from worker.tokens import Tokens

    class Provider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types here
        def __init__(self, tokens: Tokens) -> None:
            self._tokens = tokens

        async def token(self) -> str:
            return await asyncio.to_thread(self._tokens.get)

    return Provider(Tokens(settings))


def _read_passwords_late() -> None:
    """Lets aiokafka's clients in this process have a `Secret` for a password, read for each connection.

    aiokafka 0.14 takes a password as text and keeps it, so that a new one would need a new worker.
    """
    import aiokafka.client

    original = aiokafka.client.create_conn
    if getattr(original, "reads_secrets", False):
        return

    async def create_conn(*args: Any, **options: Any) -> Any:
        if isinstance(options.get("sasl_plain_password"), Secret):
            options["sasl_plain_password"] = options["sasl_plain_password"].read()
        return await original(*args, **options)

    create_conn.reads_secrets = True  # type: ignore[attr-defined]  # the mark that it is done
    aiokafka.client.create_conn = create_conn
