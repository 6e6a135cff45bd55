"""The ports without a broker: what was published stays in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from worker.engine.records import Output


class MemoryPublisher:
    """A `worker.ports.Publisher` that keeps everything, each call as a whole.

    `transactions` has what each call committed, in order: outputs, state, offsets. `log` is the length of
    the `state` partition, each record taking one offset.
    """

    def __init__(self, *, atomic: bool = True) -> None:
        self.atomic = atomic
        self.transactions: list[tuple[tuple[Output, ...], dict[bytes, bytes | None], dict[str, int]]] = []
        self.started = False
        self.log = 0

    @property
    def outputs(self) -> list[Output]:
        """All outputs so far, in order."""
        return [output for outputs, _, _ in self.transactions for output in outputs]

    @property
    def state(self) -> dict[bytes, bytes | None]:
        """The last value of each key."""
        return {key: value for _, state, _ in self.transactions for key, value in state.items()}

    @property
    def offsets(self) -> dict[str, int]:
        """The last committed offset of each topic."""
        return {topic: offset for _, _, offsets in self.transactions for topic, offset in offsets.items()}

    async def start(self) -> None:
        """Gets ready; there is nobody to fence."""
        self.started = True

    async def publish(
        self, outputs: Iterable[Output], state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
    ) -> int | None:
        """Keeps everything at once."""
        self.transactions.append((tuple(outputs), dict(state), dict(offsets)))
        self.log += len(state)
        return self.log if state else None

    async def stop(self) -> None:
        """Stops; what was published stays."""
        self.started = False
