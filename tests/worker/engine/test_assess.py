from __future__ import annotations

from schemas.posts import Post
from tests.worker.engine.helpers import Feed, outputs
from tests.worker.engine.helpers import post as record
from worker.engine.assess import Assessment, assess
from worker.engine.judge import PartitionJudge
from worker.engine.policy import POLICY_IDS
from worker.engine.registry import Pack

TEXTS = ["a fine day", "a blip", "zip", "zap", "zonk", "a zork for sale", "faultyword", "", "quux42"]


def one(pack: Pack, text: str, lang: str | None = None) -> Assessment:
    (assessment,) = assess(pack, [Post.model_validate(record(text, lang=lang))])
    return assessment


def test_a_batch_is_assessed_in_order(pack: Pack) -> None:
    posts = [Post.model_validate(record(text)) for text in TEXTS]
    assert [a.outcome for a in assess(pack, posts)] == [
        "clear", "review", "violation", "violation", "violation", "clear", "review", "clear", "violation",
    ]  # fmt: skip


def test_every_policy_of_the_contract_has_a_score_or_none(pack: Pack) -> None:
    scores = one(pack, "zap").scores
    assert tuple(scores) == POLICY_IDS
    assert {policy: score for policy, score in scores.items() if score is not None} == {"violence": 0.85}


def test_shadow_policies_have_no_score_and_do_not_count(pack: Pack) -> None:
    assessment = one(pack, "a zork for sale")
    assert (assessment.outcome, assessment.scores["illegal-goods"]) == ("clear", None)
    assert [j.outcome for j in assessment.judgements if j.loaded.policy.id == "illegal-goods"] == [
        "violation"
    ]


def test_who_abstained_or_failed_has_no_score(pack: Pack) -> None:
    assert one(pack, "").scores["violence"] is None
    assert one(pack, "faultyword").scores["violence"] is None
    assert one(pack, "zap", "de").scores["violence"] is None
    assert one(pack, "a fine day").scores["violence"] == 0.0


def test_actions_are_listed_from_the_mildest_kind_to_the_strictest(pack: Pack) -> None:
    assert one(pack, "zonk").actions == (("remove", "violence"), ("suspend", "violence"))
    assert one(pack, "a blip").actions == ()


def test_it_says_what_the_engine_would_do_for_an_account_without_a_record(pack: Pack) -> None:
    for text in TEXTS:
        judged = PartitionJudge(pack, 0).judge(Feed().posts(record(text)))
        done = [
            (kind, action["policy"])
            for kind in ("label", "remove", "suspend")
            for action in outputs(judged, f"enforcement.{kind}")
        ]
        assessment = one(pack, text)
        assert list(assessment.actions) == done
        decided = [d["outcome"] for d in outputs(judged, "decisions")]
        assert decided == ([] if assessment.outcome == "clear" else [assessment.outcome])
