from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.posts import Profile
from tests.worker.engine.helpers import START, Feed, at, outputs, post
from worker.engine.contract import Subject
from worker.engine.judge import PartitionJudge
from worker.engine.notices import shipped_texts
from worker.engine.registry import Pack
from worker.engine.state import Account
from worker.engine.traits import is_guarded, learn


def subject(lang: str | None = None, **author: Any) -> Subject:
    profile = Profile.model_validate(author) if author else None
    return Subject("post", "1", "u1", {"text": "x"}, lang, author=profile)


def learnt(*subjects: Subject) -> dict[str, Any]:
    account = Account()
    for one in subjects:
        learn(account, one, shipped_texts())
    return account.traits


def test_the_last_language_with_texts_is_remembered_and_english_costs_nothing() -> None:
    assert learnt(subject("fr"), subject(None), subject("ja")) == {"lang": "fr"}
    assert learnt(subject("fr"), subject("de")) == {"lang": "de"}
    assert learnt(subject("fr"), subject("en")) == {}
    assert learnt(subject("en"), subject("ja"), subject(None)) == {}


def test_what_a_snapshot_leaves_out_stays_as_it_was() -> None:
    known = subject(verified=True, public_interest=True)
    both = {"verified": True, "public_interest": True}
    assert learnt(known) == both
    assert learnt(known, subject(handle="ann"), subject()) == both
    assert learnt(known, subject(verified=False)) == {"public_interest": True}
    assert learnt(subject(verified=False, public_interest=False)) == {}


def test_only_who_is_verified_and_of_public_interest_or_protected_is_guarded() -> None:
    account = Account()
    assert not is_guarded(account, "u1", frozenset())
    assert is_guarded(account, "u1", frozenset({"u1"}))
    learn(account, subject(verified=True), shipped_texts())
    assert not is_guarded(account, "u1", frozenset({"u2"}))
    learn(account, subject(public_interest=True), shipped_texts())
    assert is_guarded(account, "u1", frozenset())


def test_the_notice_of_an_action_is_in_the_language_of_the_post_else_of_the_account(
    judge: PartitionJudge, feed: Feed
) -> None:
    def told(lang: str, number: int) -> str:
        judged = judge.judge(feed.posts(post("quux42", str(number), when=at(number), lang=lang)))
        (notice,) = [n for n in outputs(judged, "notices") if n["policy"] and n["subject"]["type"] == "post"]
        return str(notice["lang"])

    assert told("de-AT", 1) == "de"
    assert told("ja", 2) == "de"
    assert told("pt", 3) == "pt"
    # The third strike paused the account: that this has ended is told in the account's language.
    (reversal,) = outputs(judge.expire(START + timedelta(days=2)), "notices")
    assert (reversal["kind"], reversal["lang"]) == ("reversal", "pt")


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_traits_and_warnings_are_known_to_the_next_owner(pack: Pack, cut: int) -> None:
    known = {"verified": True, "public_interest": True}
    story = [
        post("hello", "1", lang="fr"),
        {**post("zip", "2", when=at(1)), "author": known},
        post("zonk", "3", when=at(2)),
        post("zap", "4", when=at(3)),
    ]
    feed = Feed()
    records = feed.posts(*story)
    whole = PartitionJudge(pack, 0)
    expected = [whole.judge([record]).outputs for record in records]
    first, state = PartitionJudge(pack, 0), dict[bytes, bytes | None]()
    for record in records[:cut]:
        state.update(first.judge([record]).state)
    second = PartitionJudge(pack, 0)
    for key, value in state.items():
        second.restore(key, value)
    assert [second.judge([record]).outputs for record in records[cut:]] == expected[cut:]
    suspended = [o for outs in expected for o in outs if o.topic == "enforcement.suspend"]
    assert suspended == []
