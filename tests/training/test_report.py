"""Model cards."""

from __future__ import annotations

from training import report


def test_what_stands_above_the_figures_is_kept() -> None:
    once = report.renewed("# Card\n\nWords.\n", "| a |\n")
    assert once.startswith("# Card\n\nWords.\n")
    assert once.endswith("| a |\n")
    again = report.renewed(once, "| b |\n")
    assert "| a |" not in again
    assert again.count(report.FIGURES) == 1
    assert report.renewed(again, "| b |\n") == again


def test_a_ratio_has_its_interval_and_its_cases() -> None:
    assert report.ratio((1, 2)) == "50 % (9–91; n = 2)"
    assert report.ratio((0, 0)) == "–"
