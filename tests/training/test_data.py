"""The rows that models learn from: masks, weights, the split."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from training import data
from training.data import HEADS, Example, matrices

CORPUS = sorted(path for path in data.CORPUS.glob("*.tsv") if path.stem in HEADS)


def _row(**changes: object) -> Mapping[str, object]:
    row: dict[str, object] = {
        "text": "hello",
        "source": "davidson",
        "split": "train",
        "labels": [],
        "covers": [],
    }
    return row | changes


def test_nothing_is_trained_for_child_sexual_exploitation() -> None:
    assert len(HEADS) == 18
    assert "child-sexual-exploitation" not in HEADS
    assert not (data.CORPUS / "child-sexual-exploitation.tsv").exists()


def test_a_policy_that_is_neither_covered_nor_labelled_is_unknown() -> None:
    example = data.public_example(_row(labels=["violence"], covers=["violence", "hateful-conduct"]))
    assert example is not None
    assert example.targets == {"violence": (1.0, 1.0), "hateful-conduct": (0.0, 1.0)}
    targets, weights = matrices([example])
    assert weights.sum() == 2.0
    assert targets.sum() == 1.0


def test_weak_and_off_genre_rows_count_less() -> None:
    weak = data.public_example(_row(source="edos", covers=["hateful-conduct"], weak=["hateful-conduct"]))
    prompt = data.public_example(
        _row(source="catqa", labels=["violence"], covers=["violence"], genre="assistant_prompt")
    )
    template = data.public_example(_row(source="presidio_synthetic_pii", covers=["private-information"]))
    assert weak is not None
    assert prompt is not None
    assert template is not None
    assert weak.targets["hateful-conduct"] == (0.0, 0.3)
    assert prompt.targets["violence"] == (1.0, 0.3)
    assert template.targets["private-information"] == (0.0, 0.2)


def test_ordinary_posts_are_light_negatives_for_every_policy() -> None:
    example = data.public_example(_row(source="tweeteval_irony", weak=["violence"]))
    assert example is not None
    assert set(example.targets) == set(HEADS)
    assert example.targets["violence"] == (0.0, 0.3)
    assert example.targets["trademark"] == (0.0, 0.1)


@pytest.mark.parametrize("source", sorted(data.MEASURED))
def test_sources_for_measuring_never_train(source: str) -> None:
    covers = ["abuse-harassment"]
    assert data.public_example(_row(source=source, covers=covers)) is None
    measured = data.public_example(_row(source=source, covers=covers, split="dev"))
    assert measured is not None
    assert measured.split == "measure"


def test_a_source_of_unknown_terms_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown source: somewhere"):
        data.public_example(_row(source="somewhere"))


def test_a_row_that_says_nothing_is_left_out() -> None:
    assert data.public_example(_row(source="catqa")) is None


def test_breaches_say_nothing_of_policies_near_to_them() -> None:
    targets = data.breaking_targets({"violence"})
    assert targets["violence"] == (1.0, 1.0)
    assert "hateful-conduct" not in targets
    assert targets["copyright"] == (0.0, 0.15)


def test_twins_are_read_with_their_prefixes(tmp_path: Path) -> None:
    path = tmp_path / "violence.tsv"
    path.write_text(
        "lang\tregister\ttrait\tbreaks\tfine\nen\tplain\tgame\t{also: hateful-conduct} bad\tgood\nbroken line\n"
    )
    breaks, fine = data.read_pairs(path)
    assert breaks.text == "bad"
    assert {head for head, (target, _) in breaks.targets.items() if target} == {"violence", "hateful-conduct"}
    assert fine.targets == data.fine_targets()
    assert breaks.pair == fine.pair
    assert breaks.split == fine.split


def test_people_at_risk_are_found_too(tmp_path: Path) -> None:
    path = tmp_path / "suicide-self-harm.tsv"
    path.write_text("lang\tregister\ttrait\tbreaks\tfine\nen\tplain\tself\t{at-risk} i cannot go on\tfine\n")
    breaks = next(data.read_pairs(path))
    assert breaks.text == "i cannot go on"
    assert breaks.targets["suicide-self-harm"] == (1.0, 1.0)


def test_templates_name_every_group_alike_in_both_twins(tmp_path: Path) -> None:
    (tmp_path / "hateful-conduct.slots.tsv").write_text("breaks\tfine\n{plural} are bad\t{plural} are kind\n")
    (tmp_path / "groups.tsv").write_text("group\tplural\nA\tAs\nB\tBs\n")
    rows = list(data.read_templates(tmp_path))
    assert {row.text for row in rows} == {"As are bad", "As are kind", "Bs are bad", "Bs are kind"}
    assert len({row.split for row in rows}) == 1
    assert rows == list(data.read_templates(tmp_path))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_pairs_of_the_corpus_are_well_formed_and_stay_on_one_side(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0] == "lang\tregister\ttrait\tbreaks\tfine"
    rows = list(data.read_pairs(path))
    assert len(rows) == 2 * sum(bool(line) for line in lines[1:])
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.pair, set()).add(row.split)
        assert row.slices["lang"] in {"en", "es", "pt", "fr", "de", "ar"}
        assert row.text
        assert row.text.strip() == row.text
    assert all(len(side) == 1 for side in sides.values())
    assert 0.06 < sum("dev" in side for side in sides.values()) / len(sides) < 0.2


def test_the_corpus_holds_enough_of_every_policy() -> None:
    assert {path.stem for path in CORPUS} == set(HEADS)
    for path in CORPUS:
        assert len(list(data.read_pairs(path))) >= 2 * 300, path.stem


def test_no_text_of_the_corpus_is_on_both_sides() -> None:
    sides: dict[str, set[str]] = {}
    for path in CORPUS:
        for row in data.read_pairs(path):
            sides.setdefault(row.text.casefold(), set()).add(row.split)
    assert [text for text, side in sides.items() if len(side) > 1] == []


def test_rows_survive_being_written(tmp_path: Path) -> None:
    rows = [Example("a", "corpus", "dev", {"violence": (1.0, 0.5)}, "violence:2", {"lang": "en"})]
    path = tmp_path / "rows.jsonl.gz"
    data.write(rows, path)
    before = path.read_bytes()
    assert data.read(path) == rows
    data.write(rows, path)
    assert path.read_bytes() == before


def test_samples_keep_to_their_caps_and_repeat() -> None:
    rows = [Example(str(number), source, "train", {}) for number in range(50) for source in ("a", "b")]
    once = data.sample(rows, {"a": 10}, random.Random(1))
    assert sum(row.source == "a" for row in once) == 10
    assert sum(row.source == "b" for row in once) == 50
    assert once == data.sample(rows, {"a": 10}, random.Random(1))


def test_texts_are_prepared_as_the_worker_reads_them() -> None:
    assert data.prepared("K1LL  @Foo at https://x.example/y 🐒") == "kill @user at link monkey"


def test_disturbed_texts_are_often_the_same_text() -> None:
    dice = random.Random(3)
    same = sum(data.disturbed("some words, #here", dice) == "some words, #here" for _ in range(400))
    assert 300 < same < 350


def test_matrices_have_a_column_a_head() -> None:
    targets, weights = matrices([Example("", "", "", data.fine_targets())] * 3)
    assert targets.shape == weights.shape == (3, 18)
    assert np.all(weights == 1.5)
