from __future__ import annotations

import io
from collections import Counter

from rich.console import Console

from worker.demo.tally import Shown, Tally
from worker.demo.view import Frame, LiveView, PlainView, picture
from worker.engine.policy import POLICY_IDS

SHOWN = Shown("remove", "", "u7", "violence", 0.93, "well, I zap you\nall", ((6, 11),))
FRAME = Frame(total=500, rate=123.0, seconds=4.0, metrics_url="http://127.0.0.1:8000/metrics")


def _console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, height=40)


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_lines_mark_the_evidence_with_brackets() -> None:
    console = _console(terminal=False)
    with PlainView(console) as view:
        view.step("Starting")
        view.update(Tally(), FRAME, [SHOWN])
    assert _written(console).startswith("Starting\nremove ")
    assert "well, [I zap] you all" in _written(console)


def test_plain_progress_comes_every_few_hundred_records() -> None:
    console = _console(terminal=False)
    view = PlainView(console)
    for answered in range(0, 501, 50):
        view.update(Tally(answered={("posts", 0, n) for n in range(answered)}), FRAME, [])
    assert [line.split(" records")[0] for line in _written(console).splitlines()] == [
        "250 of 500",
        "500 of 500",
    ]


def test_the_picture_shows_counts_actions_dead_letters_and_where_the_metrics_are() -> None:
    tally = Tally()
    tally.outcomes.update({"clear": 480, "violation": 12})
    tally.dead_letters.update({"bad_json": 2})
    tally.latest.append(SHOWN)
    console = _console(terminal=True)
    console.print(picture(tally, FRAME, 40))
    written = _written(console)
    for expected in ("123/s", "480", "bad_json", "u7", "http://127.0.0.1:8000/metrics"):
        assert expected in written


def test_nineteen_policies_fit_on_a_usual_screen_and_a_low_one_says_how_many_are_left_out() -> None:
    tally = Tally(followed={policy: Counter(remove=n, near=2) for n, policy in enumerate(POLICY_IDS, 1)})
    for height, left_out in ((40, 0), (24, 10)):
        console = _console(terminal=True)
        console.print(picture(tally, FRAME, height))
        lines = _written(console).splitlines()
        shown = [policy for policy in POLICY_IDS if any(policy in line for line in lines)]
        assert len(shown) == 19 - left_out
        assert (f"and {left_out} more" in _written(console)) == bool(left_out)
        assert "third-party-ads" in shown, "those of which most followed stay"


def test_help_is_shown_as_help_and_evidence_in_pictures_by_its_signal() -> None:
    helped = Shown("help", "offered, en", "u8", "suicide-self-harm", None, "so tired", ())
    pictured = Shown("remove", "", "u9", "sensitive-media", 0.9, "look", (), ("media.gore",))
    console = _console(terminal=False)
    PlainView(console).update(Tally(), FRAME, [helped, pictured])
    first, second = _written(console).splitlines()
    assert first.split() == ["help", "offered,", "en", "suicide-self-harm", "–", "u8", "so", "tired"]
    assert second.endswith("look  (media.gore)")
    tally = Tally(notices=Counter(support=3))
    tally.latest.append(helped)
    console = _console(terminal=True)
    console.print(picture(tally, FRAME, 40))
    assert "help offered" in _written(console)


def test_the_live_view_leaves_its_last_picture() -> None:
    console = _console(terminal=True)
    with LiveView(console) as view:
        view.step("Starting")
        view.update(Tally(), FRAME, [])
    assert "moderator demo" in _written(console)
