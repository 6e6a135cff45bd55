"""Published packs as a worker reads them: checked, loaded, refused with a reason; every record is a counted decision."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.policies import CURRENT_KEY, PolicyCurrent, Rollout
from tests.worker.engine.helpers import CACHE
from tests.worker.engine.test_rollout import LIVE, edition
from worker.engine.records import Record
from worker.engine.registry import load_pack
from worker.engine.rollout import Roll
from worker.metrics import Metrics
from worker.pack_files import PackFilesError, files_of, pack_sha256
from worker.pack_trial import Fault, faults_of, hold, in_words
from worker.packs import PackBehindError, PackReader, Packs
from worker.publishing_packs import Bundle, Published, bundle, known_release, pointer, records, releases
from worker.settings import Settings

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class Stage:
    """A reader that is fed by hand, and the topic that it reads."""

    def __init__(self, folder: Path) -> None:
        self.metrics = Metrics(strict=True)
        self.packs = Packs(Roll(0, load_pack(LIVE, cache_dir=CACHE)))
        self.published = Published()
        self.checked: list[Path] = []
        self.faults: list[Fault] = []
        self._offset = 0
        pieces = folder / "pieces"
        pieces.mkdir()
        self.cache = folder / "cache"
        self.cache.mkdir()
        self.reader = PackReader(
            Settings(), self.metrics, self.packs, pieces=pieces, cache=self.cache, check=self._check
        )

    async def _check(self, folder: Path, cache: Path, seconds: float) -> Sequence[Fault]:
        self.checked.append(folder)
        return self.faults

    def feed(self, key: bytes, value: bytes | None) -> None:
        self._offset += 1
        self.published.take(key, value)
        self.metrics.add(self.reader.take(Record("policies", 0, self._offset, 0, key, value)).tally)

    def look(self) -> None:
        asyncio.run(self.reader._look())

    def publish(self, current: PolicyCurrent, new: Bundle | None = None) -> None:
        for sent in list(records(self.published, current, new)):
            self.feed(sent.key, sent.value)
        self.look()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    return Stage(tmp_path)


def travelling(folder: Path) -> Bundle:
    return bundle(load_pack(folder, cache_dir=CACHE), NOW, "operator:ann")


@pytest.fixture
def second(tmp_path: Path) -> Bundle:
    return travelling(edition(tmp_path / "second", 2, "blip"))


def first_pointer(new: Bundle) -> PolicyCurrent:
    return pointer(None, new.release, None, NOW, "operator:ann")


def test_a_published_pack_is_checked_and_becomes_the_latest(stage: Stage, second: Bundle) -> None:
    stage.publish(first_pointer(second), second)
    assert stage.packs.latest.pack.id == "live-2"
    assert stage.packs.latest.version == int(NOW.timestamp() * 1000)
    assert [folder.name for folder in stage.checked] == [second.release.sha256]
    assert stage.packs.find(second.release.sha256.upper()) is stage.packs.latest.pack
    wanted = stage.packs.wanted
    assert wanted is not None
    assert (wanted.pack, wanted.sha256, wanted.refused) == ("live-2", second.release.sha256, None)
    count = len(second.release.files) + 1
    assert stage.metrics.value("moderator_records_total", "policies") == count
    assert stage.metrics.value("moderator_decisions_total", "policies", "clear") == count


def test_what_was_checked_once_is_not_checked_again(stage: Stage, second: Bundle, tmp_path: Path) -> None:
    stage.publish(first_pointer(second), second)
    other = PackReader(
        Settings(),
        stage.metrics,
        packs := Packs(stage.packs.latest),
        pieces=tmp_path / "pieces",
        cache=stage.cache,
        check=stage._check,
    )
    packs._loaded.clear()
    asyncio.run(other._pack(second.release))
    assert len(stage.checked) == 1


def test_a_pack_that_fails_its_check_is_refused_with_file_line_and_reason(
    stage: Stage, second: Bundle
) -> None:
    before = stage.packs.latest
    stage.faults = [
        Fault("cases", "illegal_goods/cases.toml", 12, "a word that removes: expected violation, got clear")
    ]
    stage.publish(first_pointer(second), second)
    assert stage.packs.latest is before
    assert stage.packs.refusal is not None
    assert stage.packs.refusal.kind == "cases"
    assert "illegal_goods/cases.toml:12: a word that removes" in stage.packs.detail()
    assert stage.metrics.value("moderator_pack_refusals_total", "cases") == 1
    wanted = stage.packs.wanted
    assert wanted is not None
    assert wanted.refused is not None
    assert "cases.toml:12" in wanted.refused


def test_a_good_pack_after_a_bad_one_clears_the_refusal(stage: Stage, second: Bundle, tmp_path: Path) -> None:
    stage.faults = [Fault("faults", "pack.toml", 1, "no")]
    stage.publish(current := first_pointer(second), second)
    stage.faults = []
    third = travelling(edition(tmp_path / "third", 3))
    stage.publish(pointer(current, third.release, None, NOW, "operator:ann"), third)
    assert stage.packs.refusal is None
    assert stage.packs.latest.pack.id == "live-3"


def test_missing_and_changed_pieces_are_refused(stage: Stage, second: Bundle) -> None:
    current = first_pointer(second)
    sent = list(records(stage.published, current, second))
    for one in sent[1:]:
        stage.feed(one.key, one.value)
    stage.look()
    assert stage.packs.refusal is not None
    assert (stage.packs.refusal.kind, stage.checked) == ("incomplete", [])
    assert "is not on the topic" in stage.packs.refusal.reason


def test_a_pointer_whose_hash_is_not_that_of_its_files_is_refused(stage: Stage, second: Bundle) -> None:
    current = first_pointer(second).model_copy(update={"sha256": "0" * 64})
    stage.publish(current, second)
    assert stage.packs.refusal is not None
    assert stage.packs.refusal.kind == "malformed"


def test_a_pointer_that_cannot_be_read_is_counted_and_told(stage: Stage) -> None:
    stage.feed(CURRENT_KEY, b'{"pack": 7}')
    assert stage.metrics.value("moderator_decisions_total", "policies", "refused") == 1
    assert stage.metrics.value("moderator_pack_refusals_total", "malformed") == 1
    assert stage.packs.refusal is not None


def test_an_older_pointer_is_stale(stage: Stage, second: Bundle, tmp_path: Path) -> None:
    stage.publish(first_pointer(second), second)
    third = travelling(edition(tmp_path / "third", 3))
    old = pointer(None, third.release, None, NOW - timedelta(hours=1), "operator:ann")
    stage.publish(old, third)
    assert stage.packs.latest.pack.id == "live-2"
    assert stage.packs.refusal is not None
    assert stage.packs.refusal.kind == "stale"


def test_a_rollout_loads_both_packs(stage: Stage, second: Bundle, tmp_path: Path) -> None:
    current = first_pointer(second)
    stage.publish(current, second)
    third = travelling(edition(tmp_path / "third", 3))
    rollout = Rollout(**third.release.model_dump(), share=0.1, shadow=True)
    stage.publish(pointer(current, second.release, rollout, NOW, "operator:ann"), third)
    roll = stage.packs.latest
    assert roll.candidate is not None
    assert (roll.pack.id, roll.candidate.id, roll.share, roll.shadow) == ("live-2", "live-3", 0.1, True)
    assert stage.packs.detail() == "live-2; live-3 as a shadow on 10% of accounts"


def test_waiting_for_a_version_that_never_comes_ends_with_what_to_do(stage: Stage, second: Bundle) -> None:
    stage.publish(first_pointer(second), second)
    version = stage.packs.latest.version
    asyncio.run(stage.packs.reach(version, 0.1))
    with pytest.raises(PackBehindError, match=r"Publish a pack"):
        asyncio.run(stage.packs.reach(version + 1, 0.1))


# --- what is published


def test_pointers_are_later_each_time_and_remember_five_packs(tmp_path: Path) -> None:
    current: PolicyCurrent | None = None
    template = travelling(LIVE).release
    for number in range(9):
        release = template.model_copy(update={"pack": f"p{number}", "sha256": f"{number:064x}"})
        before, current = current, pointer(current, release, None, NOW, "operator:ann")
        assert before is None or current.published_at > before.published_at
    assert current is not None
    assert [each.pack for each in current.previous] == ["p7", "p6", "p5", "p4", "p3"]
    back = pointer(current, current.previous[2], None, NOW, "operator:ann")
    assert [back.pack, *(each.pack for each in back.previous)] == ["p5", "p8", "p7", "p6", "p4", "p3"]


def test_packs_that_nobody_names_any_more_are_taken_off_the_topic(
    stage: Stage, second: Bundle, tmp_path: Path
) -> None:
    current = first_pointer(second)
    stage.publish(current, second)
    third = travelling(edition(tmp_path / "third", 3))
    after = pointer(current, third.release, None, NOW, "operator:ann").model_copy(update={"previous": ()})
    sent = list(records(stage.published, after, third))
    assert [one.key for one in sent if one.value is None] == sorted(
        f"live-2/{file.path}/0".encode() for file in second.release.files
    )
    assert sent[len(third.release.files)].key == CURRENT_KEY
    assert [each.pack for each in releases(after)] == ["live-3"]


def test_the_same_id_with_other_content_is_refused(second: Bundle) -> None:
    current = first_pointer(second)
    assert known_release(current, second)
    other = Bundle(second.release.model_copy(update={"sha256": "0" * 64}), second.places)
    with pytest.raises(ValueError, match="an id of its own"):
        known_release(current, other)


def test_code_is_not_published_unless_the_workers_have_it(tmp_path: Path) -> None:
    folder = edition(tmp_path / "coded", 2)
    (folder / "illegal_goods" / "rule.py").write_text("class Rule: ...\n")
    with pytest.raises(PackFilesError, match=r"rule\.py: code is not published"):
        files_of(folder)


def test_the_bundled_pack_travels_as_data_and_stays_the_same_pack(tmp_path: Path) -> None:
    bundled = Path(__file__).resolve().parents[2] / "worker" / "policies"
    files = [file for file, _ in files_of(bundled)]
    assert not [file.path for file in files if file.path.endswith(".py")]
    assert {"pack.toml", "violence/policy.toml", "models/second.onnx"} <= {file.path for file in files}
    assert pack_sha256(files) == pack_sha256(list(reversed(files)))


@pytest.mark.parametrize(
    "path", ["../x.toml", "/etc/x.toml", "a/../x.toml", "a\\x.toml", ".git/x.toml", "rule.py", "a//x.toml"]
)
def test_paths_that_lead_elsewhere_are_refused(
    stage: Stage, second: Bundle, path: str, tmp_path: Path
) -> None:
    file = second.release.files[0].model_copy(update={"path": path})
    release = second.release.model_copy(update={"files": (file,), "sha256": pack_sha256([file])})
    stage.feed(CURRENT_KEY, records_of_pointer(release))
    stage.look()
    assert stage.packs.refusal is not None
    assert stage.packs.refusal.kind == "incomplete"
    assert not (tmp_path / "x.toml").exists()


def records_of_pointer(release: object) -> bytes:
    from schemas.base import encode

    return encode(pointer(None, release, None, NOW, "operator:ann"))  # type: ignore[arg-type]


# --- the check


def test_the_check_finds_nothing_in_a_good_pack_and_judges_its_cases() -> None:
    assert faults_of(LIVE, CACHE) == ([], 2)


def test_the_check_names_file_and_line_of_a_case_that_comes_out_otherwise(tmp_path: Path) -> None:
    folder = edition(tmp_path / "second", 2)
    cases = folder / "illegal_goods" / "cases.toml"
    cases.write_text(cases.read_text().replace("nothing here", "zap here"))
    faults = asyncio.run(hold(folder, CACHE, 120))
    assert [(fault.kind, fault.file) for fault in faults] == [("cases", "illegal_goods/cases.toml")]
    assert faults[0].line is not None
    assert "an innocent sentence" in in_words(faults)


def test_the_check_names_what_cannot_be_loaded(tmp_path: Path) -> None:
    folder = edition(tmp_path / "second", 2)
    policy = folder / "illegal_goods" / "policy.toml"
    policy.write_text(policy.read_text().replace("threshold = 0.8", "threshold = 8"))
    (fault, *_) = asyncio.run(hold(folder, CACHE, 120))
    assert (fault.kind, fault.file) == ("faults", "illegal_goods/policy.toml")
    assert fault.line is not None


def test_a_check_that_takes_too_long_is_a_refusal_of_its_own(tmp_path: Path) -> None:
    (fault,) = asyncio.run(hold(LIVE, CACHE, 0.01))
    assert fault.kind == "failed"
    assert "longer than" in str(fault)
