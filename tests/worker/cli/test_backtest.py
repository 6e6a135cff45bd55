from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker.cli.conftest import PACK, Moderator
from tests.worker.engine.helpers import at, post

NewPack = Callable[..., str]


@pytest.fixture
def changed(tmp_path: Path) -> NewPack:
    """Makes copies of the plain pack in which parts of the violence policy are replaced."""

    def make(name: str, *replacements: tuple[str, str]) -> str:
        folder = tmp_path / name
        shutil.copytree(PACK, folder)
        file = folder / "violence" / "policy.toml"
        text = file.read_text("utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text, "utf-8")
        return str(folder)

    return make


VERSION = ("version = 3", "version = 4")
NO_ZAP = ('terms = ["zap"', 'terms = ["zapzapzap"')


def _lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def _records(*values: dict[str, Any]) -> bytes:
    return _lines(*({"topic": "posts", "value": value} for value in values))


def test_equal_packs_change_nothing(moderator: Moderator, changed: NewPack) -> None:
    posts = [post(text, str(n), when=at(n)) for n, text in enumerate(("zap", "hello", "zonk", "blip"))]
    for data in (_lines(*posts), _records(*posts)):
        ran = moderator("backtest", "--against", changed(f"same-{len(data)}"), "-", "--json", stdin=data)
        assert ran.code == 0
        assert (ran.json["compared"], ran.json["changed"]) == (4, 0)
        assert ran.json["verdicts"] == ran.json["actions"] == ran.json["outcomes"] == []
        assert ran.json["standing"] == {"only_before": [], "only_after": []}


def test_posts_alone_are_compared_without_state(moderator: Moderator, changed: NewPack) -> None:
    against = changed("fewer", VERSION, NO_ZAP, ("[[ladder]]\nscore = 0.95", "[[ladder]]\nscore = 0.99"))
    posts = [post("zap", "1"), post("hello", "2"), post("zonk", "3"), post("zapzapzap", "4")]
    ran = moderator(
        "backtest", "--against", against, "-", "--json", stdin=_lines(*posts, {"id": 5, "text": "zap"})
    )
    assert ran.code == 0
    report = ran.json
    assert not report["stateful"]
    assert (report["compared"], report["changed"]) == (5, 4)
    verdicts = {(v["before"], v["after"]): v for v in report["verdicts"]}
    assert verdicts["violation", "clear"]["count"] == 2
    assert [e["name"] for e in verdicts["violation", "clear"]["examples"]] == ["1", "5"]
    assert verdicts["clear", "violation"]["count"] == 1
    example = verdicts["clear", "violation"]["examples"][0]
    assert example["name"] == "4"
    assert (example["score_before"], example["score_after"]) == (0.0, 0.85)
    assert any("in text" in item for item in example["evidence"])
    actions = {(a["kind"], a["how"]): a for a in report["actions"]}
    assert actions["suspend", "no more"]["examples"] == ["3"]
    assert actions["remove", "no more"]["count"] == 2
    assert actions["remove", "new"]["examples"] == ["4"]


def test_records_go_through_the_engine_with_its_state(moderator: Moderator, changed: NewPack) -> None:
    # Three strikes suspend for twelve hours; the other pack waits for six.
    against = changed("patient", VERSION, ("active_strikes = 3", "active_strikes = 6"))
    data = _records(*(post("zap", str(n), when=at(n)) for n in range(4)))
    ran = moderator("backtest", "--against", against, "-", "--json", "--examples", "1", stdin=data)
    report = ran.json
    assert report["stateful"]
    assert report["compared"] == 4
    assert report["verdicts"] == []
    suspended = [a for a in report["actions"] if a["kind"] == "suspend"]
    assert {a["how"] for a in suspended} == {"no more"}
    assert all(len(a["examples"]) == 1 for a in suspended)
    before = report["standing"]["only_before"]
    assert {(one["kind"], one["detail"]) for one in before} == {("suspend", "read_only")}
    assert report["standing"]["only_after"] == []


def test_the_actions_of_a_roll_back_are_those_that_the_worker_took(
    moderator: Moderator, changed: NewPack, tmp_path: Path
) -> None:
    newer = changed("newer", VERSION, ('terms = ["zap"', 'terms = ["hello", "zap"'))
    posts = [
        post("zap", "1", when=at(0)),
        post("hello there", "2", "u2", at(1)),
        post("bye", "3", when=at(2)),
    ]
    data = _records(*posts)
    ran = moderator("backtest", "--policies", newer, "--against", str(PACK), "-", "--json", stdin=data)
    surplus = ran.json["standing"]["only_before"]
    assert [(one["subject_id"], one["policy"], one["version"]) for one in surplus] == [("2", "violence", 4)]
    replayed = moderator("replay", "--policies", newer, "-", stdin=data).out.encode()
    ids = tmp_path / "ids"
    ids.write_text("".join(one["action_id"] + "\n" for one in surplus))
    listed = moderator(
        "reverse", "--policy", "violence", "--version", "4", "--only", str(ids), "--from", "-", "--json",
        stdin=replayed,
    )  # fmt: skip
    assert [one["subject"]["id"] for one in listed.json["actions"]] == ["2"]


def test_what_ended_before_the_last_record_does_not_stand(moderator: Moderator, changed: NewPack) -> None:
    against = changed("lenient", VERSION, ("active_strikes = 3", "active_strikes = 6"))
    data = _records(*(post("zap", str(n), when=at(n)) for n in range(4)), post("hello", "9", when=at(200)))
    report = moderator("backtest", "--against", against, "-", "--json", stdin=data).json
    assert [a["kind"] for a in report["actions"]] == ["suspend"] * len(report["actions"]) != []
    assert report["standing"]["only_before"] == []


def test_longer_and_other_actions_are_changes(moderator: Moderator, changed: NewPack) -> None:
    against = changed("longer", VERSION, ("duration_hours = 12", "duration_hours = 24"))
    data = _records(*(post("zap", str(n), when=at(n)) for n in range(3)))
    report = moderator("backtest", "--against", against, "-", "--json", stdin=data).json
    assert [a["kind"] for a in report["actions"]] == ["suspend"] * len(report["actions"]) != []
    assert all("instead of read_only until 2026-11-2" in a["how"] for a in report["actions"])


def test_tables_and_a_report_of_one_file(moderator: Moderator, changed: NewPack, tmp_path: Path) -> None:
    against = changed("fewer", VERSION, NO_ZAP)
    html = tmp_path / "report.html"
    hostile = "<script>1"
    ran = moderator(
        "backtest", "--against", against, "-", "--html", str(html), stdin=_lines(post("zap", hostile))
    )
    assert ran.code == 0
    assert "violation" in ran.out
    assert "1 records compared" in ran.err
    text = html.read_text("utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;1" in text
    assert "http" not in text.replace("http-equiv", "")


def test_bad_lines_are_named_with_their_numbers(moderator: Moderator, changed: NewPack) -> None:
    same = changed("same")
    data = b"\nnope\n" + _lines(post("zap", "1")) + b'{"id": 1}\n'
    ran = moderator("backtest", "--against", same, "-", "--json", stdin=data)
    assert ran.code == 0
    assert [bad["line"] for bad in ran.json["bad"]] == [2, 4]
    data = _records(post("zap", "1")) + b"nope\n" + _lines({"topic": "posts", "value": 7})
    ran = moderator("backtest", "--against", same, "-", "--json", stdin=data)
    assert [bad["line"] for bad in ran.json["bad"]] == [2]
    assert ran.json["dead_letters"] == 1
    assert ran.json["compared"] == 1
    assert moderator("backtest", "--against", str(PACK / "nowhere"), "-").code == 2
