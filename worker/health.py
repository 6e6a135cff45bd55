"""Whether the worker is alive and ready, as orchestrators ask it over HTTP.

Alive: the event loop ran its heartbeat lately. A worker that is not alive must be restarted.
Ready: every component that was declared says so. A worker that is not ready is left alone; it is
waiting for something (partitions, the state's restore, a pack) or has been told to stop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that must be in order before the worker is ready.

    `detail` is a short phrase for operators; it never holds ids, texts or addresses of people.
    """

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether all components are ready, and what each of them says; sorted by name."""

    ready: bool
    components: dict[str, Component]


class Health:
    """Heartbeat and readiness, written by the event loop and read by the HTTP thread.

    Args:
        components: names that must all report ready; one that never reports keeps the worker unready.
        stall_seconds: how old the last beat may be before the worker counts as hung. Above the longest
            batch (a batch judges without yielding), below the orchestrator's patience.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        components: Iterable[str] = (),
        *,
        stall_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if stall_seconds <= 0:
            raise ValueError("stall_seconds must be above zero")
        self.stall_seconds = stall_seconds
        self._clock = clock
        self._last_beat = clock()  # starting up counts as alive for one stall period
        self._lock = threading.Lock()
        self._components = {name: Component(ok=False, detail="not reported yet") for name in components}

    def beat(self) -> None:
        """Says that the event loop runs; call it from the loop itself, at least once a second."""
        self._last_beat = self._clock()

    def beat_age(self) -> float:
        """Seconds since the last beat, never negative."""
        return max(0.0, self._clock() - self._last_beat)

    def alive(self) -> bool:
        """Whether the last beat is recent enough."""
        return self.beat_age() <= self.stall_seconds

    def set_ready(self, component: str, ok: bool, detail: str = "") -> None:
        """Records what a component says; a name that was not declared is added."""
        with self._lock:
            self._components[component] = Component(ok=ok, detail=detail)

    def readiness(self) -> Readiness:
        """What all components say now. Without any component, or while hung, the worker is not ready."""
        with self._lock:
            components = dict(sorted(self._components.items()))
        ready = bool(components) and all(component.ok for component in components.values())
        return Readiness(ready=ready and self.alive(), components=components)
