from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.posts import Post
from worker.engine.chain import Chain, Judgement
from worker.engine.registry import Pack, load_pack
from worker.engine.subjects import post_subject
from worker.engine.tomlfile import PackError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

HEAD = """\
id = "illegal-goods"
version = 1
status = "enforce"
title = "Made up"
clause = "You may not sell zapfruit here."
source = { url = "https://example.com/rules", read = 2026-11-23 }
summary = "Made-up goods."
languages = ["en"]
known_false_positives = ["none"]
dsa_category = "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS"
threshold = 0.8
review = { score = 0.4 }

[[ladder]]
score = 0.8
actions = [{ kind = "remove" }]

[[terms]]
name = "made.goods"
terms = ["zapfruit"]
source = "made up"

[[terms]]
name = "made.sale"
terms = ["selling"]
source = "made up"

[[terms]]
name = "made.price"
terms = ["ten crowns"]
source = "made up"

[[terms]]
name = "made.channel"
terms = ["write me"]
source = "made up"

[[terms]]
name = "made.recipe"
terms = ["recipe"]
source = "made up"

[[terms]]
name = "made.sorrow"
terms = ["grieving"]
source = "made up"
"""
OFFER = """
[[findings]]
name = "offer"
title = "offers goods that may not be sold"
anchor = ["made.goods"]
when = "made.sale"
score = 0.6
"""

Judge = Callable[..., Judgement]


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., Judgement]:
    """The judgement of a text by a policy made of this data."""

    def judge(data: str, text: str, **more: object) -> Judgement:
        pack = make(tmp_path, data)
        post = {
            "schema_version": 1,
            "post_id": "1",
            "author_id": "a",
            "created_at": NOW,
            "text": text,
            "lang": "en",
        }
        subject = post_subject(Post.model_validate({**post, **more}))
        signals = pack.signals.measure([subject])[0]
        return Chain(pack.policies, pack.facts).run(subject, signals, NOW)[0]

    return judge


def make(root: Path, data: str) -> Pack:
    folder = root / "illegal_goods"
    folder.mkdir(exist_ok=True)
    (root / "pack.toml").write_text('id = "made-1"\nrules_date = 2026-11-23\n', "utf-8")
    (folder / "policy.toml").write_text(HEAD + data, "utf-8")
    # A rule of its own, so that the one which ships for this policy is not taken.
    (folder / "rule.py").write_text(
        "from worker.engine.scored import ScoredRule as Rule\n__all__ = ['Rule']\n", "utf-8"
    )
    return load_pack(root, backend="re2")


def test_a_finding_needs_its_anchor_and_its_formula(judged: Judge) -> None:
    assert judged(OFFER, "Selling zapfruit today").score == 0.6
    assert judged(OFFER, "I like zapfruit").score == 0.0
    assert judged(OFFER, "Selling my bike").score == 0.0


def test_the_formula_is_asked_within_the_sentence(judged: Judge) -> None:
    apart = "I hate zapfruit, it makes me ill. Selling my bike, nearly new."
    assert judged(OFFER, apart).score == 0.0
    assert judged(OFFER + 'within = "field"\n', apart).score == 0.6


def test_a_scope_of_its_own_goes_before_that_of_the_finding(judged: Judge) -> None:
    data = OFFER.replace('when = "made.sale"', 'when = "made.sale@near & !made.recipe@subject"')
    assert judged(data, "zapfruit here. Selling.").score == 0.6
    assert judged(data, "zapfruit here. Selling. Recipe below.").score == 0.0


SUPPORT = """
[[support]]
signal = "made.price"
weight = 0.5
group = "trade"

[[support]]
signal = "made.channel"
weight = 0.5
group = "trade"

[[groups]]
name = "trade"
cap = 0.6
"""


def test_support_takes_away_doubt_up_to_the_cap_of_its_group(judged: Judge) -> None:
    data = OFFER + SUPPORT
    assert judged(data, "selling zapfruit, ten crowns").score == pytest.approx(0.8)
    both = judged(data, "selling zapfruit, ten crowns, write me")
    assert both.score == pytest.approx(1 - 0.4 * 0.4)
    assert both.outcome == "violation"


def test_an_excuse_multiplies_and_of_a_group_only_the_strongest_counts(judged: Judge) -> None:
    excuses = """
[[excuses]]
signal = "made.recipe"
factor = 0.5
group = "harmless"

[[excuses]]
signal = "is.question"
factor = 0.25
group = "harmless"
"""
    assert judged(OFFER + excuses, "selling zapfruit with recipe").score == pytest.approx(0.3)
    assert judged(OFFER + excuses, "selling zapfruit with recipe?").score == pytest.approx(0.15)
    waived = OFFER + 'waives = ["is.question"]\n' + excuses
    assert judged(waived, "selling zapfruit with recipe?").score == pytest.approx(0.3)
    assert judged(OFFER + "forced = true\n" + excuses, "selling zapfruit with recipe?").score == 0.6


def test_what_others_wrote_is_asked_with_thread(judged: Judge) -> None:
    data = OFFER.replace('when = "made.sale"', 'when = "made.sale@thread"')
    parent = {"post_id": "9", "author_id": "b", "text": "who is selling?"}
    assert judged(data, "zapfruit, me", in_reply_to=parent).score == 0.6
    assert judged(data, "selling zapfruit").score == 0.0


def test_a_person_at_risk_is_never_in_violation(judged: Judge) -> None:
    data = (
        OFFER
        + """
[[findings]]
name = "sorrow"
title = "somebody may be in danger"
anchor = ["made.sorrow"]
score = 0.9
at_risk = true
"""
    )
    judgement = judged(data, "grieving")
    assert (judgement.outcome, judgement.at_risk, judgement.doubtful) == ("clear", True, True)
    both = judged(data + SUPPORT, "grieving, selling zapfruit, ten crowns, write me")
    assert (both.outcome, both.at_risk) == ("clear", True)
    assert "illegal-goods.sorrow" in {item.signal for item in both.evidence}
    assert "illegal-goods.offer" not in {item.signal for item in both.evidence}


def test_evidence_names_the_finding_in_plain_words_and_what_made_it(judged: Judge) -> None:
    judgement = judged(OFFER + SUPPORT, "Now selling zapfruit, ten crowns")
    found = {item.signal: (item.start, item.end) for item in judgement.evidence}
    assert found == {
        "illegal-goods.offer": (12, 20),
        "made.goods": (12, 20),
        "made.sale": (4, 11),
        "made.price": (22, 32),
    }
    named = next(item for item in judgement.evidence if item.signal == "illegal-goods.offer")
    assert named.detail == "offers goods that may not be sold"


def test_a_disguised_word_is_compared_where_it_was_written(judged: Judge) -> None:
    judgement = judged(OFFER, "I am selling z.a.p.f.r.u.i.t today")
    assert judgement.score == 0.6


def test_many_repeats_stay_cheap_and_say_no_more_than_one(judged: Judge) -> None:
    judgement = judged(OFFER + SUPPORT, "selling zapfruit " * 1_000)
    assert judgement.score == 0.6
    assert len(judgement.evidence) <= 32


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", r"at least one \[\[findings\]\]"),
        (OFFER.replace("made.goods", "made.unknown"), 'needs the signal "made.unknown"'),
        (OFFER.replace('"made.sale"', '"made.sale &"'), "ends where a signal"),
        (OFFER + OFFER, "two findings are called offer"),
        (OFFER + "[[excuses]]\nfactor = 0.5\n", "either a signal or a formula"),
        (
            OFFER + '[[excuses]]\nsignal = "is.quoted"\nfactor = 0.5\nfindings = ["ofer"]\n',
            "no finding is called ofer",
        ),
        (OFFER + '[[groups]]\nname = "lonely"\ncap = 0.5\n', "no support belongs to lonely"),
    ],
)
def test_faulty_data_is_refused_with_its_reason(tmp_path: Path, data: str, says: str) -> None:
    with pytest.raises(PackError, match=says):
        make(tmp_path, data)


def test_what_was_not_looked_at_any_more_is_a_doubt(judged: Judge) -> None:
    excuse = '\n[[excuses]]\nsignal = "is.quoted"\nfactor = 0.1\n'
    hidden = 'she says "selling zapfruit" here. ' * 80 + "selling zapfruit."
    judgement = judged(OFFER + excuse, hidden)
    assert (judgement.outcome, judgement.doubtful) == ("clear", True)
