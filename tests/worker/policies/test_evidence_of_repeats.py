"""A post that repeats itself is still told which finding it broke: evidence names it, not only the words."""

from __future__ import annotations

import pytest

from worker.engine.assess import Assessor
from worker.engine.cases import read_cases
from worker.engine.registry import load_pack


@pytest.mark.parametrize("policy", ["suicide-self-harm", "illegal-goods", "violent-extremism"])
def test_the_finding_stands_in_the_evidence_of_a_text_said_eight_times(policy: str) -> None:
    pack = load_pack(backend="re2", only={policy})
    (loaded,) = pack.policies
    cases = [c for c in read_cases(loaded).case if c.expect == "violation" and c.text and not c.profile]
    long = [case.model_copy(update={"text": f"{case.text}\n" * 8}) for case in cases]
    found = Assessor(pack).assess_subjects([c.subject() for c in long], [c.at for c in long])
    named = {f"{policy}.{finding.name}" for finding in loaded.policy.findings} | {f"learned.{policy}"}
    silent = [
        case.name
        for case, assessment in zip(long, found, strict=True)
        for judgement in assessment.judgements
        if judgement.outcome == "violation" and named.isdisjoint(e.signal for e in judgement.evidence)
    ]
    assert silent == []
