"""The table of all metrics: name, type, help, labels and the closed set behind each label.

To add a metric, add a row, then run `python -m worker.metrics_table > docs/metrics.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from schemas.base import ActionKind, Operation, PolicyId
from schemas.dead_letters import DeadLetterReason
from schemas.decisions import DecisionOutcome, PolicyStatus, VerdictOutcome
from schemas.enforcement import Enforcement
from schemas.notices import NoticeKind
from schemas.posts import MediaKind
from schemas.queue import QueueReason
from schemas.reviews import ReviewOutcome
from worker.engine.breakers import WindowKind
from worker.media.item import Refusal
from worker.topics import JUDGED, TOPICS, Direction

RATIO_RECORDS = 10_000  # input records that moderator_dead_letter_ratio looks back over

MetricType = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The values that a label may take.

    `values` is empty when they are known only at run time; `source` says what bounds them then.
    """

    values: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric. `labels` are pairs of the label's name and its key in LABEL_SETS.

    `buckets` are upper bounds in the metric's unit. With `from_start` the series stand at 0 before anything
    happened, so that `rate` and `increase` see the first event; those of policies as soon as a pack is set.
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[tuple[str, str], ...] = ()
    buckets: tuple[float, ...] = ()
    from_start: bool = True


_POLICIES: tuple[str, ...] = get_args(PolicyId)

_TOPICS = tuple(topic.name for topic in TOPICS if topic.direction is Direction.INPUT or topic.name in JUDGED)

LABEL_SETS: dict[str, LabelSet] = {
    "policy": LabelSet(_POLICIES, "the policy ids of the contract"),
    "policy_or_none": LabelSet((*_POLICIES, "none"), "the policy ids of the contract, or `none`"),
    "topic": LabelSet(_TOPICS, "the topics that are read, without the prefix"),
    "outcome": LabelSet(get_args(DecisionOutcome), "the outcomes of a decision"),
    "verdict": LabelSet(get_args(VerdictOutcome), "the outcomes of a verdict"),
    "status": LabelSet(get_args(PolicyStatus), "the statuses of a policy"),
    "kind": LabelSet(get_args(ActionKind), "the kinds of action"),
    "window": LabelSet(get_args(WindowKind), "the windows of a breaker's caps"),
    "operation": LabelSet(get_args(Operation), "the operations of an action"),
    "source": LabelSet(get_args(Enforcement.model_fields["source"].annotation), "where an action comes from"),
    "review": LabelSet(get_args(QueueReason), "the reasons of a queue item"),
    "notice": LabelSet(get_args(NoticeKind), "the kinds of notice"),
    "dead_letter": LabelSet(get_args(DeadLetterReason), "the reasons of a dead letter"),
    "stage": LabelSet(("judge", "publish"), "the two halves of a batch"),
    "result": LabelSet(
        ("committed", "aborted", "fenced", "retried"), "how an attempt at a transaction ended"
    ),
    "error": LabelSet(("unknown_metric", "unknown_label", "bad_value"), "why a value was not counted"),
    "model": LabelSet(("fast", "second"), "the two models of a pack"),
    "score": LabelSet(
        tuple(f"{tenth / 10:.1f}" for tenth in range(10)), "the lower bound of a tenth of 0..1"
    ),
    "unsettled": LabelSet(("unread", "failed"), "why the second model said nothing of an uncertain text"),
    "waiting": LabelSet(("queue", "read"), "waiting for the second model's thread, and its work"),
    "answer": LabelSet(
        ("ok", "timeout", "error", "refused", "malformed"), "how a request to an operator's own model ended"
    ),
    "feature": LabelSet(
        ("text", "domain", "device", "network", "profile"), "what accounts share, as `observations` tell it"
    ),
    "appeal": LabelSet(("received", "refused", "upheld", "overturned"), "what became of an appeal"),
    "decided": LabelSet(get_args(ReviewOutcome), "the outcomes of a review"),
    "carried": LabelSet(
        (
            "done",
            "no_proposal",
            "in_force",
            "settled",
            "duplicate",
            "incomplete",
            "unknown_item",
            "wrong_account",
            "unfit",
            "first_decider",
            "unknown_policy",
            "nothing_to_reverse",
        ),
        "whether a review was carried out, or why there was nothing to do, or why it was refused",
    ),
    "reported": LabelSet(
        ("queued", "raised", "brigade", "duplicate", "self", "deleted", "removed", "decided"),
        "what became of a report",
    ),
    "media_kind": LabelSet((*get_args(MediaKind), "none"), "what a media item is; a document is `none`"),
    "media_record": LabelSet(
        ("media", "none", "deleted", "unreadable"),
        "what a record holds for the media worker; one that is unreadable the judging worker dead-letters",
    ),
    "media_outcome": LabelSet(
        ("examined", "cached", "hashes_only", "refused"),
        "whether a media item was decoded, known already, only looked up by the hashes that came with it, or refused",
    ),
    "refusal": LabelSet(tuple(Refusal), "why a media item was refused"),
    "opinion": LabelSet(("confirmed", "seed", "none"), "how sure a bank is of an entry"),
    "hash": LabelSet(("sha256", "md5", "pdq", "vpdq", "tlsh", "audio"), "the kinds of hash that banks hold"),
    "reload": LabelSet(("changed", "unchanged", "faulty"), "what looking at the banks' folder found"),
    "role": LabelSet(("base", "candidate"), "the pack in force, and the one that is tried beside it"),
    "change": LabelSet(
        ("appears", "vanishes"), "a violation that only the candidate finds, or only the pack in force"
    ),
    "pack_refusal": LabelSet(
        ("malformed", "incomplete", "stale", "faults", "cases", "failed"),
        "a pointer that cannot be read, files that are missing or not what it names, a pointer older than the one before "
        "it, a pack that cannot be loaded, cases that come out otherwise, a check that could not be held",
    ),
    "signal": LabelSet((), "the signals that the pack in force declares, or `other`"),
    "partition": LabelSet((), "partition numbers that the worker owns"),
}

_BATCH_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_END_TO_END_SECONDS = (
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
)  # fmt: skip
_REQUEST_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_EXAMINE_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_APPEAL_SECONDS = (
    3_600.0,
    14_400.0,
    43_200.0,
    86_400.0,
    172_800.0,
    259_200.0,
    432_000.0,
    604_800.0,
    1_209_600.0,
    2_592_000.0,
)
_RESTORE_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BATCH_RECORDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)

_POLICY = ("policy", "policy")
_KIND = ("kind", "kind")
_TOPIC = ("topic", "topic")

TABLE: tuple[Declared, ...] = (
    # What came in and what was decided.
    Declared("moderator_records_total", "counter", "Input records judged or dead-lettered.", (_TOPIC,)),
    Declared("moderator_decisions_total", "counter", "Decisions, published or only counted.", (_TOPIC, ("outcome", "outcome"))),
    Declared("moderator_verdicts_total", "counter", "What each policy said, by the policy's status.", (_POLICY, ("status", "status"), ("outcome", "verdict"))),
    Declared("moderator_actions_total", "counter", "Actions published.", (("policy", "policy_or_none"), _KIND, ("operation", "operation"), ("source", "source"))),
    Declared("moderator_shadow_actions_total", "counter", "Actions that a policy in shadow would have taken.", (_POLICY, _KIND)),
    Declared("moderator_review_items_total", "counter", "Items put on the review queue.", (("policy", "policy_or_none"), ("reason", "review"))),
    Declared("moderator_notices_total", "counter", "Notices to accounts.", (("kind", "notice"),)),
    # What people say.
    Declared("moderator_reports_total", "counter", "Reports, save those of rights-holders about a post, by what became of them.", (("outcome", "reported"),)),
    Declared("moderator_reviews_total", "counter", "Decisions of moderators, by what they decided and whether it was carried out.", (("outcome", "decided"), ("reason", "carried"))),
    Declared("moderator_appeals_total", "counter", "Appeals received, refused and decided, by the policy of the contested action.", (("policy", "policy_or_none"), ("outcome", "appeal"))),
    Declared("moderator_appeal_decision_seconds", "histogram", "Time from an appeal to its decision, by the records' own times.", (_POLICY,), _APPEAL_SECONDS),
    Declared("moderator_statements_total", "counter", "Statements of reasons published, where they are on.", (_POLICY,)),
    # What could not be judged.
    Declared("moderator_dead_letters_total", "counter", "Records that could not be judged, by input topic.", (_TOPIC, ("reason", "dead_letter"))),
    Declared("moderator_dead_letter_ratio", "gauge", f"Share of dead letters among this worker's last {RATIO_RECORDS:,} input records."),
    Declared("moderator_unknown_fields_total", "counter", "Fields in input records that the contract does not know; they are ignored.", (_TOPIC,)),
    Declared("moderator_uncovered_language_total", "counter", "Subjects on which a policy abstained because it does not cover their language.", (_POLICY,)),
    # Rules, signals and breakers.
    Declared("moderator_rule_failures_total", "counter", "Evaluations of a rule that failed; the subject went to review.", (_POLICY,)),
    Declared("moderator_rule_degraded", "gauge", "1 while a policy's rule keeps failing, else 0.", (_POLICY,)),
    Declared("moderator_signal_failures_total", "counter", "Measurements of a signal that failed.", (("signal", "signal"),)),
    Declared("moderator_breaker_open", "gauge", "1 while a policy's actions of a kind are held for review because too many came in a day or a minute, else 0.", (_POLICY, _KIND, ("window", "window"))),
    Declared("moderator_breaker_held_total", "counter", "Actions held for review by an open breaker.", (_POLICY, _KIND)),
    # The trained models.
    Declared("moderator_model_texts_total", "counter", "Texts that a model scored.", (("model", "model"),)),
    Declared("moderator_model_scores_total", "counter", "Probabilities that a model gave, by tenth; what drift shows in.", (("model", "model"), _POLICY, ("score", "score")), from_start=False),
    Declared("moderator_model_drift_ratio", "gauge", "Population stability index of a model's scores since the start against those of ordinary texts; above 0.25 they have moved.", (("model", "model"), _POLICY), from_start=False),
    Declared("moderator_model_unsettled_total", "counter", "Uncertain texts that went to review because the second model's share was used up, or because it failed.", (("reason", "unsettled"),)),
    Declared("moderator_model_seconds", "histogram", "Time that a slice of a batch waited for the second model, and that it took to read it.", (("stage", "waiting"),), _BATCH_SECONDS),
    Declared("moderator_model_degraded", "gauge", "1 while a model that the pack names is missing, else 0.", (("model", "model"),)),
    # What accounts share.
    Declared("moderator_observations_total", "counter", "Features of records told to the partitions that own them.", (("feature", "feature"),)),
    Declared("moderator_findings_total", "counter", "Accounts of whose owners the owner of a feature told what follows from it.", (("feature", "feature"),)),
    Declared("moderator_findings_capped_total", "counter", "Findings that did not follow because so many of one feature had followed within the window.", (("feature", "feature"),)),
    # An operator's own model.
    Declared("moderator_endpoint_requests_total", "counter", "Requests to an operator's own model.", (("result", "answer"),)),
    Declared("moderator_endpoint_seconds", "histogram", "Time that a request to an operator's own model took, however it ended.", (), _REQUEST_SECONDS),
    Declared("moderator_endpoint_dropped_total", "counter", "Uncertain texts of which an operator's own model gave no opinion: the queue was full, or requests failed."),
    Declared("moderator_endpoint_unknown_total", "counter", "Scores of an operator's own model for policies that have no learned scale in the pack; they are ignored."),
    Declared("moderator_endpoint_open", "gauge", "1 while an operator's own model is left alone because it kept failing, else 0."),
    # Batches, transactions, latency.
    Declared("moderator_batch_records", "histogram", "Records of a batch.", (), _BATCH_RECORDS),
    Declared("moderator_batch_seconds", "histogram", "Time to judge a batch, and to publish and commit it.", (("stage", "stage"),), _BATCH_SECONDS),
    Declared("moderator_end_to_end_seconds", "histogram", "Time from the broker's append of a record to the committed action that follows from it.", (), _END_TO_END_SECONDS),
    Declared("moderator_transactions_total", "counter", "Attempts to commit a batch.", (("result", "result"),)),
    Declared("moderator_last_commit_timestamp_seconds", "gauge", "When the last batch was committed, Unix time; 0 before the first."),
    # Partitions and state.
    Declared("moderator_consumer_lag_records", "gauge", "Records between the worker's position and the last stable offset.", (_TOPIC, ("partition", "partition"))),
    Declared("moderator_partitions_assigned", "gauge", "Partition numbers that this worker owns."),
    Declared("moderator_restore_seconds", "histogram", "Time to restore the state of one partition.", (), _RESTORE_SECONDS),
    Declared("moderator_restored_records_total", "counter", "State records read to restore partitions."),
    Declared("moderator_state_accounts", "gauge", "Accounts whose records this worker holds, in memory or on disk."),
    Declared("moderator_state_live_accounts", "gauge", "Accounts whose records are decoded in memory now."),
    Declared(
        "moderator_state_disk_bytes",
        "gauge",
        "Bytes that state takes in the state folder; 0 where all of it is in memory.",
    ),
    Declared("moderator_actions_in_force", "gauge", "Actions in force that have an end, whose timers this worker holds."),
    # The media worker.
    Declared("moderator_media_records_total", "counter", "Records that the media worker read, by whether they have media.", (_TOPIC, ("outcome", "media_record")), from_start=False),
    Declared("moderator_media_items_total", "counter", "Media items of posts and profiles, by what became of them.", (("kind", "media_kind"), ("outcome", "media_outcome"))),
    Declared("moderator_media_refused_total", "counter", "Media items that became dead letters, by the reason.", (("reason", "refusal"),)),
    Declared("moderator_media_examine_seconds", "histogram", "Time to examine one file, without loading it.", (("kind", "media_kind"),), _EXAMINE_SECONDS),
    Declared("moderator_media_load_bytes_total", "counter", "Bytes of media files that were loaded."),
    Declared("moderator_media_matches_total", "counter", "Media items that match a hash bank, by the entry's policy and opinion.", (("policy", "policy_or_none"), ("opinion", "opinion"))),
    Declared("moderator_media_bank_entries", "gauge", "Entries of the hash banks, by policy and kind of hash.", (("policy", "policy_or_none"), ("kind", "hash")), from_start=False),
    Declared("moderator_media_bank_reloads_total", "counter", "Looks at the folder of the hash banks, by what was found.", (("result", "reload"),)),
    Declared("moderator_media_bank_faulty", "gauge", "Files of the banks' folder that cannot be used now; what they held before is kept."),
    Declared("moderator_media_bank_checked_timestamp_seconds", "gauge", "When the banks' folder was last looked at, Unix time; 0 before the first time.", from_start=False),
    # The process.
    Declared("moderator_watchdog_seconds", "gauge", "Time since the event loop's last heartbeat, read at the scrape.", from_start=False),
    Declared("moderator_loop_lag_seconds", "gauge", "How late the event loop's last heartbeat ran."),
    Declared("moderator_pack_info", "info", "The policy pack in force: its id and SHA-256; the value is 1."),
    Declared("moderator_candidate_info", "info", "The policy pack that is tried beside the one in force, if there is one: its id, its SHA-256 and whether it is only asked; the value is 1."),
    Declared("moderator_rollout_share_ratio", "gauge", "Of all accounts, how many the candidate is tried on; 0 where there is none."),
    Declared("moderator_rollout_verdicts_total", "counter", "Verdicts while a pack is tried, by which pack gave them; of a shadow only those that say more than clear.", (("role", "role"), _POLICY, ("outcome", "verdict")), from_start=False),
    Declared("moderator_rollout_changes_total", "counter", "Subjects on which a pack that is only asked finds a violation where the pack in force finds none, or the other way round.", (_POLICY, ("change", "change")), from_start=False),
    Declared("moderator_pack_refusals_total", "counter", "Published packs that this worker refused, by the reason; it goes on with the one before.", (("reason", "pack_refusal"),)),
    Declared("moderator_pack_refused", "gauge", "1 while the pack that was published last is refused by this worker, else 0."),
    Declared("moderator_pack_published_timestamp_seconds", "gauge", "When the pack in force was published, Unix time; 0 for a pack that comes from a folder.", from_start=False),
    Declared("moderator_build_info", "info", "The worker's version; the value is 1."),
    Declared("moderator_metrics_errors_total", "counter", "Values that were not counted because metric or label was never declared.", (("reason", "error"),)),
)  # fmt: skip
METRICS: dict[str, Declared] = {metric.name: metric for metric in TABLE}

_INFO_LABELS = {
    "moderator_pack_info": ("pack", "sha256"),
    "moderator_candidate_info": ("pack", "sha256", "mode"),
    "moderator_build_info": ("version",),
}

# What else /metrics shows; queries may name these too.
PROCESS_METRICS = (
    "process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes",
    "process_start_time_seconds", "process_virtual_memory_bytes", "python_gc_collections_total",
    "python_gc_objects_collected_total", "python_gc_objects_uncollectable_total", "python_info",
)  # fmt: skip


def series_names(metric: Declared) -> tuple[str, ...]:
    """The names that queries use: a histogram is three, every other metric its own."""
    if metric.type == "histogram":
        return tuple(f"{metric.name}_{suffix}" for suffix in ("bucket", "count", "sum"))
    return (metric.name,)


def label_names(metric: Declared) -> tuple[str, ...]:
    """The names of a metric's labels, those of info metrics included; without a histogram's `le`."""
    return _INFO_LABELS.get(metric.name) or tuple(label for label, _ in metric.labels)


def markdown() -> str:
    """The page `docs/metrics.md`."""
    lines = [
        "# Metrics",
        "",
        "<!-- Written by `python -m worker.metrics_table`; a test compares. Edit worker/metrics_table.py instead. -->",
        "",
        "`/metrics` on the worker's HTTP port, in Prometheus text or OpenMetrics as the client asks for. These names, labels",
        "and units are part of the contract: a release only adds to them. Durations are in seconds; no label ever holds an id,",
        "a text or an address. One worker is one target; there are no `_created` series.",
        "",
        "| metric | type | labels | help |",
        "|---|---|---|---|",
    ]
    for metric in TABLE:
        labels = ", ".join(
            f"{label} ({label_set})" if label != label_set else label for label, label_set in metric.labels
        ) or ", ".join(_INFO_LABELS.get(metric.name, ()))
        lines.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |")
    lines += [
        "",
        "Beside them stand Prometheus' usual figures of a process: " + ", ".join(f"`{name}`" for name in PROCESS_METRICS) + ".",
        "",
        "## Values of the labels",
        "",
        "| label set | values | from |",
        "|---|---|---|",
    ]  # fmt: skip
    for name, label_set in LABEL_SETS.items():
        values = " ".join(f"`{value}`" for value in label_set.values) or "known when the worker runs"
        lines.append(f"| {name} | {values} | {label_set.source} |")
    lines += ["", "## Buckets", "", "| histogram | upper bounds |", "|---|---|"]
    for metric in TABLE:
        if metric.buckets:
            lines.append(f"| `{metric.name}` | {' '.join(f'{bound:g}' for bound in metric.buckets)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201  # a generator: its output is the page
