"""What an operator's own model is asked, and what follows when it has answered.

What the network says depends on the network. So a post is judged at once without it, the question goes out after the
batch is published, and an answer comes back as a record on `findings`, judged like any other when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from schemas.base import format_time
from schemas.coordination import Finding
from schemas.enforcement import RecordRef
from worker.engine.chain import Chain, Judgement
from worker.engine.contract import Subject
from worker.engine.decide import Ruling, decide
from worker.engine.enforce import Case
from worker.engine.ids import digest
from worker.engine.learned import signal_of
from worker.engine.ledger import Ledger
from worker.engine.records import Judged, Question, Record
from worker.engine.registry import LoadedPolicy
from worker.engine.state import Account
from worker.engine.subjects import primary_language
from worker.engine.times import EPOCH
from worker.learned.cascade import Asked, Cascade
from worker.learned.steps import Steps
from worker.signals.measured import MeasuredSignals
from worker.signals.view import Hit

ENDPOINT = "model:endpoint"
"""The feature of a finding that comes from the operator's HTTP endpoint."""

MOST_ASKED = 2_000  # code points of a text that are sent
_FIELD = "text"


def is_opinion(finding: Finding) -> bool:
    """Whether a finding is what a model outside the worker said of one post."""
    return finding.feature.startswith("model:") and finding.post_id is not None


def finding_of(question: Question, policy: str, probability: float) -> Finding:
    """The record of an answer; asked again about the same text, it has the same id."""
    return Finding(
        finding_id=digest(question.cause, policy, ENDPOINT),
        feature=ENDPOINT,
        account_id=question.account_id,
        post_id=question.post_id,
        policy=policy,
        score=probability,
        accounts=1,
        observed_at=question.created_at,
        lang=question.lang,
    )


class Settled(NamedTuple):
    """A finding from which nothing follows: the outcome of its decision, `clear` or `duplicate`."""

    outcome: str


class Opinion(NamedTuple):
    """A finding that is judged."""

    case: Case
    ruling: Ruling
    judgements: tuple[Judgement, ...]


class Opinions:
    """Judges the findings of models outside the worker, by the scales that the pack gives to its own models.

    Args:
        chain: the rules in force.
        pack_id: of their pack.
        asks: whether anybody is to be asked; without it no question is collected.
    """

    def __init__(self, chain: Chain, pack_id: str, asks: bool) -> None:
        self._chain = chain
        self._pack_id = pack_id
        self._asks = asks
        self._uncertain: dict[Subject, str] = {}
        self._scales: dict[str, tuple[LoadedPolicy, Steps]] = {}
        for loaded in chain.policies:
            if loaded.policy.learned is not None:
                self._scales[loaded.policy.id] = (loaded, Steps(loaded.policy, loaded.policy.learned))
        # Findings are judged in the order of this: who may be in danger is known before anybody is punished.
        ordered = sorted(self._scales.items(), key=lambda item: not item[1][1].learned.at_risk)
        self._reviews: Mapping[str, float] = {name: scale.learned.review for name, (_, scale) in ordered}

    # --- asking

    def notice(self, cascade: Cascade | None, asked: Asked, subjects: Sequence[Subject | None]) -> None:
        """Notes the texts of a batch of which the fast model is unsure, before its posts are judged."""
        self._uncertain.clear()
        if not self._asks or cascade is None:
            return
        judged = [subject for subject in subjects if subject is not None]
        for row in cascade.uncertain(asked):
            text = asked.texts[row]
            subject = judged[text.subject]
            if text.field == _FIELD and subject.kind == "post" and subject.post is not None:
                self._uncertain[subject] = _part(cascade, asked, row)

    def ask(self, subject: Subject, cause: str, account: Account, now_ms: int, judged: Judged) -> None:
        """Adds the question about a post that was judged, if there is one; none about a post that is removed."""
        text = self._uncertain.get(subject) if self._uncertain else None
        if text is None or subject.post is None or is_removed(account, subject.id, now_ms):
            return
        judged.questions.append(
            Question(
                subject.id,
                cause,
                subject.account_id,
                subject.lang,
                subject.post.created_at,
                text,
                self._reviews,
            )
        )

    # --- judging the answer

    def judge(
        self, record: Record, finding: Finding, account: Account, ledger: Ledger, now: datetime
    ) -> Opinion | Settled:
        """What follows from a finding for its post, of which the account's record must know and which must stand.

        A post that is removed already gains no strike by a second opinion, and only what is stricter is news.
        Where a person looks at the post already, a doubt adds nothing; where somebody may be at risk, nothing but
        a doubt remains of what would be done against them, save by policies that protect others.
        """
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        if account.found(finding.finding_id, now_ms):
            return Settled("duplicate")
        known = self._scales.get(finding.policy or "")
        if (
            known is None
            or finding.post_id is None
            or not stands(account, finding.post_id, finding.observed_at)
        ):
            return Settled("clear")
        loaded, scale = known
        probability = round(finding.score, 4)
        if probability < scale.learned.review:
            return Settled("clear")
        subject = Subject("post", finding.post_id, finding.account_id, {}, primary_language(finding.lang))
        judgement = self._judgement(loaded, scale, probability, subject, now)
        removed = is_removed(account, finding.post_id, now_ms)
        waiting = {
            ledger.open_reason(item_id)
            for item_id, about in account.items.items()
            if about == finding.post_id
        } - {None}
        standing = Account() if removed else account  # what is removed already climbs no further
        ruling = _ruling(judgement, standing, now_ms, "at_risk" in waiting)
        if removed and ruling.outcome == "review" and not ruling.at_risk:
            return Settled("clear")
        if waiting:
            at_risk = () if "at_risk" in waiting else ruling.at_risk
            ruling = replace(ruling, doubts=(), at_risk=at_risk)
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        case = Case(subject, ref, finding.finding_id, now, now_ms, self._pack_id)
        return Opinion(case, ruling, (judgement,))

    def _judgement(
        self, loaded: LoadedPolicy, scale: Steps, probability: float, subject: Subject, now: datetime
    ) -> Judgement:
        """As if the pack's own models had said so, by the same code."""
        signals = MeasuredSignals(subject.lang, {})
        score = float(scale.scores(np.array([probability]))[0])
        detail = f"operator's model {probability:.2f}, {scale.reached(probability)}"
        signals.learn(Hit(signal_of(loaded.policy), _FIELD, None, None, score, detail))
        return self._chain.judge(loaded, subject, signals, self._chain.context(now))


def _ruling(judgement: Judgement, account: Account, now_ms: int, endangered: bool) -> Ruling:
    """As `decide`; `endangered`: a person looks at the post already because somebody may be at risk."""
    acts = judgement.enforced and judgement.outcome == "violation"
    if endangered and acts and not judgement.loaded.policy.despite_at_risk:
        return Ruling("review", doubts=(judgement,))
    return decide([judgement], account.active_strikes(now_ms), account.strikes_by_policy(now_ms))


def _part(cascade: Cascade, asked: Asked, row: int) -> str:
    """What is sent of a text: of a long one the first part that the fast model is unsure of."""
    start, end = cascade.parts(asked, row)[0]
    return asked.texts[row].text[start:end][:MOST_ASKED]


def is_removed(account: Account, post_id: str, now_ms: int) -> bool:
    """Whether a removal of a post is in force."""
    return any(
        known.kind == "remove" and known.subject_type == "post" and known.subject_id == post_id
        for known in account.actions
        if known.stands(now_ms)
    )


def stands(account: Account, post_id: str, created_at: datetime) -> bool:
    """Whether a post was judged here lately and is not deleted; an edit may be all that is known of it."""
    if account.has_deleted(post_id):
        return False
    return account.knows(post_id) or account.knows(f"{post_id}@{format_time(created_at)}")
