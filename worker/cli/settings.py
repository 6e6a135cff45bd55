"""Settings for a command: its options over the environment, mistakes in words."""

from __future__ import annotations

from typing import Any

from worker.cli.errors import CommandError
from worker.settings import Settings, SettingsError


def settings(**options: Any) -> Settings:
    """The settings from `MODERATOR_…` and these options (None where not given).

    Raises:
        CommandError: one of them cannot be used; the message names it.
    """
    try:
        return Settings.from_environment(**options)
    except SettingsError as error:
        raise CommandError(str(error), hint="Correct the option or the environment variable.") from error
