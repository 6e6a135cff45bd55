"""Why a subject was judged as it was: every rule, signal and weight, and what would have changed the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.engine.chain import Chain, Judgement
from worker.engine.contract import Evidence, Subject
from worker.engine.decide import Ruling, decide, rung_of
from worker.engine.formula import FLAGS
from worker.engine.learned import names_of
from worker.engine.media import own
from worker.engine.policy import Rung
from worker.engine.registry import LoadedPolicy, Pack
from worker.engine.scored import ScoredRule, Weighed
from worker.engine.state import Account
from worker.engine.watching import Reading as Counted
from worker.engine.watching import Watching
from worker.signals.sameness import print_texts
from worker.signals.view import Discourse, Hit, Signals

MAX_WEIGHED = 12  # candidates shown for one policy, strongest first


@dataclass(frozen=True, slots=True)
class Change:
    """What the policy would have said had one thing been otherwise.

    `what` is a signal that fired, or `is.<flag>` for a reading of discourse; `score` and `outcome` are those
    without it. `decisive` says that the outcome would have been another one.
    """

    what: str
    score: float
    outcome: str
    decisive: bool


@dataclass(frozen=True, slots=True)
class PolicyExplanation:
    """One policy's part: its judgement, what it saw, how its score came about, what would change it.

    `weighed` is empty for rules of code. `rung` is the one reached, None without a violation; `next_rung` the
    one that was not reached yet, None when there is none.
    """

    judgement: Judgement
    signals: tuple[Evidence, ...]
    weighed: tuple[Weighed, ...]
    changes: tuple[Change, ...]
    rung: Rung | None
    next_rung: Rung | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A subject's judgement taken apart.

    `active_strikes` are the account's before it, `counters` what was counted towards each limit that the post adds to.
    """

    subject: Subject
    policies: tuple[PolicyExplanation, ...]
    ruling: Ruling
    active_strikes: int
    counters: tuple[Counted, ...] = ()


def explain(
    pack: Pack,
    subject: Subject,
    now: datetime,
    active_strikes: int = 0,
    by_policy: Mapping[str, int] | None = None,
    account: Account | None = None,
) -> Explanation:
    """Judges a subject and takes the judgement apart. Costs a judgement for each signal that fired.

    `account` is the record before a post; the post is counted in a copy of it. Of a subject that was brought here by what
    was found in one of its media items, only verdicts with evidence in that item count, and nothing is counted.
    """
    chain = Chain(pack.policies, pack.facts, drafts=True)
    signals = pack.measure([subject])[0]
    counters: tuple[Counted, ...] = ()
    if subject.post is not None and account is not None and subject.examined is None:
        account = Account.from_bytes(account.to_bytes())
        watching = Watching(_Rules(pack, chain))
        print_texts([signals])
        watching.post(subject.post, subject, signals, account, account.clock_us // 1000)
        counters = tuple(watching.counters(subject.post, signals, account))
    judgements = chain.run(subject, signals, now)
    if subject.examined is not None:
        judgements = own(judgements, subject.examined)
    policies = tuple(
        _policy(chain, j, subject, signals, now, active_strikes, (by_policy or {}).get(j.loaded.policy.id, 0))
        for j in judgements
    )
    ruling = decide(judgements, active_strikes, by_policy)
    return Explanation(subject, policies, ruling, active_strikes, counters)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What judges here: no desk, as nothing is remembered."""

    pack: Pack
    chain: Chain


def _policy(
    chain: Chain,
    judgement: Judgement,
    subject: Subject,
    signals: Signals,
    now: datetime,
    strikes: int,
    of_policy: int,
) -> PolicyExplanation:
    loaded = judgement.loaded
    fired = [name for name in sorted(loaded.rule.needs | names_of(loaded.policy)) if name in signals.fired]
    hits = signals.hits(*fired) if judgement.asked else ()
    weighed: Sequence[Weighed] = ()
    if judgement.asked and judgement.outcome != "failed" and isinstance(loaded.rule, ScoredRule):
        weighed = sorted(loaded.rule.weigh(subject, signals, chain.context(now)), key=lambda one: -one.score)[
            :MAX_WEIGHED
        ]
    changes = _changes(chain, judgement, subject, signals, now, hits) if judgement.notable else ()
    rung, following = _rungs(judgement, strikes, of_policy)
    evidence = tuple(signals.evidence(hit) for hit in hits)
    return PolicyExplanation(judgement, evidence, tuple(weighed), changes, rung, following)


def _rungs(judgement: Judgement, strikes: int, of_policy: int) -> tuple[Rung | None, Rung | None]:
    ladder = judgement.loaded.policy.ladder
    if judgement.outcome != "violation":
        return None, ladder[0]
    rung = rung_of(judgement, strikes, of_policy)
    place = ladder.index(rung)
    return rung, ladder[place + 1] if place + 1 < len(ladder) else None


def _changes(
    chain: Chain,
    judgement: Judgement,
    subject: Subject,
    signals: Signals,
    now: datetime,
    hits: Sequence[Hit],
) -> tuple[Change, ...]:
    """The policy judged again without each signal that it saw, and without each flag that was set."""
    names = dict.fromkeys(hit.signal for hit in hits)
    flags = {flag for hit in hits for flag in FLAGS if getattr(signals.discourse(hit), flag)}
    changes = [_without(chain, judgement, subject, Without(signals, name), now, name) for name in names]
    changes += [
        _without(chain, judgement, subject, Without(signals, flag=flag), now, f"is.{flag}")
        for flag in sorted(flags)
    ]
    found = [change for change in changes if change is not None]
    return tuple(sorted(found, key=lambda change: (not change.decisive, change.score, change.what)))


def _without(
    chain: Chain, judgement: Judgement, subject: Subject, signals: Signals, now: datetime, what: str
) -> Change | None:
    loaded: LoadedPolicy = judgement.loaded
    other = chain.judge(loaded, subject, signals, chain.context(now))
    decisive = other.word != judgement.word
    if not decisive and other.score == judgement.score:
        return None
    return Change(what, other.score, other.word, decisive)


class Without:
    """The same measurements less one signal, or less one flag of discourse; implements `Signals`."""

    def __init__(self, signals: Signals, name: str = "", flag: str = "") -> None:
        self._signals = signals
        self._name = name
        self._flag = flag
        self.lang = signals.lang
        self.failed = signals.failed
        self.fired = signals.fired - {name}
        self.uncovered = signals.uncovered - {name}

    @property
    def thread(self) -> frozenset[str]:
        """What fired in the posts that this one answers or quotes."""
        return self._signals.thread - {self._name}

    def hits(self, *names: str) -> Sequence[Hit]:
        """As `Signals.hits`."""
        return self._signals.hits(*(name for name in names if name != self._name))

    def text(self, field: str = "text", variant: int = 0) -> str:
        """As `Signals.text`."""
        return self._signals.text(field, variant)

    def sentence(self, hit: Hit) -> tuple[int, int]:
        """As `Signals.sentence`."""
        return self._signals.sentence(hit)

    def discourse(self, hit: Hit) -> Discourse:
        """As `Signals.discourse`."""
        discourse = self._signals.discourse(hit)
        return replace(discourse, **{self._flag: False}) if self._flag else discourse

    def evidence(self, hit: Hit, *, score: float | None = None, detail: str | None = None) -> Evidence:
        """As `Signals.evidence`."""
        return self._signals.evidence(hit, score=score, detail=detail)
