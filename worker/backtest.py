"""Judges the same records by two packs and collects what is decided differently.

Posts alone are judged without state, each as the first of its account. Lines of `{"topic", "value"}` go through the
whole engine with its state, once for each pack; what workers write for each other is left out of the input, for each
pack makes its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from worker.engine.assess import Assessment, Assessor
from worker.engine.registry import Pack
from worker.replay import Replay, is_recording
from worker.scoring import read_post, reason_of

EXAMPLES = 10  # of each kind of change
_EVIDENCE = 5  # of one example
_QUIET = frozenset({"clear", "abstain"})
_MADE = frozenset(
    {"observations", "findings"}
)  # by workers, for each other: what is judged there follows from other records


@dataclass(frozen=True, slots=True)
class Said:
    """What one policy said of one record. `evidence` names signals and what they recognise, never the text."""

    word: str
    score: float = 0.0
    evidence: tuple[str, ...] = ()


@dataclass(slots=True)
class Seen:
    """What one pack made of one record. `actions` maps a kind to its detail (label, mode, end) and its policy."""

    name: str
    outcome: str
    said: Mapping[str, Said]
    actions: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Example:
    """One record that is decided differently."""

    name: str
    score_before: float
    score_after: float
    evidence: tuple[str, ...]


@dataclass(slots=True)
class Changes:
    """What differs. The keys of `verdicts` are `(policy, before, after)`, of `actions` `(policy, kind, how)`."""

    compared: int = 0
    changed: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    actions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], list[Example]] = field(default_factory=dict)
    acted: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    def add(self, before: Seen, after: Seen, keep: int) -> None:
        """Compares what both packs made of one record; of each change so many examples are kept."""
        self.compared += 1
        differs = before.outcome != after.outcome
        if differs:
            self.outcomes[before.outcome, after.outcome] += 1
        for policy in sorted({*before.said, *after.said}):
            differs |= self._verdict(policy, before, after, keep)
        for kind in ("label", "remove", "suspend"):
            differs |= self._action(kind, before, after, keep)
        self.changed += differs

    def _verdict(self, policy: str, before: Seen, after: Seen, keep: int) -> bool:
        was, now = before.said.get(policy, Said("clear")), after.said.get(policy, Said("clear"))
        if was.word == now.word or {was.word, now.word} <= _QUIET:
            return False
        key = (policy, was.word, now.word)
        self.verdicts[key] += 1
        kept = self.examples.setdefault(key, [])
        if len(kept) < keep:
            evidence = now.evidence if now.word not in _QUIET else was.evidence
            kept.append(Example(after.name, was.score, now.score, evidence))
        return True

    def _action(self, kind: str, before: Seen, after: Seen, keep: int) -> bool:
        was, now = before.actions.get(kind), after.actions.get(kind)
        if was == now:
            return False
        policy = (now or was or ("", ""))[1]
        if now is None:
            how = "no more"
        elif was is None:
            how = "new"
        elif was[1] != now[1]:
            how = f"by {now[1]} instead of {was[1]}"
        else:
            how = f"{now[0] or 'plain'} instead of {was[0] or 'plain'}"
        key = (policy, kind, how)
        self.actions[key] += 1
        kept = self.acted.setdefault(key, [])
        if len(kept) < keep:
            kept.append(after.name)
        return True


@dataclass(frozen=True, slots=True)
class InForce:
    """An action that one pack's run left standing."""

    action_id: str
    kind: str
    detail: str
    subject_type: str
    subject_id: str
    account_id: str
    policy: str
    version: int
    expires_at: str | None
    decided_at: str

    @property
    def what(self) -> tuple[str, str, str, str]:
        """The same for the same thing done to the same subject, whatever policy, version and record it follows from."""
        return self.kind, self.subject_type, self.subject_id, self.detail


class Backtest:
    """Feeds lines to two packs. `lines` counts what was read, `bad` holds the numbers of lines that are no record and why.

    What `stateful` says is decided by the first line: with a topic, or a bare post.
    """

    def __init__(self, before: Pack, after: Pack, *, examples: int = EXAMPLES) -> None:
        self._packs = (before, after)
        self._examples = examples
        self._runs: tuple[_Run, _Run] | None = None
        self._assessors: tuple[Assessor, Assessor] | None = None
        self.changes = Changes()
        self.lines = 0
        self.bad: list[tuple[int, str]] = []

    @property
    def dead_letters(self) -> int:
        """How many lines name a topic but hold no record of it; each pack makes a dead letter of them."""
        return 0 if self._runs is None else self._runs[0].dead_letters

    @property
    def stateful(self) -> bool:
        """Whether the records go through the engine with its state."""
        return self._runs is not None

    def feed(self, lines: Sequence[bytes]) -> None:
        """Judges some lines by both packs."""
        first = self.lines + 1
        self.lines += len(lines)
        if self._runs is None and self._assessors is None:
            self._begin(lines)
        if self._runs is not None:
            self._replay(lines, first)
        elif self._assessors is not None:
            self._assess(lines, first)

    def finish(self) -> None:
        """Judges what is left."""
        if self._runs is not None:
            for run in self._runs:
                run.finish()
            self._compare(*self._runs)

    def standing(self) -> tuple[list[InForce], list[InForce]]:
        """What stands at the end only under the pack before, and only under the one after; empty without state."""
        if self._runs is None:
            return [], []
        now = max(run.latest for run in self._runs)
        before, after = (run.standing(now) for run in self._runs)
        return _less(before, after), _less(after, before)

    def _begin(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            try:
                data = from_json(line)
            except ValueError:
                continue
            if isinstance(data, dict):
                before, after = self._packs
                if "topic" in data:
                    self._runs = (_Run(before), _Run(after))
                else:
                    self._assessors = (Assessor(before), Assessor(after))
                return
        start = self.lines - len(lines) + 1
        self.bad += [(number, "no JSON object") for number, line in enumerate(lines, start) if line.strip()]

    def _replay(self, lines: Sequence[bytes], first: int) -> None:
        assert self._runs is not None
        given = []
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            if bad := _no_record(line):
                self.bad.append((number, bad))
            elif not is_recording([line]):
                given.append(line)
        for run in self._runs:
            run.feed(given)
        self._compare(*self._runs)

    def _compare(self, before: _Run, after: _Run) -> None:
        for ref in [ref for ref in before.seen if ref in after.seen]:
            self.changes.add(before.seen.pop(ref), after.seen.pop(ref), self._examples)

    def _assess(self, lines: Sequence[bytes], first: int) -> None:
        assert self._assessors is not None
        names, posts = [], []
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            try:
                name, post = read_post(line)
            except ValueError as error:
                self.bad.append((number, reason_of(error)))
                continue
            if not post.deleted:
                names.append(str(name))
                posts.append(post)
        if posts:
            before, after = (assessor.assess(posts) for assessor in self._assessors)
            for name, was, now in zip(names, before, after, strict=True):
                self.changes.add(_seen(name, was), _seen(name, now), self._examples)


def _seen(name: str, assessment: Assessment) -> Seen:
    said: dict[str, Said] = {
        judgement.loaded.policy.id: Said(
            judgement.word,
            round(judgement.score, 4),
            _evidence((item.signal, item.field, item.detail) for item in judgement.evidence),
        )
        for judgement in assessment.judgements
        if judgement.enforced
    }
    actions: dict[str, tuple[str, str]] = {
        action.kind: (_detail(action.label or action.mode, action.duration_hours), policy)
        for action, policy in assessment.strictest
    }
    return Seen(name, assessment.outcome, said, actions)


def _detail(name: str | None, hours: float | None) -> str:
    return " ".join(part for part in (name or "", "" if hours is None else f"for {hours:g} h") if part)


def _evidence(items: Iterator[tuple[str, str, str]]) -> tuple[str, ...]:
    told = dict.fromkeys(
        f"{signal} in {where}" + (f": {what}" if what else "") for signal, where, what in items
    )
    return tuple(told)[:_EVIDENCE]


def _no_record(line: bytes) -> str:
    try:
        data = from_json(line)
    except ValueError:
        return "no JSON"
    if not isinstance(data, dict) or not isinstance(data.get("topic"), str):
        return 'no {"topic", "value"}'
    return ""


def _less(some: list[InForce], others: list[InForce]) -> list[InForce]:
    known = {one.what for one in others}
    return [one for one in some if one.what not in known]


class _Run:
    """One pack's replay: what it decided of each record from outside, and which of its actions stand."""

    def __init__(self, pack: Pack) -> None:
        self._replay = Replay(pack, publish_all=True)
        self._reviews = {loaded.policy.id: loaded.policy.review.score for loaded in pack.policies}
        self.seen: dict[tuple[str, int, int], Seen] = {}
        self._applied: dict[str, InForce] = {}
        self.latest = ""
        self.dead_letters = 0

    def feed(self, lines: Sequence[bytes]) -> None:
        self._take(self._replay.feed(lines))

    def finish(self) -> None:
        self._take(self._replay.finish())

    def standing(self, now: str) -> list[InForce]:
        """The actions in force at a time, in the order in which they were taken."""
        # Times are UTC in one form, to the second or the microsecond: cut to the second they compare as texts.
        return [
            one for one in self._applied.values() if one.expires_at is None or one.expires_at[:19] > now[:19]
        ]

    def _take(self, lines: Iterator[bytes]) -> None:
        for line in lines:
            data = json.loads(line)
            topic, value = data["topic"], data["value"]
            if topic == "decisions":
                self._decision(value)
            elif topic.startswith("enforcement."):
                self._action(value)
            elif topic == "dead-letter":
                self.dead_letters += 1

    def _decision(self, value: Mapping[str, Any]) -> None:
        self.latest = max(self.latest, value["decided_at"])
        ref = value["record"]
        if ref["topic"] in _MADE:
            return
        said = {}
        for verdict in value["verdicts"]:
            if verdict["status"] != "enforce":
                continue
            score = verdict["score"] or 0.0
            word = verdict["outcome"]
            if word == "clear" and score >= self._reviews[verdict["policy"]]:
                word = "review"
            said[verdict["policy"]] = Said(
                word,
                round(score, 4),
                _evidence((item["signal"], item["field"], item["detail"]) for item in verdict["evidence"]),
            )
        subject = value["subject"]
        name = (
            subject["id"]
            if subject["type"] == "post"
            else f"{ref['topic']} {ref['partition']}:{ref['offset']}"
        )
        self.seen[_place(ref)] = Seen(name, value["outcome"], said)

    def _action(self, value: Mapping[str, Any]) -> None:
        if value["operation"] == "reverse":
            self._applied.pop(value["reverses"], None)
            return
        subject, name = value["subject"], value["label"] or value["mode"] or ""
        self._applied[value["action_id"]] = InForce(
            value["action_id"], value["kind"], name, subject["type"], subject["id"], value["account_id"],
            value["policy"], value["policy_version"], value["expires_at"], value["decided_at"],
        )  # fmt: skip
        seen = self.seen.get(_place(value["record"]))
        if seen is not None:
            ends = value["expires_at"]
            detail = " ".join(part for part in (name, "" if ends is None else f"until {ends}") if part)
            seen.actions[value["kind"]] = (detail, value["policy"])


def _place(ref: Mapping[str, Any]) -> tuple[str, int, int]:
    return ref["topic"], ref["partition"], ref["offset"]
