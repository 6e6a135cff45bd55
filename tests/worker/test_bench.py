from __future__ import annotations

from datetime import UTC, datetime

from schemas.decode import decode
from tests.worker.cli.conftest import PACK
from worker.bench import data
from worker.bench.children import percentiles
from worker.bench.core import measure
from worker.bench.runs import Row

START = datetime(2026, 11, 23, tzinfo=UTC)


def test_posts_are_valid_of_300_bytes_and_the_same_every_time() -> None:
    posts = list(data.posts(500, 100, START))
    assert posts == list(data.posts(500, 100, START))
    sizes = sorted(len(value) for _, value in posts)
    assert sizes[len(sizes) // 2] == 300
    assert sizes[0] == 300
    for key, value in posts:
        decoded = decode("posts", value)
        assert decoded.unknown_fields == 0
        assert decoded.model.author_id.encode() == key


def test_posts_have_ids_of_their_own_and_their_times_go_up() -> None:
    models = [decode("posts", value).model for _, value in data.posts(300, 10, START)]
    assert len({model.post_id for model in models}) == 300
    times = [model.created_at for model in models]
    assert times == sorted(times)


def test_percentiles() -> None:
    found = percentiles([float(n) for n in range(1, 101)])
    assert found == {"p50_ms": 51.0, "p95_ms": 96.0, "p99_ms": 100.0, "max_ms": 100.0}
    assert set(percentiles([]).values()) == {None}


def test_the_cores_stages_are_all_measured() -> None:
    result = measure(400, 50, 100, PACK, None)
    assert set(result["stages_us"]) == {
        "decode", "signals", "fast_model", "second_model", "rules", "encode", "decide_and_state",
    }  # fmt: skip
    assert result["posts"] == 400
    assert result["cpu_seconds"] > 0


def test_a_row_compares_itself_with_the_bare_loops() -> None:
    row = Row("full exactly-once", 1_000, 0.5, 50.0, None)
    assert row.rate == 2_000
    assert row.described({"bare aiokafka": 8_000})["ratio_to_bare"] == {"bare aiokafka": 0.25}
