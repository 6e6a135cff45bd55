"""Settings for a command: its options over the environment, mistakes in words."""

from __future__ import annotations

from typing import Any

from worker import security
from worker.cli.errors import CommandError
from worker.settings import Settings, SettingsError
from worker.tls import CredentialError


def settings(**options: Any) -> Settings:
    """The settings from `MODERATOR_…` and these options (None where not given).

    Raises:
        CommandError: one of them cannot be used; the message names it.
    """
    try:
        return Settings.from_environment(**options)
    except SettingsError as error:
        raise CommandError(str(error), hint="Correct the option or the environment variable.") from error


def client_options() -> dict[str, Any]:
    """What kafka-python's clients are told of TLS and SASL, by `MODERATOR_…` (docs/security.md).

    Raises:
        CommandError: a setting or a file cannot be used; the message names it.
    """
    try:
        return security.for_kafka_python(Settings.of_connection())
    except (SettingsError, CredentialError) as error:
        raise CommandError(str(error), hint="Correct the environment variable or the file.") from error
