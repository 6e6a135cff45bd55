"""State on disk extends memory and is never the truth: wiped, lost or full, nothing wrong comes of it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.worker.engine.helpers import CACHE, PACK, Feed, at, post
from tests.worker.shell import Bench, CountingJudge
from worker import judges
from worker.adapters.spill import Spill, SpillStore
from worker.attempts import Mark
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import load_pack
from worker.engine.state import Accounts
from worker.engine.store import StoreError
from worker.partitions import Partition
from worker.settings import Settings, SettingsError


def test_a_store_is_wiped_when_it_is_opened(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from worker.adapters.spill import SpillStore\n"
    code += (
        "store = SpillStore(Path(sys.argv[1]))\nfor n in range(99_999): store.put(b'a:%d' % n, b'x' * 999)\n"
    )
    code += "os._exit(1)"  # nothing is closed
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "p")], check=False, timeout=60)
    assert list((tmp_path / "p").glob("*.sst"))
    (tmp_path / "p" / "other").write_text("left behind")
    store = SpillStore(tmp_path / "p")
    assert list(store.keys(b"")) == []
    assert not (tmp_path / "p" / "other").exists()
    store.close()


def test_a_closed_store_leaves_nothing_on_disk(tmp_path: Path) -> None:
    store = SpillStore(tmp_path / "p")
    store.put(b"a:1", b"x")
    store.close()
    assert not (tmp_path / "p").exists()
    with pytest.raises(StoreError):
        store.get(b"a:1")


def test_a_folder_that_is_deleted_while_it_is_in_use_is_noticed(tmp_path: Path) -> None:
    store = SpillStore(tmp_path / "p")
    accounts = Accounts(store)
    accounts.get("u1").seen("1", 0)
    accounts.touch("u1")
    accounts.flush()
    shutil.rmtree(tmp_path / "p")
    with pytest.raises(StoreError, match=r"state folder .* is gone"):
        accounts.flush()
    store.close()


def test_a_disk_that_takes_no_more_is_told_in_words(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import os, resource, sys
        from pathlib import Path
        from worker.adapters.spill import SpillStore
        from worker.engine.store import StoreError
        store = SpillStore(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            for number in range(200_000):
                store.put(b"a:%d" % number, os.urandom(800))
        except StoreError as error:
            print(error)
        store.close()
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "p")], capture_output=True, text=True, check=True
    )
    assert "the state folder" in done.stdout
    assert "failed: IO error" in done.stdout
    assert not (tmp_path / "p").exists()


def test_processes_share_a_folder_without_touching_each_others_part(tmp_path: Path) -> None:
    first = Spill(tmp_path)
    one = first.open(0)
    one.put(b"a:1", b"one")
    second = Spill(tmp_path)
    two = second.open(0)
    assert two.get(b"a:1") is None
    assert one.get(b"a:1") == b"one"
    one.check()
    for store, spill in ((one, first), (two, second)):
        store.close()
        spill.close()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["worker-0.lock", "worker-1.lock"]


def test_what_a_process_left_behind_is_wiped_by_the_next(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from worker.adapters.spill import Spill; import os\n"
    code += "store = Spill(Path(sys.argv[1])).open(3); store.put(b'a', b'b'); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (tmp_path / "worker-1.lock").touch()
    (tmp_path / "worker-1").mkdir()
    (tmp_path / "worker-1" / "old").touch()
    assert any((tmp_path / "worker-0").iterdir())
    spill = Spill(tmp_path)
    assert list((tmp_path / "worker-0").iterdir()) == []
    assert not (tmp_path / "worker-1").exists()
    spill.close()


def test_a_partition_can_be_opened_again_before_its_old_store_is_closed(tmp_path: Path) -> None:
    spill = Spill(tmp_path)
    old, new = spill.open(3), spill.open(3)
    old.put(b"a", b"old")
    assert new.get(b"a") is None
    old.close()
    new.put(b"a", b"new")
    new.check()
    assert new.get(b"a") == b"new"
    new.close()
    spill.close()


def test_a_folder_that_cannot_be_used_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="MODERATOR_STATE_DIR"):
        Settings.from_environment({"MODERATOR_STATE_DIR": str(tmp_path / "file")})
    settings = Settings(policies=PACK, cache_dir=CACHE, state_dir=tmp_path / "file" / "below")
    with pytest.raises(SettingsError, match="MODERATOR_STATE_DIR"):
        judges.engine(settings)


def test_the_engines_judges_keep_their_state_there(tmp_path: Path) -> None:
    settings = Settings(
        policies=PACK, cache_dir=CACHE, state_dir=tmp_path / "state", state_accounts_in_memory=100
    )
    judge = judges.engine(settings)(0, 1)
    assert isinstance(judge, PartitionJudge)
    feed = Feed()
    judge.judge([feed.record("posts", post("hello", str(n), author=f"u{n}"), b"u%d" % n) for n in range(150)])
    assert (len(judge.accounts), judge.accounts.live) == (150, 100)
    assert (judge.store.disk_bytes or 0) > 0
    assert len(list((tmp_path / "state" / "worker-0").iterdir())) == 1
    judge.close()
    assert list((tmp_path / "state" / "worker-0").iterdir()) == []


@pytest.mark.parametrize("live", [0, 1, 3])
def test_a_judge_with_a_spill_decides_and_writes_as_one_in_memory(tmp_path: Path, live: int) -> None:
    pack = load_pack(PACK, cache_dir=CACHE)
    store = SpillStore(tmp_path / "p")
    plain, spilled = (
        PartitionJudge(pack, 0),
        PartitionJudge(pack, 0, store=store, live_accounts=live),
    )
    words = ("zap", "hello", "a blip", "zip", "zap zap")
    feed = Feed()
    for step in range(30):
        batch = feed.posts(
            *(
                post(words[(step + n) % 5], f"{step % 20}-{n}", author=f"u{(step * n) % 7}", when=at(step))
                for n in range(6)
            )
        )
        assert plain.judge(batch) == spilled.judge(batch)
    gone = [
        feed.record(
            "accounts", {"schema_version": 1, "account_id": "u1", "updated_at": at(40), "deleted": True}
        )
    ]
    assert plain.judge(gone) == spilled.judge(gone)
    assert len(plain.accounts) == len(spilled.accounts)
    assert plain.ledger.next_due == spilled.ledger.next_due
    for number in range(7):
        name = f"u{number}"
        assert plain.accounts.get(name).to_bytes() == spilled.accounts.get(name).to_bytes()
    store.close()


def test_an_evicted_account_comes_back_equal(tmp_path: Path) -> None:
    store = SpillStore(tmp_path / "p")
    accounts = Accounts(store, live=1)
    expected: dict[str, bytes] = {}
    for number in range(50):
        account = accounts.get(f"u{number}")
        account.seen(str(number), number)
        account.human["post:1"] = ["dismiss", "r", number]
        accounts.touch(f"u{number}")
        expected[f"u{number}"] = account.to_bytes()
        accounts.flush()
    assert accounts.live == 1
    for name, value in expected.items():
        assert accounts.get(name).to_bytes() == value
    store.close()


class Breaking(CountingJudge):
    """A judge whose store breaks in the middle of a batch."""

    def judge(self, batch: Sequence[Record]) -> Judged:
        self.partition_record["engine"] = "half done"
        raise StoreError("the state folder /s is gone")


def test_a_broken_store_ends_the_worker_in_good_order_and_blames_no_record() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.partition.take_over(Mark(running=True, careful={"posts": 4}), {})
        bench.epoch += 1
        bench.put(0, 3)
        for _ in range(200):
            await asyncio.sleep(0)
        bench.put(4, 5, follows=3)  # what still comes is let go of, to be read again
        await bench.partition.release()

    bench = Bench()
    bench.judge = Breaking()
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    asyncio.run(scenario(bench))
    assert [str(error) for error in bench.failures] == ["the state folder /s is gone"]
    assert bench.released == 2
    assert bench.publisher.offsets == {}
    record = json.loads(bench.publisher.state[b"p:0"] or b"")
    assert (record["shell"]["running"], record["shell"]["suspect"]) == (False, None)
    assert "engine" not in record
