"""The judge of a worker is named by a setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.shell import records
from worker import judges
from worker.settings import Settings, SettingsError


def test_the_forwarding_judge_forwards_one_record_in_ten() -> None:
    judge = judges.load(Settings(judge="worker.judges:forwarding"))(0, 4)
    judged = judge.judge(records(0, 99))
    assert len(judged.outputs) == 10
    assert judged.tally == {("moderator_records_total", "posts"): 100}


def test_the_forwarding_judge_keeps_the_shells_part_of_its_record() -> None:
    judge = judges.load(Settings(judge="worker.judges:forwarding"))(3, 4)
    judge.restore(b"p:3", b'{"shell":{"running":true}}')
    judge.restore(b"a:u1", b"{}")
    assert judge.partition_record == {"shell": {"running": True}}


@pytest.mark.parametrize("name", ["worker.judges:nobody", "no.such.module:judge"])
def test_a_judge_that_does_not_exist_is_a_mistake_in_the_settings(name: str) -> None:
    with pytest.raises(SettingsError, match="MODERATOR_JUDGE"):
        judges.load(Settings(judge=name))


def test_a_pack_that_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(judges.JudgeError, match=r"pack\.toml|policy"):
        judges.load(Settings(policies=tmp_path))
