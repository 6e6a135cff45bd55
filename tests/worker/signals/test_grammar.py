"""The shared grammar is read whole, and a fault in it is told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.signals.bank import SignalBank
from worker.signals.grammar import GrammarFile, load_grammar
from worker.signals.sources import grammar_patterns
from worker.signals.terms import PatternError

GOOD = """\
family = "who"
summary = "Persons."

[[terms]]
name = "who.kin"
languages = ["en"]
terms = ["sister"]
source = "the test"
meaning = "A relative is spoken of."
precision = { right = 29, judged = 30, read = 2026-11-23 }

[[expressions]]
name = "who.kin"
languages = ["*"]
patterns = ['\\bmy sister\\b']
source = "the test"
"""


def read(folder: Path, text: str, name: str = "who.toml") -> tuple[GrammarFile, ...]:
    (folder / name).write_text(text, "utf-8")
    return load_grammar(folder)


def test_a_file_is_read_with_its_entries(tmp_path: Path) -> None:
    (file,) = read(tmp_path, GOOD)
    assert (file.family, file.path, file.names) == ("who", tmp_path / "who.toml", frozenset(("who.kin",)))
    assert [entry.languages for entry in file.entries] == [("en",), ("*",)]
    precision = file.terms[0].precision
    assert precision is not None
    assert (precision.right, precision.judged) == (29, 30)


@pytest.mark.parametrize(
    ("written", "instead", "line", "reason"),
    [
        ('languages = ["en"]\n', "", 4, "languages: Field required"),
        ('languages = ["*"]\n', "languages = []\n", 12, "at least 1 item"),
        ('meaning = "A relative is spoken of."\n', "", 1, "who.kin has no meaning"),
        ('name = "who.kin"\nlanguages = ["en"]', 'name = "mode.kin"\nlanguages = ["en"]', 1, "family who"),
        ("right = 29", "right = 31", 4, "more hits are right than were judged"),
        ('source = "the test"\nmeaning', 'sources = "the test"\nmeaning', 4, "Field required"),
        ("[[terms]]", "[[terms", 1, "cannot be read"),
    ],
)
def test_a_fault_is_told_with_its_place(
    tmp_path: Path, written: str, instead: str, line: int, reason: str
) -> None:
    with pytest.raises(PatternError, match=reason) as caught:
        read(tmp_path, GOOD.replace(written, instead, 1))
    assert (caught.value.path, caught.value.line) == (tmp_path / "who.toml", line)


def test_a_signal_stands_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text(GOOD, "utf-8")
    with pytest.raises(PatternError, match=r"who\.kin already stands in more\.toml"):
        read(tmp_path, GOOD)


def test_the_grammar_that_ships_can_be_loaded() -> None:
    bank = SignalBank([], detectors=[], observers=(), backend="re2")
    assert bank.names == frozenset().union(*(file.names for file in load_grammar()))


@pytest.mark.parametrize("file", load_grammar(), ids=lambda file: file.family)
def test_every_fragment_is_used(file: GrammarFile) -> None:
    written = [pattern for entry in file.expressions for pattern in entry.patterns]
    written += file.fragments.values()
    unused = {name for name in file.fragments if not any(f"{{{{{name}}}}}" in text for text in written)}
    assert unused == set()


@pytest.mark.parametrize("file", load_grammar(), ids=lambda file: file.family)
def test_every_pattern_is_of_moderate_size(file: GrammarFile) -> None:
    """All of them are compiled into one database at every start without a cache."""

    for expanded, written, _ in grammar_patterns(file, None).written():
        assert len(expanded) <= 2_000, written
