"""What a command says when it cannot go on: what was wrong, where, and what to do."""

from __future__ import annotations

VIOLATION_OR_FAILED = 1
BAD_USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130


class CommandError(Exception):
    """Ends the command with a message for a person, without a traceback.

    `message` says what was wrong and where, `hint` what to do about it. `code` is the exit code:
    2 for a mistake in usage or input, 3 when a needed service cannot be reached.
    """

    def __init__(self, message: str, *, hint: str = "", code: int = BAD_USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
