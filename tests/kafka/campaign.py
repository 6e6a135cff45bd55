"""A long run of faults under load, with its figures as JSON: `python -m tests.kafka.campaign --help`.

Every fault comes when more posts have been decided since the last one and thousands wait; every ended worker
is started again; in the end everything that came out is compared with what went in (see `recomputed`).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import shlex
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kafka.brokers import choose_broker, run_broker
from tests.kafka.scene import Outcome, Scene

KILL, KILL_ALL, ZOMBIE, JOIN, LEAVE = "kill", "kill all", "zombie", "join", "leave"
WEIGHTS = {KILL: 4, KILL_ALL: 1, ZOMBIE: 3, JOIN: 2, LEAVE: 2}
MOST_WORKERS = 3
BACKLOG = 10_000  # posts sent and not decided, at most
BURST = 5_000  # sent at once right before a fault, so that it falls on workers at work
CHUNK = 2_000
_SECONDS = 120.0  # the longest that anything may take before the run counts as failed


@dataclass(frozen=True)
class Plan:
    """What a run does; the same seed makes the same faults in the same order."""

    posts: int
    events: int
    seed: int = 1
    partitions: int = 6
    accounts: int = 50_000
    batch: int = 1000
    guarantee: str = "exactly-once"
    workers: int = 2


@dataclass
class Report:
    """The figures of a run."""

    plan: Plan
    outcome: Outcome
    events: list[str]
    decided: list[int]  # posts decided when each fault came
    waiting: list[int]  # and posts sent and not decided

    def to_json(self) -> dict[str, Any]:
        """Everything that is worth keeping, as a JSON object."""
        outcome = self.outcome
        return {
            "plan": vars(self.plan),
            "posts": outcome.by_ledger.posts,
            "actions": outcome.by_ledger.actions,
            "dead_letters": outcome.by_ledger.dead_letters,
            "events": len(self.events),
            "events_by_kind": dict(Counter(self.events)),
            "events_in_order": self.events,
            "decided_at_each_event": self.decided,
            "waiting_at_each_event": self.waiting,
            "lost": outcome.lost,
            "extra": outcome.extra,
            "differing": outcome.differing,
            "repeats": outcome.by_engine.repeats,
            "by_ledger": str(outcome.by_ledger),
            "by_engine": str(outcome.by_engine),
            "wrong_state_keys": len(outcome.wrong_state),
            "exit_codes": {str(code): n for code, n in Counter(e.code for e in outcome.endings).items()},
            "recovery_seconds": {
                kind: {
                    "events": len(times),
                    "median": round(statistics.median(times), 1),
                    "max": round(max(times), 1),
                }
                for kind, times in _by_kind(outcome.recoveries).items()
            },
            "seconds": round(outcome.seconds, 1),
            "posts_per_second_faults_included": round(outcome.by_ledger.posts / outcome.seconds),
        }


class Campaign:
    """One run on a scene."""

    def __init__(self, plan: Plan, scene: Scene, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._scene = scene
        self._say = say
        self._chance = random.Random(plan.seed)
        self._goal = 0  # posts to be decided before the next fault
        scene.on_wait = self._feed

    def run(self) -> Report:
        """Does everything; the comparison is in the report, nothing is asserted about it here."""
        plan, scene = self._plan, self._scene
        scene.start(plan.workers)
        events: list[str] = []
        decided: list[int] = []
        waiting: list[int] = []
        for number in range(1, plan.events + 1):
            # All must be up and at work, or a fault would fall on what the last one has not yet left behind.
            scene.wait(lambda: all(each.is_ready() for each in scene.fleet), _SECONDS, "all to be ready")
            share = plan.posts * number // (plan.events + 1)
            self._goal = min(plan.posts, max(share, scene.sent + CHUNK))
            scene.work(_SECONDS)
            scene.wait(lambda: scene.decisions >= self._goal, _SECONDS, f"{self._goal} decisions")
            self._send(BURST)
            self._goal += BURST + BACKLOG  # what may be sent while the workers recover
            kind = self._choose()
            decided.append(scene.decisions)
            waiting.append(self._waiting)
            self._say(
                f"event {number}/{plan.events}: {kind}, {scene.decisions} decided, {self._waiting} waiting"
            )
            self._do(kind)
            events.append(kind)
        self._goal = plan.posts
        scene.wait(lambda: self._exhausted, _SECONDS * 2, "all posts to be sent")
        self._say("waiting for the rest, comparing")
        return Report(plan, scene.finish(300.0), events, decided, waiting)

    @property
    def _waiting(self) -> int:
        return self._scene.sent - self._scene.decisions

    @property
    def _exhausted(self) -> bool:
        return self._scene.sent >= self._plan.posts

    def _feed(self) -> None:
        if self._scene.sent < self._goal and self._waiting < BACKLOG:
            self._send(CHUNK)

    def _send(self, count: int) -> None:
        count = min(count, self._plan.posts - self._scene.sent)
        if count:
            self._scene.post(count, accounts=self._plan.accounts)

    def _choose(self) -> str:
        workers = len(self._scene.fleet)
        allowed = dict(WEIGHTS)
        if workers >= MOST_WORKERS:
            del allowed[JOIN]
        if self._plan.guarantee == "at-least-once":
            allowed.pop(ZOMBIE)  # nothing fences one there, which is why exactly once is the default
        if workers < 2:
            allowed.pop(ZOMBIE, None)
            del allowed[LEAVE], allowed[KILL_ALL]
        return self._chance.choices(list(allowed), list(allowed.values()))[0]

    def _do(self, kind: str) -> None:
        scene = self._scene
        victim = self._chance.choice(scene.fleet)
        began = time.monotonic()
        if kind == KILL:
            victim.kill()
        elif kind == KILL_ALL:
            for process in scene.fleet:
                process.kill()
        elif kind == ZOMBIE:
            self._stop_past_session(victim)
            return
        elif kind == JOIN:
            scene.start()
        else:
            scene.dismiss(victim)
        scene.recover(kind, _SECONDS, since=began)

    def _stop_past_session(self, victim: Any) -> None:
        """SIGSTOP; the others take over and go on; SIGCONT; the zombie must end by itself."""
        scene = self._scene
        began = time.monotonic()
        victim.pause()
        others = [process for process in scene.fleet if process is not victim]
        scene.wait(
            lambda: sum(map(scene.owned, others)) == scene.partitions,
            _SECONDS,
            "the others to own everything",
        )
        scene.recover(ZOMBIE, _SECONDS, since=began)
        victim.resume()
        scene.wait(lambda: not victim.is_running, _SECONDS, "the zombie to end")


def run(plan: Plan, broker: str, folder: Path, say: Callable[[str], None] = lambda line: None) -> Report:
    """Runs a campaign on topics of its own."""
    prefix = f"campaign-{uuid.uuid4().hex[:8]}."
    settings = {"batch": str(plan.batch), "guarantee": plan.guarantee}
    with Scene(broker, prefix, folder, partitions=plan.partitions, settings=settings) as scene:
        return Campaign(plan, scene, say).run()


def main() -> int:
    """The command; exit code 1 when anything was lost, extra or differing."""
    parser = argparse.ArgumentParser(prog="python -m tests.kafka.campaign", description=__doc__)
    parser.add_argument("--posts", type=int, default=200_000, help="about 20 000 for each event")
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--guarantee", choices=("exactly-once", "at-least-once"), default="exactly-once")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = vars(parser.parse_args())
    target: Path | None = options.pop("json")
    plan = Plan(**options)
    gc.disable()  # everything that is read is kept to the end
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moderator-campaign-")))
        broker = stack.enter_context(run_broker(choose_broker(os.environ), folder / "kafka"))
        report = run(plan, broker, folder, say).to_json()
    report["command"] = shlex.join(["python", "-m", "tests.kafka.campaign", *sys.argv[1:]])
    text = json.dumps(report, indent=2)
    if target is not None:
        target.write_text(text + "\n", encoding="utf-8")
    print(text)
    allowed = report["repeats"] if plan.guarantee == "at-least-once" else 0
    return int(bool(report["lost"] or report["extra"] - allowed or report["differing"]))


def _by_kind(recoveries: list[tuple[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for kind, seconds in recoveries:
        found.setdefault(kind, []).append(seconds)
    return found


if __name__ == "__main__":
    sys.exit(main())
