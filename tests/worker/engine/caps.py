"""A small cluster of breakers and pools, whose messages a test can hold back, lose, repeat and mix."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from schemas.coordination import Finding, Observation
from worker.engine.across.caps import Caps
from worker.engine.breakers import Breakers
from worker.engine.desk import Desk
from worker.engine.policy import Breaker, Policy
from worker.engine.records import Judged, Output, Record
from worker.engine.state import DAY

TODAY = 20_000 * DAY
AMPLE = {"label": 1_000_000, "remove": 1_000_000, "suspend": 1_000_000}


def capped(policy: Policy, *, day: int, minute: int | None = None) -> Policy:
    """The policy with these caps of each kind; without a minute's, that one never holds anything back."""
    least = day if minute is None else minute
    breaker = Breaker(
        label=day, remove=day, suspend=day, minute=dict.fromkeys(AMPLE, least),
    )  # fmt: skip
    return policy.model_copy(update={"breaker": breaker})


class Cluster:
    """Partitions that take actions of one policy. Messages wait in `asks` and `answers` until they are delivered."""

    def __init__(self, policy: Policy, partitions: int) -> None:
        self.policy = policy
        self.partitions = partitions
        self.breakers = [self._breakers(number) for number in range(partitions)]
        self.caps = [self._caps() for _ in range(partitions)]
        self.asks: list[Output] = []
        self.answers: list[Output] = []
        self.allowed = [0] * partitions
        self.held = [0] * partitions

    def act(self, partition: int, now: int = TODAY, kind: str = "remove") -> bool:
        """Wants one action."""
        allowed = self.breakers[partition].allow(self.policy, kind, now)
        (self.allowed if allowed else self.held)[partition] += 1
        self.asks += self.breakers[partition].asks()
        return allowed

    def ask(self, message: Output) -> None:
        """Delivers a request to the owner of the pool."""
        assert message.partition is not None
        assert message.value is not None
        judged = Judged()
        record = Record("observations", message.partition, 0, 0, message.key, message.value)
        self.caps[message.partition].judge(record, Observation.model_validate_json(message.value), judged)
        self.answers += judged.outputs

    def answer(self, message: Output) -> None:
        """Delivers an answer to who asked."""
        assert message.partition is not None
        assert message.value is not None
        self.breakers[message.partition].grant(Finding.model_validate_json(message.value))

    def deliver(self) -> None:
        """Delivers everything that waits, in order."""
        while self.asks or self.answers:
            while self.asks:
                self.ask(self.asks.pop(0))
            while self.answers:
                self.answer(self.answers.pop(0))

    def restart(self) -> None:
        """Replaces everything by what is restored from records."""
        for number, old in enumerate(self.breakers):
            self.breakers[number] = self._breakers(number)
            self.breakers[number].restore(json.loads(json.dumps(old.to_json())))
        for number, owner in enumerate(self.caps):
            # Records of the state accumulate: here all of them are written anew.
            owner._changed.update(dict.fromkeys(owner._windows))
            self.caps[number] = self._caps()
            for key, value in owner.flush().items():
                self.caps[number].restore(key.decode().removeprefix("f:"), value)

    def _breakers(self, number: int) -> Breakers:
        return Breakers([self.policy], number, self.partitions)

    def _caps(self) -> Caps:
        pack = SimpleNamespace(policies=(SimpleNamespace(policy=self.policy),))
        return Caps(cast(Desk, SimpleNamespace(pack=pack, breakers=self.breakers[0])))


def run(cluster: Cluster, wanted: Callable[[int], int], times: int, every: int = 1, now: int = TODAY) -> None:
    """Wants actions, one after the other, of the partition that `wanted` names; delivers after each `every`."""
    for turn in range(times):
        cluster.act(wanted(turn), now)
        if turn % every == every - 1:
            cluster.deliver()


def values(outputs: list[Output]) -> list[dict[str, Any]]:
    """What messages say."""
    return [json.loads(output.value) for output in outputs if output.value is not None]
