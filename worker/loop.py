"""The event loop of workers: uvloop's, which does not wait half a minute for the other end of a TLS connection."""

from __future__ import annotations

from typing import Any

import uvloop

_CLOSE_SECONDS = 1.0


class Loop(uvloop.Loop):  # type: ignore[misc]  # uvloop has no types here
    """uvloop's loop. Closing a TLS connection waits for the other side's farewell for a second, not for thirty.

    A broker that is just answering a fetch does not send any, and clients are closed in every rebalance.
    """

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        """As `asyncio.loop.create_connection`."""
        if options.get("ssl"):
            options.setdefault("ssl_shutdown_timeout", _CLOSE_SECONDS)
        return await super().create_connection(*arguments, **options)
