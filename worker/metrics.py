"""Every metric of the worker, declared once, and the store behind them.

The table `METRICS` is the contract with dashboards and alerts; `docs/metrics.md` is written from it. Names
start with `moderator_`, durations are in seconds, and every label has a closed set of values, so the number
of series has a bound that no input can move. Nothing here ever holds an id, a text or an address of a person.

Values live in plain dicts behind one lock: the event loop adds a whole batch at a time, the HTTP thread
copies them for a scrape. There are no `_created` series, whatever `PROMETHEUS_DISABLE_CREATED_SERIES` says.
"""

from __future__ import annotations

import logging
import math
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, product
from typing import TYPE_CHECKING, Literal

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from worker import __version__
from worker.metrics_table import LABEL_SETS, METRICS, RATIO_RECORDS, TABLE, Declared

if TYPE_CHECKING:
    from worker.engine.rollout import Roll
    from worker.health import Health

__all__ = ["METRICS", "RATIO_RECORDS", "Metrics", "MetricsError", "new_registry"]

log = logging.getLogger(__name__)

Key = tuple[str, ...]

_OR_NONE = frozenset({"policy_or_none", "opinion"})
_BY_POLICY = frozenset({"policy", "policy_or_none"})  # label sets of which a pack uses only a part


class MetricsError(ValueError):
    """A metric or label value that was never declared; raised only by a strict `Metrics`, as tests make it."""


@dataclass(slots=True)
class _Histogram:
    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)  # by bucket, not cumulated; the last is above all bounds
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float, count: int) -> None:
        self.counts[bisect_left(self.bounds, value)] += count
        self.sum += value * count


class Metrics(Collector):
    """The values of all declared metrics, registered with `registry`.

    Writing never raises: what was not declared is counted in `moderator_metrics_errors_total` and logged
    once. With `strict`, as in tests, it raises MetricsError instead. All methods may be called from any
    thread; the cost is one lock and a few dict operations a call, so call them once a batch.
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, strict: bool = False) -> None:
        self._strict = strict
        self._lock = threading.Lock()
        self._values: dict[Key, float] = {}
        self._histograms: dict[Key, _Histogram] = {}
        self._infos: dict[str, dict[str, str]] = {}
        self._signals: frozenset[str] = frozenset()
        self._health: Health | None = None
        self._logged: set[str] = set()
        self._recent: deque[tuple[int, int]] = deque()  # (records, dead letters) of the last batches
        self._recent_records = 0
        self._recent_dead = 0
        for metric in TABLE:
            if not any(label_set in _BY_POLICY for _, label_set in metric.labels):
                self._start(metric, {})
        self._infos["moderator_build_info"] = {"version": __version__}
        if registry is not None:
            registry.register(self)

    def _start(self, metric: Declared, values: Mapping[str, tuple[str, ...]]) -> None:
        """Puts a metric's series at 0; `values` narrows label sets down."""
        if metric.type == "info" or not metric.from_start:
            return
        for labels in product(*(values.get(name, LABEL_SETS[name].values) for _, name in metric.labels)):
            key = (metric.name, *labels)
            if metric.type == "histogram":
                self._histograms.setdefault(key, _Histogram(metric.buckets))
            else:
                self._values.setdefault(key, 0.0)

    # --- counters -----------------------------------------------------------------------------------

    def add(self, tally: Mapping[Key, int]) -> None:
        """Adds the counts of one batch; keys are `(metric name, *label values)`, as `Judged.tally` has them."""
        records = dead = 0
        with self._lock:
            values = self._values
            for key, count in tally.items():
                name = key[0] if key else ""
                if key in values and METRICS[name].type == "counter" and count >= 0:
                    values[key] += count
                elif (checked := self._check(key, "counter", count)) is not None:
                    values[checked] = values.get(checked, 0.0) + count
                else:
                    continue
                if name == "moderator_records_total":
                    records += count
                elif name == "moderator_dead_letters_total" and key[-1] != "media_refused":
                    # Of a media item, not of a record: a figure of its own.
                    dead += count
            if records or dead:
                self._note_ratio(records, dead)

    def count(self, metric: str, *labels: str, by: int = 1) -> None:
        """Adds to one counter, for what happens outside of batches."""
        self.add({(metric, *labels): by})

    def _note_ratio(self, records: int, dead: int) -> None:
        """Keeps the batches that make up the last RATIO_RECORDS records, at least one."""
        records = max(records, dead)
        self._recent.append((records, dead))
        self._recent_records += records
        self._recent_dead += dead
        while len(self._recent) > 1 and self._recent_records - self._recent[0][0] >= RATIO_RECORDS:
            old_records, old_dead = self._recent.popleft()
            self._recent_records -= old_records
            self._recent_dead -= old_dead
        self._values["moderator_dead_letter_ratio",] = self._recent_dead / self._recent_records

    # --- what the shell observes ----------------------------------------------------------------------

    def observe(self, values: Iterable[tuple[Key, float]]) -> None:
        """Adds to histograms the values of one batch; keys are as in `add`."""
        with self._lock:
            for key, value in values:
                self._observe(key, value, 1)

    def observe_batch(
        self, topic: str, partition: int, records: int, judge_seconds: float, publish_seconds: float
    ) -> None:
        """One batch done: its size and how long judging and publishing (with the commit) took.

        `topic` and `partition` are for callers' symmetry with `set_lag`; histograms by partition would
        have no bound.
        """
        with self._lock:
            self._observe(("moderator_batch_records",), records, 1)
            self._observe(("moderator_batch_seconds", "judge"), judge_seconds, 1)
            self._observe(("moderator_batch_seconds", "publish"), publish_seconds, 1)

    def observe_model(self, queue_seconds: float, read_seconds: float) -> None:
        """The second model read what it was asked for in one slice of a batch, after waiting for its thread."""
        with self._lock:
            self._observe(("moderator_model_seconds", "queue"), queue_seconds, 1)
            self._observe(("moderator_model_seconds", "read"), read_seconds, 1)

    def observe_endpoint(self, result: str, seconds: float) -> None:
        """One request to an operator's model: how it ended and how long it took."""
        self.count("moderator_endpoint_requests_total", result)
        with self._lock:
            self._observe(("moderator_endpoint_seconds",), seconds, 1)

    def set_endpoint_open(self, is_open: bool) -> None:
        """Whether an operator's model is not asked because it failed too often."""
        self._set(("moderator_endpoint_open",), float(is_open))

    def set_media_banks(self, entries: Mapping[tuple[str, str], int], faulty: int) -> None:
        """The entries of the hash banks by policy and kind of hash, and how many files cannot be used."""
        with self._lock:
            for key in self._values:
                if key[0] == "moderator_media_bank_entries":
                    self._values[key] = 0.0  # what is gone from all banks stays at 0
        for (policy, kind), count in entries.items():
            self._set(("moderator_media_bank_entries", policy, kind), count)
        self._set(("moderator_media_bank_faulty",), faulty)

    def set_media_bank_check(self, timestamp: float) -> None:
        """When the banks' folder was last looked at, in seconds since the epoch."""
        self._set(("moderator_media_bank_checked_timestamp_seconds",), timestamp)

    def observe_end_to_end(self, seconds: float, count: int = 1) -> None:
        """`count` records with actions, each `seconds` from the broker's append to the committed action.

        Clocks differ between machines: what comes out negative counts as 0.
        """
        with self._lock:
            self._observe(("moderator_end_to_end_seconds",), max(0.0, seconds), count)

    def observe_restore(self, seconds: float, records: int) -> None:
        """One partition's state was restored from `records` records."""
        with self._lock:
            self._observe(("moderator_restore_seconds",), seconds, 1)
        self.count("moderator_restored_records_total", by=records)

    def set_lag(self, topic: str, partition: int, records: int) -> None:
        """Records between the position and the last stable offset."""
        self._set(("moderator_consumer_lag_records", topic, str(partition)), max(0, records))

    def drop_partition(self, partition: int) -> None:
        """Removes the lag of a partition that was given away, on every topic."""
        with self._lock:
            for key in [
                key
                for key in self._values
                if key[0] == "moderator_consumer_lag_records" and key[2] == str(partition)
            ]:
                del self._values[key]

    def set_last_commit(self, timestamp: float) -> None:
        """When the last commit succeeded, in seconds since the epoch."""
        self._set(("moderator_last_commit_timestamp_seconds",), timestamp)

    def set_partitions(self, count: int) -> None:
        """How many partition numbers this worker owns."""
        self._set(("moderator_partitions_assigned",), count)

    def set_loop_lag(self, seconds: float) -> None:
        """How late the event loop's last heartbeat ran."""
        self._set(("moderator_loop_lag_seconds",), max(0.0, seconds))

    def set_degraded(self, policy: str, degraded: bool) -> None:
        """Whether a rule keeps failing; its posts go to review."""
        self._set(("moderator_rule_degraded", policy), float(degraded))

    def set_models(self, degraded: Iterable[str]) -> None:
        """The models that are missing; what they would have said is not known."""
        missing = frozenset(degraded)
        for model in LABEL_SETS["model"].values:
            self._set(("moderator_model_degraded", model), float(model in missing))

    def set_drift(self, model: str, policy: str, index: float) -> None:
        """How far a model's scores for a policy have moved from those of ordinary texts."""
        self._set(("moderator_model_drift_ratio", model, policy), max(0.0, index))

    def set_breaker(self, policy: str, kind: str, window: str, is_open: bool) -> None:
        """Whether a policy's actions of a kind are held for review, by the cap of the day or of the minute."""
        self._set(("moderator_breaker_open", policy, kind, window), float(is_open))

    def set_state(self, accounts: int, actions: int, live_accounts: int = 0, disk_bytes: int = 0) -> None:
        """Accounts known, actions in force that have an end, accounts decoded in memory and bytes on disk.

        All of them over all partitions of this worker.
        """
        self._set(("moderator_state_accounts",), accounts)
        self._set(("moderator_actions_in_force",), actions)
        self._set(("moderator_state_live_accounts",), live_accounts)
        self._set(("moderator_state_disk_bytes",), disk_bytes)

    def set_pack(
        self, pack: str, sha256: str, signals: Iterable[str] = (), policies: Mapping[str, str] | None = None
    ) -> None:
        """The pack in force; saying the same again costs nothing.

        `signals` are the names it declares, which become values of the label `signal`. `policies` are the
        ids of its policies with their status: their series start at 0, so that `rate` and `increase` see
        the first event.
        """
        info = {"pack": pack, "sha256": sha256}
        with self._lock:
            if self._infos.get("moderator_pack_info") == info:
                return
            self._infos["moderator_pack_info"] = info
            self._signals = frozenset(signals)
            for policy, status in (policies or {}).items():
                if policy not in LABEL_SETS["policy"].values or status not in LABEL_SETS["status"].values:
                    self._refuse("unknown_label", "moderator_pack_info", "not a policy of the contract")
                    continue
                narrowed = {"status": (status,), **dict.fromkeys(_BY_POLICY, (policy,))}
                for metric in TABLE:
                    if any(label_set in _BY_POLICY for _, label_set in metric.labels):
                        self._start(metric, narrowed)

    def set_rollout(self, roll: Roll) -> None:
        """The pack that is tried beside the one in force, and since when that one is published."""
        self._set(("moderator_rollout_share_ratio",), roll.share)
        self._set(("moderator_pack_published_timestamp_seconds",), roll.version / 1000)
        with self._lock:
            self._infos.pop("moderator_candidate_info", None)
            if roll.candidate is not None:
                self._infos["moderator_candidate_info"] = {
                    "pack": roll.candidate.id,
                    "sha256": roll.candidate.sha256,
                    "mode": "shadow" if roll.shadow else "enforce",
                }

    def set_pack_refused(self, refused: bool) -> None:
        """Whether this worker refuses the pack that was published last."""
        self._set(("moderator_pack_refused",), float(refused))

    def watch(self, health: Health) -> None:
        """Has `moderator_watchdog_seconds` read at every scrape from the heartbeat's age."""
        self._health = health

    def value(self, metric: str, *labels: str) -> float:
        """The present value of a counter or gauge, 0 when it has no series yet; for the live view and tests."""
        with self._lock:
            return self._values.get((metric, *labels), 0.0)

    # --- inside ---------------------------------------------------------------------------------------

    def _set(self, key: Key, value: float) -> None:
        with self._lock:
            checked = self._check(key, "gauge", value)
            if checked is not None:
                self._values[checked] = float(value)

    def _observe(self, key: Key, value: float, count: int) -> None:
        checked = self._check(key, "histogram", value if count >= 0 else -1)
        if checked is None:
            return
        histogram = self._histograms.get(checked)
        if histogram is None:
            histogram = self._histograms[checked] = _Histogram(METRICS[checked[0]].buckets)
        histogram.observe(value, count)

    def _check(self, key: Key, type_: Literal["counter", "gauge", "histogram"], value: float) -> Key | None:
        """The key to write to, or None when it was refused. Called with the lock held."""
        metric = METRICS.get(key[0]) if key else None
        if metric is None or metric.type != type_:
            return self._refuse("unknown_metric", str(key[0]) if key else "", f"no {type_} of that name")
        if len(key) != len(metric.labels) + 1:
            return self._refuse("unknown_label", metric.name, f"takes {len(metric.labels)} labels")
        labels = list(key[1:])
        for index, (label, label_set) in enumerate(metric.labels):
            text = labels[index]
            if label_set == "signal":
                # Which signals there are is up to the pack; whatever it did not declare shares one series.
                labels[index] = text if text in self._signals else "other"
            elif label_set == "partition":
                if not (isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 7):
                    return self._refuse("unknown_label", metric.name, f"not a value of {label}")
            elif label_set in _OR_NONE and not text:
                labels[index] = "none"  # an empty label value would be no label at all
            elif text not in LABEL_SETS[label_set].values:
                return self._refuse("unknown_label", metric.name, f"not a value of {label}")
        if not (value >= 0 and math.isfinite(value)):
            return self._refuse("bad_value", metric.name, "negative or not finite")
        return (metric.name, *labels)

    def _refuse(self, reason: str, metric: str, why: str) -> Key | None:
        """Counts what is not written; always None, so that a check can end with it."""
        if self._strict:
            raise MetricsError(f"{metric!r}: {why} (worker/metrics_table.py declares all)")
        self._values["moderator_metrics_errors_total", reason] += 1
        if metric not in self._logged and len(self._logged) < 100:
            # The label's value stays out of the log: it is not what was declared, so it could be anything.
            self._logged.add(metric)
            log.error("metric not counted: %s", why, extra={"metric": metric})
        return None

    # --- scrape ---------------------------------------------------------------------------------------

    def describe(self) -> Iterable[Metric]:
        """Nothing: with it the registry would collect at registration, to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One family for each metric that has a series, in the order of the table."""
        with self._lock:
            values = dict(self._values)
            histograms = {key: (list(each.counts), each.sum) for key, each in self._histograms.items()}
            infos = {name: dict(labels) for name, labels in self._infos.items()}
        if self._health is not None:
            values["moderator_watchdog_seconds",] = self._health.beat_age()
        series: dict[str, list[Key]] = {}
        for key in (*values, *histograms):
            series.setdefault(key[0], []).append(key)
        for metric in TABLE:
            family = _family(metric)
            if isinstance(family, InfoMetricFamily):
                if metric.name in infos:
                    family.add_metric([], infos[metric.name])
            elif isinstance(family, HistogramMetricFamily):
                bounds = (*(_bound(bound) for bound in metric.buckets), "+Inf")
                for key in sorted(series.get(metric.name, ())):
                    counts, total = histograms[key]
                    family.add_metric(key[1:], list(zip(bounds, accumulate(counts), strict=True)), total)
            else:
                for key in sorted(series.get(metric.name, ())):
                    family.add_metric(key[1:], values[key])
            if family.samples:
                yield family


def _bound(bound: float) -> str:
    return repr(float(bound))


def _family(
    metric: Declared,
) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily:
    labels = [label for label, _ in metric.labels]
    if metric.type == "counter":
        return CounterMetricFamily(metric.name, metric.help, labels=labels)
    if metric.type == "gauge":
        return GaugeMetricFamily(metric.name, metric.help, labels=labels)
    if metric.type == "histogram":
        return HistogramMetricFamily(metric.name, metric.help, labels=labels)
    return InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures (`process_*`, `python_*`), for one `Metrics` to join."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
