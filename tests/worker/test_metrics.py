"""worker.metrics: closed label sets, batch adds, exposition, and the page written from the table."""

from __future__ import annotations

import logging
import math
import threading
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from worker import __version__
from worker.engine.policy import POLICY_IDS, Status
from worker.engine.records import Judged
from worker.health import Health
from worker.metrics import Metrics, MetricsError, new_registry
from worker.metrics_table import LABEL_SETS, METRICS, RATIO_RECORDS, TABLE, label_names, markdown

ROOT = Path(__file__).resolve().parents[2]


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every series of a scrape, parsed back from the text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(strict=True)


def test_the_page_is_what_the_table_says() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == markdown(), "run: python -m worker.metrics_table > docs/metrics.md"


def test_names_have_the_prefix_and_the_suffix_of_their_unit() -> None:
    assert len(METRICS) == len(TABLE)
    for metric in TABLE:
        assert metric.name.startswith("moderator_")
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert metric.name.endswith("_info") == (metric.type == "info"), metric.name
        assert bool(metric.buckets) == (metric.type == "histogram"), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name
        assert metric.help.endswith("."), metric.name
        for label, label_set in metric.labels:
            assert label_set in LABEL_SETS
            assert label not in {"le", "job", "instance"}


def test_label_sets_follow_the_wire_models() -> None:
    assert LABEL_SETS["policy"].values == POLICY_IDS
    assert LABEL_SETS["status"].values == get_args(Status)
    assert LABEL_SETS["source"].values == ("automated", "human", "report")
    for label_set in LABEL_SETS.values():
        assert len(set(label_set.values)) == len(label_set.values)


def test_a_tally_of_a_batch_is_added(metrics: Metrics) -> None:
    judged = Judged()
    judged.count("moderator_records_total", "posts", by=500)
    judged.count("moderator_decisions_total", "posts", "violation", by=3)
    judged.count("moderator_actions_total", "violence", "remove", "apply", "automated", by=2)
    metrics.add(judged.tally)
    metrics.add(judged.tally)
    seen = samples(metrics)
    assert seen["moderator_records_total", (("topic", "posts"),)] == 1000
    assert seen["moderator_decisions_total", (("outcome", "violation"), ("topic", "posts"))] == 6
    action = (("kind", "remove"), ("operation", "apply"), ("policy", "violence"), ("source", "automated"))
    assert seen["moderator_actions_total", action] == 4
    assert metrics.value("moderator_records_total", "posts") == 1000


def test_series_stand_at_zero_before_anything_happened(metrics: Metrics) -> None:
    seen = samples(metrics)
    assert seen["moderator_dead_letters_total", (("reason", "bad_json"), ("topic", "posts"))] == 0
    assert seen["moderator_transactions_total", (("result", "fenced"),)] == 0
    assert not any(name == "moderator_consumer_lag_records" for name, _ in seen)
    assert not any(label == "policy" for _, labels in seen for label, _ in labels)


def test_series_of_the_packs_policies_stand_at_zero_from_then_on(metrics: Metrics) -> None:
    metrics.set_pack("p", "a" * 64, policies={"violence": "shadow", "trademark": "enforce"})
    metrics.add({("moderator_rule_failures_total", "violence"): 2})
    metrics.set_pack("p", "b" * 64, policies={"violence": "enforce"})
    seen = samples(metrics)
    assert {value for _, labels in seen for label, value in labels if label == "policy"} == {
        "violence",
        "trademark",
    }
    assert seen["moderator_rule_failures_total", (("policy", "violence"),)] == 2
    assert (
        seen["moderator_breaker_open", (("kind", "remove"), ("policy", "trademark"), ("window", "day"))] == 0
    )
    verdict = (("outcome", "violation"), ("policy", "violence"), ("status", "enforce"))
    assert seen["moderator_verdicts_total", verdict] == 0
    assert ("moderator_verdicts_total", (*verdict[:2], ("status", "retired"))) not in seen


def test_a_pack_with_a_policy_of_its_own_invention_is_an_error() -> None:
    with pytest.raises(MetricsError):
        Metrics(strict=True).set_pack("p", "a" * 64, policies={"my-policy": "enforce"})


def test_an_item_without_a_policy_is_counted_under_none(metrics: Metrics) -> None:
    metrics.add({("moderator_review_items_total", "", "report"): 2})
    assert metrics.value("moderator_review_items_total", "none", "report") == 2


@pytest.mark.parametrize(
    ("key", "count", "reason"),
    [
        (("moderator_nonsense_total",), 1, "unknown_metric"),
        ((), 1, "unknown_metric"),
        (("moderator_partitions_assigned",), 1, "unknown_metric"),
        (("moderator_records_total",), 1, "unknown_label"),
        (("moderator_records_total", "posts", "posts"), 1, "unknown_label"),
        (("moderator_records_total", "u42"), 1, "unknown_label"),
        (("moderator_records_total", "posts"), -1, "bad_value"),
    ],
)
def test_what_was_not_declared_is_counted_never_raised(
    key: tuple[str, ...], count: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.ERROR):
        metrics.add({key: count, ("moderator_records_total", "accounts"): 5})
        metrics.add({key: count})
    assert metrics.value("moderator_metrics_errors_total", reason) == 2
    assert metrics.value("moderator_records_total", "accounts") == 5
    assert len(caplog.records) == 1
    assert "u42" not in caplog.text
    with pytest.raises(MetricsError):
        Metrics(strict=True).add({key: count})


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_values_that_are_no_measurement_are_refused(value: float) -> None:
    metrics = Metrics()
    metrics.observe_batch("posts", 0, 10, value, 0.1)
    metrics.set_last_commit(value)
    assert metrics.value("moderator_metrics_errors_total", "bad_value") == 2
    assert samples(metrics)["moderator_batch_seconds_count", (("stage", "judge"),)] == 0
    assert metrics.value("moderator_last_commit_timestamp_seconds") == 0


@settings(deadline=None, max_examples=40)  # each example parses two scrapes
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(METRICS)), st.lists(st.text(max_size=12), max_size=4)), max_size=30
    )
)
def test_no_input_can_add_series(keys: list[tuple[str, list[str]]]) -> None:
    metrics = Metrics()
    before = set(samples(metrics))
    metrics.add({(name, *labels): 1 for name, labels in keys})
    extra = set(samples(metrics)) - before
    allowed = {label for label_set in LABEL_SETS.values() for label in label_set.values} | {"other", "none"}
    assert all(value in allowed for _, labels in extra for _, value in labels)


def test_all_series_together_have_a_bound() -> None:
    total = sum(
        math.prod(len(LABEL_SETS[label_set].values) or 1 for _, label_set in metric.labels)
        * (len(metric.buckets) + 3 if metric.buckets else 1)
        for metric in TABLE
    )
    assert total < 3000


def test_histograms_are_cumulative_and_in_seconds(metrics: Metrics) -> None:
    metrics.observe_end_to_end(0.02, 3)  # on a bound: belongs to it
    metrics.observe_end_to_end(0.021)
    metrics.observe_end_to_end(-5.0)  # a clock ahead of ours
    metrics.observe_end_to_end(10_000.0)
    seen = samples(metrics)
    name = "moderator_end_to_end_seconds"
    assert seen[f"{name}_bucket", (("le", "0.01"),)] == 1
    assert seen[f"{name}_bucket", (("le", "0.02"),)] == 4
    assert seen[f"{name}_bucket", (("le", "0.03"),)] == 5
    assert seen[f"{name}_bucket", (("le", "900.0"),)] == 5
    assert seen[f"{name}_bucket", (("le", "+Inf"),)] == 6
    assert seen[f"{name}_count", ()] == 6
    assert seen[f"{name}_sum", ()] == pytest.approx(10_000.081)


def test_a_batch_and_a_restore_are_observed(metrics: Metrics) -> None:
    metrics.observe_batch("posts", 3, 1200, 0.03, 0.011)
    metrics.observe_restore(0.06, 17_500)
    seen = samples(metrics)
    assert seen["moderator_batch_records_bucket", (("le", "1000.0"),)] == 0
    assert seen["moderator_batch_records_bucket", (("le", "2000.0"),)] == 1
    assert seen["moderator_batch_seconds_sum", (("stage", "publish"),)] == pytest.approx(0.011)
    assert seen["moderator_restore_seconds_count", ()] == 1
    assert seen["moderator_restored_records_total", ()] == 17_500


def test_lag_goes_with_its_partition(metrics: Metrics) -> None:
    for partition in (1, 11):
        for topic in ("posts", "accounts"):
            metrics.set_lag(topic, partition, 7)
    metrics.set_lag("posts", 1, -3)  # a position past the last stable offset is no lag
    metrics.drop_partition(11)
    seen = samples(metrics)
    lags = {
        labels: value for (name, labels), value in seen.items() if name == "moderator_consumer_lag_records"
    }
    assert lags == {
        (("partition", "1"), ("topic", "posts")): 0,
        (("partition", "1"), ("topic", "accounts")): 7,
    }


def test_gauges_show_what_was_set_last(metrics: Metrics) -> None:
    metrics.set_degraded("violence", True)
    metrics.set_breaker("violence", "suspend", "minute", True)
    metrics.set_breaker("violence", "suspend", "minute", False)
    metrics.set_state(1000, 20, 300, 4_000_000)
    metrics.set_partitions(4)
    metrics.set_loop_lag(0.25)
    metrics.set_last_commit(1_790_000_000.5)
    seen = samples(metrics)
    assert seen["moderator_rule_degraded", (("policy", "violence"),)] == 1
    assert (
        seen["moderator_breaker_open", (("kind", "suspend"), ("policy", "violence"), ("window", "minute"))]
        == 0
    )
    assert seen["moderator_state_accounts", ()] == 1000
    assert seen["moderator_state_live_accounts", ()] == 300
    assert seen["moderator_state_disk_bytes", ()] == 4_000_000
    assert seen["moderator_actions_in_force", ()] == 20
    assert seen["moderator_partitions_assigned", ()] == 4
    assert seen["moderator_loop_lag_seconds", ()] == 0.25
    assert seen["moderator_last_commit_timestamp_seconds", ()] == 1_790_000_000.5


def test_only_the_pack_in_force_has_a_series(metrics: Metrics) -> None:
    metrics.set_pack("2026-11-22.1", "a" * 64)
    metrics.set_pack("2026-11-23.1", "b" * 64, signals=["violence.threat"])
    packs = [dict(labels) for name, labels in samples(metrics) if name == "moderator_pack_info"]
    assert packs == [{"pack": "2026-11-23.1", "sha256": "b" * 64}]
    builds = [dict(labels) for name, labels in samples(metrics) if name == "moderator_build_info"]
    assert builds == [{"version": __version__}]


def test_signals_that_the_pack_does_not_declare_share_one_series(metrics: Metrics) -> None:
    metrics.set_pack("p", "a" * 64, signals=["violence.threat"])
    metrics.add({("moderator_signal_failures_total", name): 1 for name in ("violence.threat", "x.y", "x.z")})
    assert metrics.value("moderator_signal_failures_total", "violence.threat") == 1
    assert metrics.value("moderator_signal_failures_total", "other") == 2


def test_dead_letter_ratio_looks_back_over_the_last_records(metrics: Metrics) -> None:
    def batch(records: int, dead: int) -> float:
        metrics.add(
            {
                ("moderator_records_total", "posts"): records,
                ("moderator_dead_letters_total", "posts", "bad_json"): dead,
            }
        )
        return metrics.value("moderator_dead_letter_ratio")

    assert batch(1000, 1000) == 1.0
    assert batch(3000, 0) == pytest.approx(0.25)
    assert batch(RATIO_RECORDS, 0) == 0.0  # the bad batch has left the window
    assert batch(RATIO_RECORDS * 2, 2000) == pytest.approx(0.1)
    metrics.count("moderator_dead_letters_total", "posts", "crashed_worker")  # without its record
    assert 0.1 < metrics.value("moderator_dead_letter_ratio") < 0.101


def test_the_watchdog_reads_the_heartbeat_at_the_scrape(metrics: Metrics) -> None:
    now = [100.0]
    health = Health(clock=lambda: now[0])
    metrics.watch(health)
    now[0] = 107.5
    assert samples(metrics)["moderator_watchdog_seconds", ()] == 7.5


def test_both_formats_parse_and_have_no_created_series() -> None:
    registry = new_registry()
    metrics = Metrics(registry, strict=True)
    metrics.observe_end_to_end(0.1)
    metrics.set_pack("2026-11-22.1", "a" * 64)
    metrics.set_lag("media.signals", 0, 1)
    plain = generate_latest(registry).decode()
    modern = openmetrics.generate_latest(registry).decode()
    for text, parse in ((plain, parse_text), (modern, parse_openmetrics)):
        names = {sample.name for family in parse(text) for sample in family.samples}
        assert not [name for name in names if name.endswith("_created")]
        assert {"moderator_end_to_end_seconds_bucket", "moderator_pack_info"} <= names
        assert {"process_start_time_seconds", "python_gc_collections_total"} <= names
    assert modern.endswith("# EOF\n")


def test_every_scraped_series_has_the_labels_of_the_table(metrics: Metrics) -> None:
    metrics.set_pack("p", "a" * 64)
    metrics.set_lag("posts", 0, 1)
    metrics.observe_batch("posts", 0, 1, 0.1, 0.1)
    for name, labels in samples(metrics):
        base = METRICS.get(name) or METRICS[name.rsplit("_", 1)[0]]
        assert {label for label, _ in labels} - {"le"} == set(label_names(base)), name


def test_adds_from_several_threads_all_count(metrics: Metrics) -> None:
    def work() -> None:
        for _ in range(500):
            metrics.add(
                {
                    ("moderator_records_total", "posts"): 2,
                    ("moderator_dead_letters_total", "posts", "invalid"): 1,
                }
            )
            metrics.observe_end_to_end(0.01)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        samples(metrics)
    for thread in threads:
        thread.join()
    assert metrics.value("moderator_records_total", "posts") == 4000
    assert samples(metrics)["moderator_end_to_end_seconds_count", ()] == 2000
    assert metrics.value("moderator_dead_letter_ratio") == 0.5


def test_a_banks_entries_go_to_0_when_they_are_gone(metrics: Metrics) -> None:
    metrics.set_media_banks({("copyright", "pdq"): 3, ("trademark", "sha256"): 2}, faulty=0)
    metrics.set_media_banks({("trademark", "sha256"): 1}, faulty=1)
    assert metrics.value("moderator_media_bank_entries", "copyright", "pdq") == 0
    assert metrics.value("moderator_media_bank_entries", "trademark", "sha256") == 1
    assert metrics.value("moderator_media_bank_faulty") == 1


def test_refused_media_are_no_share_of_the_records(metrics: Metrics) -> None:
    metrics.add({("moderator_dead_letters_total", "posts", "media_refused"): 5})
    assert metrics.value("moderator_dead_letter_ratio") == 0
    assert metrics.value("moderator_dead_letters_total", "posts", "media_refused") == 5
