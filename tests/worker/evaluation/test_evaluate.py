"""An evaluation counts what its rows know, against figures made by hand."""

from __future__ import annotations

from tests.worker.evaluation.conftest import Evaluate, row
from worker.evaluation.evaluate import WORST, Mistake, worst_first
from worker.evaluation.figures import Ratio
from worker.evaluation.summary import as_json, tables


def test_precision_and_recall_by_hand(evaluated: Evaluate) -> None:
    evaluation = evaluated(
        row("you zap", "violence"),  # acted on, rightly
        row("they zonk", "violence"),  # acted on, rightly
        row("a blip", "violence"),  # reviewed
        row("nothing", "violence"),  # missed
        row("zap it"),  # a false alarm
        row("some blip"),  # reviewed in vain
        row("fine"),
    )
    figures = evaluation.policies["violence"]
    assert (figures.counts.positives, figures.counts.negatives) == (4, 3)
    assert figures.counts.precision == Ratio(2, 3)
    assert figures.counts.recall == Ratio(2, 4)
    assert figures.counts.flagged_precision == Ratio(3, 5)
    assert figures.counts.flagged_recall == Ratio(3, 4)
    # By score: zonk 1/1, the two zaps 2/3, the two blips 3/5, the rest 4/7; each brings a quarter of the positives.
    assert figures.area.value is not None
    assert abs(figures.area.value - (1 + 2 / 3 + 3 / 5 + 4 / 7) / 4) < 1e-9


def test_unknown_is_never_negative(evaluated: Evaluate) -> None:
    evaluation = evaluated(row("zap", covers=("hateful-conduct",)))
    counts = evaluation.policies["violence"].counts
    assert (counts.positives, counts.negatives, counts.precision) == (0, 0, Ratio(0, 0))


def test_weak_rows_never_enter_precision(evaluated: Evaluate) -> None:
    evaluation = evaluated(
        row("zap", "violence", weak=["violence"]),
        row("zip", weak=["violence"]),
        row("quiet", "violence", weak=["violence"]),
    )
    figures = evaluation.policies["violence"]
    assert figures.scored == []
    assert figures.counts.precision.total == 0
    assert figures.weak_positives.recall == Ratio(1, 2)
    titles = [table.title for table in tables(evaluation)]
    assert "Policies" not in titles
    assert "Noisy labels" in titles


def test_presumed_harmless_posts_are_counted_by_source(evaluated: Evaluate) -> None:
    evaluation = evaluated(
        *(row(text, weak=["violence"], source="tweets") for text in ("zap", "zip", "blip")),
        row("ok", weak=["violence"], source="chat"),
    )
    figures = evaluation.benign["tweets"]
    assert (figures.posts, figures.violations, figures.reviews, figures.automatic) == (3, 2, 1, 1)
    assert figures.by_policy == {"violence": 2}
    assert (evaluation.all_benign.posts, evaluation.all_benign.violations) == (4, 2)


def test_a_shadow_policy_does_not_count(evaluated: Evaluate) -> None:
    evaluation = evaluated(row("zork", "illegal-goods", covers=("illegal-goods",)))
    assert evaluation.running == ["violence"]
    assert evaluation.policies["illegal-goods"].counts.positives == 0


def test_confusion_tells_what_rows_were_flagged_for_instead(evaluated: Evaluate) -> None:
    evaluation = evaluated(
        row("zap", "hateful-conduct", covers=("hateful-conduct",)),
        row("hush", "hateful-conduct", covers=("hateful-conduct",)),
        row("zonk", "violence"),
    )
    assert evaluation.confusion == {
        ("hateful-conduct", "violence"): 1,
        ("hateful-conduct", "nothing"): 2,
        ("violence", "violence"): 1,
    }


def test_slices_hold_the_same_figures(evaluated: Evaluate) -> None:
    evaluation = evaluated(
        row("zap", "violence", source="one", lang="en"), row("zap that", source="two", functionality="quoted")
    )
    slices = evaluation.policies["violence"].slices
    assert slices["source", "one"].recall == Ratio(1, 1)
    assert slices["source", "two"].precision == Ratio(0, 1)
    assert slices["functionality", "quoted"].negatives == 1
    assert slices["language", "en"].positives == 1


def test_an_uncovered_language_is_counted_as_an_abstention(evaluated: Evaluate) -> None:
    evaluation = evaluated(row("zap", "violence", lang="it"))
    assert evaluation.policies["violence"].abstained == 1


def test_bad_lines_are_left_out_and_named(evaluated: Evaluate) -> None:
    evaluation = evaluated(row("zap", "violence"), b"nonsense", b"", row("fine"))
    assert evaluation.rows == 2
    assert [line for line, _ in evaluation.bad] == [2]


def test_the_worst_errors_come_first(evaluated: Evaluate) -> None:
    evaluation = evaluated(row("zip"), row("zonk"), row("blip", "violence"), row("calm", "violence"))
    figures = evaluation.policies["violence"]
    worst_first(figures.false_alarms, missed=False)
    worst_first(figures.misses, missed=True)
    assert [mistake.text for mistake in figures.false_alarms] == ["zonk", "zip"]
    assert [mistake.text for mistake in figures.misses] == ["calm", "blip"]


def test_of_many_errors_only_the_worst_are_kept(evaluated: Evaluate) -> None:
    evaluation = evaluated(*(row("zap", id=str(number)) for number in range(50 * WORST + 1)), row("zonk"))
    mistakes: list[Mistake] = evaluation.policies["violence"].false_alarms
    assert len(mistakes) == WORST + 1


def test_what_was_caught_is_judged_again_in_disguise(evaluated: Evaluate) -> None:
    evaluation = evaluated(row("they faze and zonk tomorrow", "violence"), row("fine words"), evasions=True)
    robustness = evaluation.robustness
    assert robustness is not None
    assert robustness.policies == ["violence"]
    assert robustness.kept("full-width") == Ratio(1, 1)
    assert robustness.kept("full-width", "violence") == Ratio(1, 1)
    assert "Evasive spellings" in [table.title for table in tables(evaluation)]
    assert as_json(evaluation)["evasions"]["full-width"]["all"]["value"] == 1.0


def test_the_json_holds_the_figures(evaluated: Evaluate) -> None:
    document = as_json(evaluated(row("zap", "violence"), row("zip")))
    assert document["rows"] == 2
    assert document["policies"]["violence"]["precision"]["value"] == 0.5
    assert document["policies"]["violence"]["precision"]["interval"] == list(Ratio(1, 2).interval or ())
    assert document["confusion"] == [{"labelled": "violence", "decided": "violence", "count": 1}]
