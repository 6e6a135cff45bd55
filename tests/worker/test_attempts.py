"""A record that kills the process is tried three times, and nothing else is ever given up."""

from __future__ import annotations

import pytest

from worker.attempts import Mark, Suspect, Treatment, first_to_judge, mark_at_start, treatment


def start(
    last: Mark,
    committed: dict[str, int] | None = None,
    ends: dict[str, int] | None = None,
    starts: dict[str, int] | None = None,
) -> Mark:
    return mark_at_start(last, committed or {}, ends or {}, starts or {}, batch=100)


def test_the_first_owner_judges_in_batches() -> None:
    assert start(Mark(), ends={"posts": 500}) == Mark(running=True)


def test_after_a_clean_release_batches_go_on() -> None:
    mark = start(Mark(running=False, offsets={"posts": 10}), {"posts": 10}, {"posts": 500})
    assert mark == Mark(running=True, offsets={"posts": 10})


def test_after_an_unclean_end_with_progress_batches_go_on() -> None:
    mark = start(Mark(running=True, offsets={"posts": 10}), {"posts": 400}, {"posts": 500})
    assert not mark.careful
    assert mark.offsets == {"posts": 400}


def test_after_an_unclean_end_without_progress_what_the_batch_may_have_held_is_judged_one_by_one() -> None:
    mark = start(Mark(running=True, offsets={"posts": 10}), {"posts": 10}, {"posts": 500})
    assert mark.careful == {"posts": 100}


def test_no_more_records_are_suspicious_than_are_there() -> None:
    mark = start(Mark(running=True, offsets={"posts": 10}), {"posts": 10}, {"posts": 17})
    assert mark.careful == {"posts": 7}


def test_a_topic_without_any_commit_counts_from_its_first_record() -> None:
    mark = start(Mark(running=True), {}, {"posts": 250}, {"posts": 200})
    assert mark.careful == {"posts": 50}


def test_a_topic_that_had_nothing_to_do_is_not_suspicious() -> None:
    last = Mark(running=True, offsets={"posts": 10, "reports": 5})
    mark = start(last, {"posts": 60, "reports": 5}, {"posts": 500, "reports": 5})
    assert not mark.careful


def test_progress_on_one_topic_does_not_excuse_another() -> None:
    last = Mark(running=True, offsets={"posts": 10, "reports": 5})
    mark = start(last, {"posts": 10, "reports": 90}, {"posts": 500, "reports": 200})
    assert mark.careful == {"posts": 100}


def test_a_stretch_that_was_interrupted_goes_on_where_it_was() -> None:
    last = Mark(
        running=True, offsets={"posts": 10}, careful={"posts": 60}, suspect=Suspect("posts", 50, attempts=2)
    )
    mark = start(last, {"posts": 50}, {"posts": 500})
    assert mark.careful == {"posts": 60}
    assert mark.suspect == Suspect("posts", 50, attempts=2)


def test_a_suspect_that_was_committed_after_all_is_forgotten() -> None:
    last = Mark(running=True, careful={"posts": 60}, suspect=Suspect("posts", 50))
    assert start(last, {"posts": 51}, {"posts": 500}).suspect is None


def test_a_suspect_that_retention_removed_is_forgotten() -> None:
    last = Mark(running=True, careful={"posts": 60}, suspect=Suspect("posts", 50))
    assert start(last, {"posts": 50}, {"posts": 50}).suspect is None


def test_a_clean_release_forgets_the_suspect() -> None:
    last = Mark(running=False, suspect=Suspect("posts", 50))
    assert start(last, {"posts": 50}, {"posts": 500}) == Mark(running=True, offsets={"posts": 50})


def test_only_the_named_record_is_tried_alone() -> None:
    mark = Mark(running=True, suspect=Suspect("posts", 50))
    assert treatment(mark, "posts", 50) is Treatment.TRIAL
    assert treatment(mark, "posts", 51) is Treatment.PLAIN
    assert treatment(mark, "reports", 50) is Treatment.PLAIN
    assert treatment(Mark(), "posts", 50) is Treatment.PLAIN


def test_a_record_that_survived_its_trial_and_still_killed_the_worker_is_given_up() -> None:
    mark = Mark(running=True, suspect=Suspect("posts", 50, attempts=3))
    assert treatment(mark, "posts", 50) is Treatment.GIVE_UP


def test_a_mark_survives_being_written_down() -> None:
    mark = Mark(True, {"posts": 3, "media.signals": 4}, {"posts": 5}, Suspect("posts", 9, 3))
    assert Mark.from_json(mark.to_json()) == mark
    assert Mark.from_json(Mark().to_json()) == Mark()


@pytest.mark.parametrize(
    "value",
    [None, {}, [], "running", {"suspect": {"topic": "posts"}}, {"offsets": [1]}, {"careful": {"posts": "x"}}],
)
def test_a_mark_that_cannot_be_read_counts_as_a_clean_release(value: object) -> None:
    assert Mark.from_json(value) == Mark()


def test_records_that_the_state_has_taken_in_are_not_judged_again_although_the_group_is_behind() -> None:
    last = Mark(running=True, done={"posts": 30, "reports": 4})
    committed = {"posts": 10, "reports": 9}
    assert first_to_judge(last, committed, {"posts": 50, "reports": 9}) == {"posts": 30, "reports": 9}
    assert first_to_judge(last, {}, {"posts": 30, "reports": 4}) == {"posts": 30, "reports": 4}


def test_a_mark_beyond_the_end_of_a_topic_that_was_made_again_counts_for_nothing() -> None:
    assert first_to_judge(Mark(done={"posts": 30}), {}, {"posts": 5}) == {}


def test_what_is_done_is_kept_in_the_state_only_where_there_is_something_to_keep() -> None:
    assert Mark.from_json(Mark(done={"posts": 3}).to_json()) == Mark(done={"posts": 3})
    assert "done" not in Mark(running=True).to_json()
