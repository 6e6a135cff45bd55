"""The command line: one module per group of commands, no logic of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the program `moderator` on these arguments (default: the process's own) and exits."""
    # Imported here, so that parts of the command line can be used without loading every command.
    from worker.cli.app import main as run

    run(arguments)
