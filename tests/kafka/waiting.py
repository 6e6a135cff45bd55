"""Waiting for something to become true, with a deadline and a message: tests never sleep blindly."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.05


def wait_until(
    condition: Callable[[], bool],
    timeout_seconds: float,
    what: str,
    detail: Callable[[], str] = lambda: "",
) -> None:
    """Returns as soon as the condition holds.

    Args:
        condition: asked about twenty times a second; what it raises goes through.
        timeout_seconds: how long it may take.
        what: ends the sentence "timed out waiting for ...".
        detail: called on failure, for the state of things.

    Raises:
        TimeoutError: it did not hold in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            msg = f"timed out after {timeout_seconds:g} s waiting for {what}. {detail()}"
            raise TimeoutError(msg)
        time.sleep(_POLL_SECONDS)
