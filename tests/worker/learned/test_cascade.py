"""Two models one after the other, and what their answers do to a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.worker.engine.helpers import Feed, outputs, post
from tests.worker.learned.standins import Fast, OnlyHarm, Second, pack_with_models
from worker.engine.assess import Assessment, Assessor
from worker.engine.judge import PartitionJudge
from worker.engine.policy import PolicyAction
from worker.engine.records import Judged
from worker.engine.registry import LoadedPolicy, Pack
from worker.scoring import Scorer


@pytest.fixture
def second() -> Second:
    return Second()


@pytest.fixture
def pack(second: Second) -> Pack:
    return pack_with_models(second)


def assess(pack: Pack, text: str, **more: Any) -> Assessment:
    from schemas.posts import Post

    return Assessor(pack).assess([Post.model_validate(post(text, **more))])[0]


def judge(pack: Pack, *texts: str) -> Judged:
    feed = Feed()
    records = feed.posts(*(post(text, str(n)) for n, text in enumerate(texts)))
    return PartitionJudge(pack, 0).judge(records)


def test_the_second_model_reads_only_what_the_fast_one_is_unsure_of(pack: Pack, second: Second) -> None:
    judge(pack, "fine words", "goods09 nearly", "goods10 unsure", "harm99 sure")
    assert second.read_texts == ["goods10 unsure", "harm99 sure"]


def test_a_sure_second_model_leads_to_the_rung_that_the_policy_grants(pack: Pack) -> None:
    found = assess(pack, "goods20 readgoods95")
    assert (found.outcome, found.actions) == ("violation", (("remove", "illegal-goods"),))
    judgement = next(j for j in found.judgements if j.loaded.policy.id == "illegal-goods")
    (evidence,) = judgement.evidence
    assert (evidence.signal, evidence.field) == ("learned.illegal-goods", "text")
    assert (evidence.start, evidence.end) == (0, len("goods20"))
    assert evidence.detail == "second model 0.95, remove from 0.9 on"


def test_below_the_rung_a_person_decides(pack: Pack) -> None:
    found = assess(pack, "goods20 readgoods70")
    assert (found.outcome, found.actions) == ("review", ())


def test_what_the_second_model_clears_is_clear(pack: Pack) -> None:
    found = assess(pack, "goods90 readgoods05")
    assert found.outcome == "clear"
    assert 0.0 < (found.scores["illegal-goods"] or 0.0) < 0.1


def test_the_second_model_may_find_what_the_fast_one_did_not_think_of(pack: Pack) -> None:
    assert assess(pack, "harm20 readgoods95").actions == (("remove", "illegal-goods"),)


def test_a_person_at_risk_is_helped_and_never_punished(pack: Pack) -> None:
    judged = judge(pack, "harm30 readharm99 readgoods95")
    reasons = {item["policy"]: item["reason"] for item in outputs(judged, "review.queue")}
    assert reasons == {"illegal-goods": "uncertain", "suicide-self-harm": "at_risk"}
    assert [notice["kind"] for notice in outputs(judged, "notices")] == ["support"]
    assert not outputs(judged, "enforcement.remove")


def test_scores_of_clear_posts_still_order_them(pack: Pack) -> None:
    low, high = (assess(pack, text).scores["illegal-goods"] or 0.0 for text in ("goods02", "goods08"))
    assert 0.0 < low < high < 0.1


def test_a_rule_and_a_model_are_both_evidence(pack: Pack) -> None:
    found = assess(pack, "zapfruit goods20 readgoods95")
    judgement = next(j for j in found.judgements if j.loaded.policy.id == "illegal-goods")
    assert {item.signal for item in judgement.evidence} == {
        "illegal-goods.word",
        "made.zapfruit",
        "learned.illegal-goods",
    }


def test_a_language_that_the_models_do_not_read_gets_no_score(pack: Pack, second: Second) -> None:
    assert assess(pack, "goods20 readgoods95", lang="de").outcome == "clear"
    assert second.read_texts == []


def test_without_its_share_the_second_model_is_not_asked_and_a_person_looks(second: Second) -> None:
    pack = pack_with_models(second, share=0.0, burst=1)
    judged = judge(pack, "goods20 readgoods05", "goods20 readgoods95", "plain")
    assert len(second.read_texts) == 1
    (item,) = outputs(judged, "review.queue")
    assert (item["post_id"], item["reason"]) == ("1", "uncertain")
    assert "share was used up" in item["evidence"][0]["detail"]
    assert judged.tally["moderator_model_unsettled_total", "unread"] == 1


def test_commands_without_state_know_no_share(second: Second) -> None:
    pack = pack_with_models(second, share=0.0, burst=1)
    lines = [b'{"id": %d, "text": "goods20 readgoods95"}' % n for n in range(3)]
    assert Scorer(pack).score(lines).count(b'"violation"') == 3


def test_a_failing_second_model_is_never_read_as_clear(pack: Pack) -> None:
    judged = judge(pack, "goods20 broken", "goods20 readgoods05")
    (item,) = outputs(judged, "review.queue")
    assert (item["post_id"], item["reason"]) == ("0", "rule_failed")
    assert judged.tally["moderator_model_unsettled_total", "failed"] == 1
    assert judged.tally["moderator_signal_failures_total", "learned.illegal-goods"] == 1


def test_a_fast_model_alone_convicts_nobody() -> None:
    pack = pack_with_models(None)
    assert assess(pack, "goods99").outcome == "review"
    assert assess(pack, "goods40").outcome == "clear"
    assert pack.models.warning is not None
    assert pack.models.warning.startswith("degraded")


def test_names_are_not_read(pack: Pack) -> None:
    fast = Fast()
    taught = pack_with_models(Second(), fast=fast)
    account = {
        "schema_version": 1,
        "account_id": "u1",
        "updated_at": "2026-11-22T09:30:00Z",
        "profile": {"handle": "goods99", "display_name": "goods99", "bio": "selling goods20"},
    }
    PartitionJudge(taught, 0).judge([Feed().record("accounts", account)])
    assert fast.seen == ["selling goods20"]


def test_batches_cut_otherwise_are_judged_the_same() -> None:
    texts = [f"goods{n % 40:02d} readgoods{n * 7 % 100:02d}" for n in range(60)]
    whole = judge(pack_with_models(Second(), share=0.2, burst=3), *texts)
    split_judge = PartitionJudge(pack_with_models(Second(), share=0.2, burst=3), 0)
    split = Judged()
    records = Feed().posts(*(post(text, str(n)) for n, text in enumerate(texts)))
    for start in range(0, 60, 7):
        split.add(split_judge.judge(records[start : start + 7]))
    assert [output.value for output in split.outputs] == [output.value for output in whole.outputs]
    assert split.state == whole.state


def test_several_batches_may_be_begun_before_the_first_is_finished(second: Second) -> None:
    pack = pack_with_models(second, share=0.2, burst=2)
    records = Feed().posts(*(post(f"goods20 readgoods9{n}", str(n)) for n in range(6)))
    plain = PartitionJudge(pack, 0).judge(records)
    judge = PartitionJudge(pack, 0)
    begun = [judge.begin(records[:3]), judge.begin(records[3:])]
    found = Judged()
    for half in begun:
        if half.think is not None:
            half.think()
        found.add(judge.finish(half))
    assert [output.value for output in found.outputs] == [output.value for output in plain.outputs]


def test_what_is_left_of_the_share_is_kept_in_the_state(second: Second) -> None:
    pack = pack_with_models(second, share=0.0, burst=2)
    first = PartitionJudge(pack, 0)
    feed = Feed()
    judged = first.judge(feed.posts(post("goods20", "1")))
    heir = PartitionJudge(pack, 0)
    for key, value in judged.state.items():
        heir.restore(key, value)
    after = heir.judge(feed.posts(post("goods20", "2"), post("goods20", "3")))
    assert [item["post_id"] for item in outputs(after, "review.queue")] == ["3"]


def test_scores_are_counted_by_tenths_for_drift(pack: Pack) -> None:
    judged = judge(pack, "goods05", "goods15 readgoods95", "goods99 readgoods05")
    tally = judged.tally
    assert tally["moderator_model_scores_total", "fast", "illegal-goods", "0.0"] == 1
    assert tally["moderator_model_scores_total", "fast", "illegal-goods", "0.1"] == 1
    assert tally["moderator_model_scores_total", "fast", "illegal-goods", "0.9"] == 1
    assert tally["moderator_model_scores_total", "second", "illegal-goods", "0.9"] == 1
    assert tally["moderator_model_texts_total", "second"] == 2


def test_spans_lead_back_to_the_text_as_received(pack: Pack) -> None:
    found = assess(pack, "@somebody_with_a_name goods20 readgoods95")
    judgement = next(j for j in found.judgements if j.loaded.policy.id == "illegal-goods")
    (evidence,) = judgement.evidence
    assert (evidence.start, evidence.end) == (0, len("@somebody_with_a_name"))


def test_what_the_second_model_reads_is_chosen_before_it_starts(second: Second) -> None:
    class Forgetful(Fast):
        def best_window(self, text: str, head: str) -> tuple[int, int]:
            assert not reading, "the fast model remembers what it has seen: one thread only"
            return super().best_window(text, head)

    reading: list[bool] = []
    pack = pack_with_models(second, fast=Forgetful())
    judge = PartitionJudge(pack, 0)
    begun = judge.begin(Feed().posts(post("goods20 readgoods95")))
    assert begun.think is not None
    reading.append(True)
    begun.think()
    reading.clear()
    assert outputs(judge.finish(begun), "enforcement.remove")


def test_a_policy_that_the_second_model_does_not_know_is_for_a_person() -> None:
    found = assess(pack_with_models(OnlyHarm()), "goods99 readgoods99")
    assert (found.outcome, found.actions) == ("review", ())
    judgement = next(j for j in found.judgements if j.loaded.policy.id == "illegal-goods")
    assert (
        judgement.evidence[0].detail
        == "fast model 0.99, uncertain; the second model does not know this policy"
    )


def test_what_is_no_number_is_a_failure_and_not_clear(pack: Pack) -> None:
    judged = judge(pack, "goods20 nonsense", "goods20 readgoods05")
    assert [(item["post_id"], item["reason"]) for item in outputs(judged, "review.queue")] == [
        ("0", "rule_failed")
    ]


def test_what_a_rule_is_sure_of_stands_when_a_model_fails(pack: Pack) -> None:
    judged = judge(pack, "zapfruit goods20 broken", "sorrowword harm20 broken")
    assert [action["post_id"] for action in outputs(judged, "enforcement.remove")] == ["0"]
    assert [notice["kind"] for notice in outputs(judged, "notices")] == ["action", "support"]


def test_help_is_not_offered_on_the_fast_models_word() -> None:
    judged = judge(pack_with_models(None), "harm99 sad", "goods99")
    assert outputs(judged, "notices") == []
    assert [item["reason"] for item in outputs(judged, "review.queue")] == ["uncertain", "uncertain"]


def test_a_fast_model_that_fails_on_a_text_fails_for_that_text_alone(second: Second) -> None:
    class Fragile(Fast):
        def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if any("shatter" in text for text in texts):
                raise RuntimeError("made to fail")
            return super().score(texts)

    judged = judge(pack_with_models(second, fast=Fragile()), "shatter", "goods20 readgoods95")
    assert {(item["post_id"], item["reason"]) for item in outputs(judged, "review.queue")} == {
        ("0", "rule_failed")
    }
    assert [action["post_id"] for action in outputs(judged, "enforcement.remove")] == ["1"]


def test_one_post_does_not_use_up_what_is_for_all(second: Second) -> None:
    pack = pack_with_models(second, share=0.0, burst=10)
    media = [{"media_id": f"m{n}", "kind": "image", "alt_text": f"goods20 number {n}"} for n in range(30)]
    media += [{"media_id": f"r{n}", "kind": "image", "alt_text": "goods20 number 1"} for n in range(30)]
    feed = Feed()
    judged = PartitionJudge(pack, 0).judge(
        feed.posts(post("", media=media), post("goods20 readgoods95", "2", "u2"))
    )
    assert len(second.read_texts) == 5
    assert [action["post_id"] for action in outputs(judged, "enforcement.remove")] == ["2"]
    assert [item["post_id"] for item in outputs(judged, "review.queue")] == ["1"]


def test_each_topic_has_a_share_of_its_own(second: Second) -> None:
    pack = pack_with_models(second, share=0.0, burst=1)
    judge, feed = PartitionJudge(pack, 0), Feed()
    judge.judge(feed.posts(post("goods20 readgoods95")))
    account = {
        "schema_version": 1,
        "account_id": "u2",
        "updated_at": "2026-11-22T09:30:00Z",
        "profile": {"handle": "a", "display_name": "b", "bio": "goods20 readgoods05"},
    }
    judged = judge.judge([feed.record("accounts", account)])
    assert outputs(judged, "review.queue") == []
    assert len(second.read_texts) == 2


def test_strikes_do_not_lead_where_a_models_word_may_not() -> None:
    pack = pack_with_models(Second())
    strict = replace(pack, policies=tuple(map(_with_strikes, pack.policies)))
    taught = PartitionJudge(strict, 0)
    judged = taught.judge(Feed().posts(*(post(f"goods20 readgoods95 {n}", str(n)) for n in range(4))))
    assert len(outputs(judged, "enforcement.remove")) == 4
    assert outputs(judged, "enforcement.suspend") == []
    judged = taught.judge(Feed().posts(post("zapfruit", "9")))
    assert [action["mode"] for action in outputs(judged, "enforcement.suspend")] == ["read_only"]


def _with_strikes(loaded: LoadedPolicy) -> LoadedPolicy:
    """The policy with a rung for accounts with three strikes: they pause."""
    ladder = loaded.policy.ladder
    pause = PolicyAction(kind="suspend", mode="read_only", duration_hours=12)
    rung = ladder[0].model_copy(update={"active_strikes": 3, "actions": (*ladder[0].actions, pause)})
    return replace(loaded, policy=loaded.policy.model_copy(update={"ladder": (*ladder, rung)}))
