"""The demonstration shows every policy: what it acts on or queues, and what it lets pass although it looks alike."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from schemas.decode import decode
from worker.demo.source import Sample, samples
from worker.engine.assess import Assessment, Assessor
from worker.engine.policy import POLICY_IDS
from worker.engine.registry import load_pack
from worker.engine.subjects import subject_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AT_LEAST = 6
# Nothing of that kind can be written down, and the shipped pack holds no bank of hashes: what the demonstration has are
# harmless pictures that a classifier upstream took for something else, which a trained person gets to see.
ONLY_REVIEWED = "child-sexual-exploitation"

Judged = list[tuple[Sample, Assessment]]


@pytest.fixture(scope="module")
def judged() -> Judged:
    asked = [
        (sample, subject)
        for sample in samples()
        if sample.record is not None
        if (subject := subject_of(decode(sample.topic, sample.value(NOW)).model)) is not None
    ]
    subjects = [subject for _, subject in asked]
    found = Assessor(load_pack(backend="re2")).assess_subjects(subjects, [NOW] * len(subjects))
    return [(sample, assessment) for (sample, _), assessment in zip(asked, found, strict=True)]


def _words(judged: Judged, policy: str) -> Counter[str]:
    return Counter(said[0] for _, assessment in judged if (said := assessment.word(policy)) is not None)


@pytest.mark.parametrize("policy", POLICY_IDS)
def test_every_policy_has_posts_that_it_acts_on_or_queues(judged: Judged, policy: str) -> None:
    words = _words(judged, policy)
    assert words["violation"] + words["review"] + words["at_risk"] >= AT_LEAST
    assert (words["violation"] == 0) == (policy == ONLY_REVIEWED)
    assert words["failed"] == 0


def test_people_at_risk_are_among_them_and_nothing_is_done_to_them(judged: Judged) -> None:
    at_risk = [
        assessment
        for _, assessment in judged
        if any(judgement.at_risk for judgement in assessment.judgements)
    ]
    assert len(at_risk) >= AT_LEAST
    assert all(not assessment.actions for assessment in at_risk)


def test_most_posts_are_ordinary_and_nothing_follows(judged: Judged) -> None:
    outcomes = Counter(assessment.outcome for sample, assessment in judged if sample.post is not None)
    assert outcomes["clear"] >= 0.8 * outcomes.total()


def test_languages_that_no_policy_covers_are_not_acted_on_for_their_words(judged: Judged) -> None:
    uncovered = [
        assessment
        for sample, assessment in judged
        if sample.post is not None and sample.post.get("lang") in {"it", "tr", "ja"}
        if not sample.post.get("media")
    ]
    assert len(uncovered) >= 30
    assert all(assessment.outcome == "clear" for assessment in uncovered)
