"""Published packs are read by every worker; each record is a counted decision."""

from __future__ import annotations

from worker.engine.records import Record
from worker.metrics import Metrics
from worker.packs import PackReader
from worker.settings import Settings


def test_the_last_current_record_is_kept_and_everything_is_counted() -> None:
    reader = PackReader(Settings(), metrics := Metrics(strict=True))
    for offset, (key, value) in enumerate(
        [(b"2026-11-22.1/pack.toml/0", b"{}"), (b"current", b'{"pack":"a"}'), (b"current", b'{"pack":"b"}')]
    ):
        metrics.add(reader.take(Record("policies", 0, offset, 0, key, value)).tally)
    assert reader.current == b'{"pack":"b"}'
    assert metrics.value("moderator_records_total", "policies") == 3
    assert metrics.value("moderator_decisions_total", "policies", "clear") == 3
