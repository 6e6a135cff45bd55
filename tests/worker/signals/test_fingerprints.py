"""A print recognises its text again: edited, cut, disguised; and no other."""

from __future__ import annotations

from typing import Any

import pytest

from worker.engine.facts import Print
from worker.signals.fingerprints import MIN_SHARED, PrintIndex, shingles, to_hex, words_of

# Written for this test: a pamphlet about nothing, as long-winded as such texts are.
LETTER = """
To whoever finds these pages after the last lamp on the harbour wall has gone out. I have counted the boats for eleven
winters and the number has never once agreed with the ledger that the harbour master keeps under his chair. They will
tell you that gulls cannot read, and that a tide table is only paper, but I have watched both of them change their minds
on the same morning. My neighbours laughed when I painted the doors green, and they laughed again when the paint would
not dry, yet not one of them came to ask why the salt had turned sweet in the cellar. So I wrote it down. I wrote down
the hour when the bell rang without a rope, the colour of the fog, and the names of the seven ferrymen who swore that
they had carried nobody across. Let the others keep their medals and their brass buttons. A town that forgets how to
mend its nets will one day eat its own sails, and will call the meal a feast. I ask for no monument. I ask only that
you keep the green doors, that you count the boats yourselves, and that you never trust a man who sells you weather.
When the lamp is lit again you will find me where the breakwater ends, with a pencil, a tin of biscuits, and the true
number in my pocket, and then we shall see whose sums were wrong for all those years.
"""
OTHER = """
Our allotment society meets on the first Saturday of each month behind the old cricket pavilion, and newcomers are
always welcome to bring seeds, questions or cake. Last autumn we planted forty metres of hedge along the railway, which
has already brought back the wrens, and this spring we mean to rebuild the compost bays before the rhubarb wakes up. If
you can lend a wheelbarrow, a strong back or a flask of tea, write your name on the list beside the notice board.
"""


def printed(text: str = LETTER, **more: Any) -> Print:
    values = {
        "name": "letter",
        "policy": "perpetrators-of-attacks",
        "source": "the test",
        "text": text,
        **more,
    }
    return Print.model_validate(values)


INDEX = PrintIndex([printed()])


def score(text: str) -> float:
    found = INDEX.find(text)
    return found[0].score if found else 0.0


def changed(text: str, every: int) -> str:
    """The text with one word in so many replaced."""
    return " ".join(
        "pumpernickel" if place % every == every // 2 else word for place, word in enumerate(text.split())
    )


def test_the_text_itself_is_found_whole() -> None:
    (match,) = INDEX.find(LETTER)
    assert (match.print, match.policy) == ("letter", "perpetrators-of-attacks")
    assert match.score > 0.98
    assert match.shared == len(shingles(LETTER))


def test_another_text_is_not_found() -> None:
    assert INDEX.find(OTHER) == []
    assert INDEX.find(f"{OTHER} I ask for no monument.") == []


def test_one_word_in_twelve_changed_survives() -> None:
    assert score(changed(LETTER, 12)) >= 0.65


def test_more_changes_lower_the_score() -> None:
    assert (
        score(LETTER)
        > score(changed(LETTER, 20))
        > score(changed(LETTER, 12))
        > score(changed(LETTER, 9))
        > 0.3
    )


def test_any_excerpt_of_sixty_words_survives() -> None:
    words = LETTER.split()
    lowest = min(score(" ".join(words[start : start + 60])) for start in range(0, len(words) - 60, 7))
    assert lowest >= 0.85


def test_an_excerpt_with_changed_words_survives() -> None:
    words = LETTER.split()
    lowest = min(
        score(changed(" ".join(words[start : start + 60]), 12)) for start in range(0, len(words) - 60, 7)
    )
    assert lowest >= 0.5


@pytest.mark.parametrize(
    "disguise",
    [
        str.upper,
        lambda text: text.replace(",", "").replace(".", " ...").replace("'", "\u2019"),
        lambda text: text.replace("\n", " \n\n "),
        lambda text: text.replace("a", "\u0430").replace("e", "\u0435").replace("o", "\u043e"),  # Cyrillic
        lambda text: "".join(f"{char}\u200b" if char in "aeiou" else char for char in text),  # zero width
        lambda text: "".join(chr(ord(c) + 0xFEE0) if "a" <= c <= "z" else c for c in text),  # full width
        lambda text: text.replace("e", "é").replace("a", "å"),
    ],
    ids=["case", "punctuation", "lines", "look-alikes", "zero-width", "full-width", "accents"],
)
def test_a_disguise_changes_nothing(disguise: Any) -> None:
    assert score(disguise(LETTER)) > 0.98


def test_a_comment_around_an_excerpt_lowers_the_score_to_the_share_that_was_taken() -> None:
    excerpt = " ".join(LETTER.split()[40:100])
    comment = " ".join(OTHER.split()[:60])
    assert 0.4 <= score(f"{comment} {excerpt}") <= 0.6


def test_a_short_print_is_found_in_a_long_text() -> None:
    short = PrintIndex([printed(" ".join(LETTER.split()[20:60]))])
    (match,) = short.find(f"{OTHER} {LETTER} {OTHER}")
    assert match.score > 0.9


def test_a_text_of_few_words_or_one_common_sentence_is_never_found() -> None:
    words = LETTER.split()
    assert INDEX.find(" ".join(words[:24])) == []
    assert INDEX.find(" ".join(words[:7]) + " " + OTHER) == []
    assert MIN_SHARED >= 3


def test_the_best_print_comes_first_and_each_policy_keeps_its_own() -> None:
    index = PrintIndex([printed(changed(LETTER, 12), name="edited"), printed(policy="copyright")])
    assert [(match.print, match.policy) for match in index.find(LETTER)] == [
        ("letter", "copyright"),
        ("edited", "perpetrators-of-attacks"),
    ]


def test_eight_shared_words_always_share_a_hash() -> None:
    words = LETTER.split()
    for start in range(0, len(words) - 8, 3):
        passage = " ".join(words[start : start + 8])
        assert shingles(f"zebra quilt onyx jumble {passage} vortex lemur pixel tundra") & shingles(LETTER)


def test_hashes_are_the_same_for_ever_and_about_two_for_five_words() -> None:
    values = to_hex(shingles("one two three four five six seven eight"))
    assert values == sorted(values)
    assert values == ["573222c9ff755c25"]
    assert 0.3 <= len(shingles(LETTER)) / len(words_of(LETTER)) <= 0.5


def test_words_are_canonical_in_any_script() -> None:
    assert words_of("Don't PANIC—it's  naïve!") == ["dont", "panic", "its", "naive"]
    assert words_of("مرحبا، يا صديقي") == ["مرحبا", "يا", "صديقي"]
    assert words_of("") == []


def test_an_index_without_prints_finds_nothing() -> None:
    assert not PrintIndex([])
    assert PrintIndex([]).find(LETTER) == []
