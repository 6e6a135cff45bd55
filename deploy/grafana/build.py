"""Writes the Grafana dashboard from the list of panels below.

    python deploy/grafana/build.py          # writes deploy/grafana/dashboards/moderator.json
    python deploy/grafana/build.py --check  # exit code 1 when that file is not what would be written

Panels are laid out from left to right, row by row, so they cannot overlap. Queries name only metrics of
`worker/metrics_table.py`; a test reads them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent / "dashboards" / "moderator.json"
COLUMNS = 24
# What every query filters by; both are variables of the dashboard.
BY = 'job="$job", instance=~"$instance"'
RATE = "[$__rate_interval]"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `queries` are (expression, legend) pairs; `width` is in the grid's 24 columns."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    width: int = 8
    height: int = 8
    type: str = "timeseries"
    stack: bool = False
    decimals: int | None = None
    red_above: float | None = None


def _rate(metric: str, *labels: str, where: str = "") -> str:
    selector = f"{metric}{{{BY}{', ' + where if where else ''}}}"
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"sum{by} (rate({selector}{RATE}))"


def _seen(metric: str, *labels: str, where: str = "") -> str:
    """Only the series in which something happened: of a hundred that stand at 0 nobody can read the legend."""
    return f"{_rate(metric, *labels, where=where)} > 0"


def _quantile(quantile: str, metric: str, *labels: str) -> str:
    return f"histogram_quantile({quantile}, {_rate(f'{metric}_bucket', 'le', *labels)})"


def _overturned() -> str:
    """Of each policy with an appeal decided within a day."""

    def decided(where: str) -> str:
        return f"sum by (policy) (increase(moderator_appeals_total{{{BY}, {where}}}[1d]))"

    overturned, all_decided = decided('outcome="overturned"'), decided('outcome=~"upheld|overturned"')
    return f"{overturned} / ({all_decided} > 0)"


def _gauge(aggregate: str, metric: str, *labels: str) -> str:
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"{aggregate}{by} ({metric}{{{BY}}})"


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Now",
        (
            Panel("Workers", "Workers that answer the scrape.", "none", ((f"sum(up{{{BY}}})", "workers"),), 4, 4, "stat"),
            Panel("Records", "Input records judged or set aside, a second, all topics.", "ops",
                  ((_rate("moderator_records_total"), "records"),), 4, 4, "stat"),
            Panel("Records waiting", "Records between the workers' positions and the last stable offsets.", "short",
                  ((_gauge("sum", "moderator_consumer_lag_records"), "waiting"),), 4, 4, "stat", red_above=5000),
            Panel("Since the last commit", "Longest time since a worker's last commit. It grows while nothing comes in; with records "
                  "waiting it should not.", "s",
                  ((f"max(time() - (moderator_last_commit_timestamp_seconds{{{BY}}} > 0))", "seconds"),), 4, 4, "stat"),
            Panel("Dead letters", "Largest share of dead letters among a worker's last 10,000 records.", "percentunit",
                  ((_gauge("max", "moderator_dead_letter_ratio"), "share"),), 4, 4, "stat", decimals=2, red_above=0.01),
            Panel("Held or degraded", "Rules that keep failing and breakers that are open. Anything above 0 needs a person.", "none",
                  ((f"{_gauge('sum', 'moderator_rule_degraded')} or vector(0)", "degraded rules"),
                   (f"{_gauge('sum', 'moderator_breaker_open')} or vector(0)", "open breakers")), 4, 4, "stat", red_above=1),
        ),
    ),
    (
        "Stream",
        (
            Panel("Records by topic", "Input records judged or set aside, a second.", "ops",
                  ((_rate("moderator_records_total", "topic"), "{{topic}}"),), stack=True),
            Panel("Records waiting by topic", "Records between the workers' positions and the last stable offsets.", "short",
                  ((_gauge("sum", "moderator_consumer_lag_records", "topic"), "{{topic}}"),)),
            Panel("From record to action", "Time from the broker's append of a record to the committed action that follows from it. "
                  "Broker and worker each use their own clock.", "s",
                  tuple((_quantile(q, "moderator_end_to_end_seconds"), name) for q, name in
                        (("0.5", "half"), ("0.95", "95 %"), ("0.99", "99 %")))),
            Panel("Time a batch takes", "99 % of the batches are judged, and published with their commit, within this time.", "s",
                  ((_quantile("0.99", "moderator_batch_seconds", "stage"), "{{stage}}"),)),
            Panel("Records a batch", "Batches grow with the load; small ones mean that there is room.", "short",
                  ((_quantile("0.5", "moderator_batch_records"), "half"), (_quantile("0.99", "moderator_batch_records"), "99 %"))),
            Panel("Transactions", "How attempts to commit a batch ended, a second. Fenced more than now and then is a fault.", "ops",
                  ((_rate("moderator_transactions_total", "result"), "{{result}}"),)),
        ),
    ),
    (
        "Decisions",
        (
            Panel("Decisions other than clear", "What became of the records, a second.", "ops",
                  ((_rate("moderator_decisions_total", "outcome", where='outcome!="clear"'), "{{outcome}}"),), stack=True),
            Panel("Actions by policy", "Actions applied, a second, by machine or person.", "ops",
                  ((_seen("moderator_actions_total", "policy", "kind", where='operation="apply"'), "{{policy}} {{kind}}"),), stack=True),
            Panel("Reversals", "Actions reversed, a second, by who decided. Many by people mean that a policy is wrong.", "ops",
                  ((_seen("moderator_actions_total", "policy", "source", where='operation="reverse"'), "{{policy}} {{source}}"),)),
            Panel("Violations by policy", "Verdicts of violation, a second, by the policy's status; those in shadow have no effect.", "ops",
                  ((_seen("moderator_verdicts_total", "policy", "status", where='outcome="violation"'), "{{policy}} ({{status}})"),)),
            Panel("Shadow actions", "What policies in shadow would have done, a second.", "ops",
                  ((_seen("moderator_shadow_actions_total", "policy", "kind"), "{{policy}} {{kind}}"),)),
            Panel("Review queue", "Items put on the queue, a second, by reason.", "ops",
                  ((_rate("moderator_review_items_total", "reason"), "{{reason}}"),), stack=True),
            Panel("Held by breakers", "Actions held for review because a policy took too many, a second.", "ops",
                  ((_seen("moderator_breaker_held_total", "policy", "kind"), "{{policy}} {{kind}}"),)),
            Panel("Open breakers", "Policies whose actions are held now, by the cap of the day or of the minute.", "none",
                  ((f"{_gauge('max', 'moderator_breaker_open', 'policy', 'kind', 'window')} > 0", "{{policy}} {{kind}} a {{window}}"),)),
            Panel("Uncovered languages", "Subjects a second on which a policy abstained because it does not cover their language.", "ops",
                  ((_seen("moderator_uncovered_language_total", "policy"), "{{policy}}"),)),
            Panel("Notices", "Notices to accounts, a second.", "ops", ((_seen("moderator_notices_total", "kind"), "{{kind}}"),)),
        ),
    ),
    (
        "People",
        (
            Panel("Reports", "Reports a second, by what became of them; a brigade counts as one.", "ops",
                  ((_rate("moderator_reports_total", "outcome"), "{{outcome}}"),), stack=True),
            Panel("Decisions of moderators", "What moderators decided, a second, and whether it could be carried out.", "ops",
                  ((_seen("moderator_reviews_total", "outcome", "reason"), "{{outcome}} {{reason}}"),)),
            Panel("Appeals", "Appeals a second: received, refused, and how they ended.", "ops",
                  ((_rate("moderator_appeals_total", "outcome"), "{{outcome}}"),)),
            Panel("Overturned on appeal", "Share of the appeals decided within a day that were overturned. This is the precision that counts.",
                  "percentunit", ((_overturned(), "{{policy}}"),), 12),
            Panel("Time to decide an appeal", "From the appeal to the moderator's decision, by the records' own times.", "s",
                  ((_quantile("0.5", "moderator_appeal_decision_seconds"), "half"),
                   (_quantile("0.95", "moderator_appeal_decision_seconds"), "95 %")), 12),
        ),
    ),
    (
        "Across accounts",
        (
            Panel("Features told", "Features of records told to the partitions that own them, a second.", "ops",
                  ((_seen("moderator_observations_total", "feature"), "{{feature}}"),), stack=True),
            Panel("What followed for accounts", "Findings a second, and those left out because so many had followed from one feature.", "ops",
                  ((_seen("moderator_findings_total", "feature"), "{{feature}}"),
                   (_seen("moderator_findings_capped_total", "feature"), "{{feature}} left out"))),
            Panel("Statements of reasons", "Statements a second, by policy; nothing while they are off.", "ops",
                  ((_seen("moderator_statements_total", "policy"), "{{policy}}"),)),
        ),
    ),
    (
        "What went wrong",
        (
            Panel("Dead letters by reason", "Records that could not be judged, a second.", "ops",
                  ((_seen("moderator_dead_letters_total", "topic", "reason"), "{{topic}} {{reason}}"),), stack=True),
            Panel("Failed rules", "Evaluations that failed, a second; their subjects went to review.", "ops",
                  ((_seen("moderator_rule_failures_total", "policy"), "{{policy}}"),)),
            Panel("Failed signals", "Measurements that failed, a second.", "ops",
                  ((_rate("moderator_signal_failures_total", "signal"), "{{signal}}"),)),
            Panel("Unknown fields", "Fields a second that the contract does not know. They are ignored; a producer may be ahead.", "ops",
                  ((_seen("moderator_unknown_fields_total", "topic"), "{{topic}}"),)),
            Panel("Event loop", "Longest time since a heartbeat, and how late the last one ran. The worker counts as hung after 30 s.", "s",
                  ((_gauge("max", "moderator_watchdog_seconds"), "since the heartbeat"),
                   (_gauge("max", "moderator_loop_lag_seconds"), "late"))),
            Panel("Figures not counted", "Values a second whose metric or label was never declared: a fault of the program.", "ops",
                  ((_rate("moderator_metrics_errors_total", "reason"), "{{reason}}"),)),
        ),
    ),
    (
        "Trained models",
        (
            Panel("Texts read", "Texts a second that each model scored.", "ops",
                  ((_rate("moderator_model_texts_total", "model"), "{{model}}"),)),
            Panel("Not settled", "Uncertain texts a second that went to review: the second model's share was used up, or it failed.", "ops",
                  ((_seen("moderator_model_unsettled_total", "reason"), "{{reason}}"),)),
            Panel("Time of the second model", "Time within which 99 % of slices waited for the second model, and were read.", "s",
                  ((_quantile("0.99", "moderator_model_seconds", "stage"), "{{stage}}"),)),
            Panel("Drift", "How far scores have moved from those of ordinary texts; above 0.25 look at them.", "none",
                  ((_gauge("max", "moderator_model_drift_ratio", "model", "policy"), "{{model}} {{policy}}"),), decimals=2, red_above=0.25),
            Panel("High scores", "Texts a second that a model takes for at least 0.9 likely, by policy.", "ops",
                  ((_seen("moderator_model_scores_total", "model", "policy", where='score="0.9"'), "{{model}} {{policy}}"),)),
            Panel("Missing models", "1 while a model that the pack names is missing.", "none",
                  ((_gauge("max", "moderator_model_degraded", "model"), "{{model}}"),)),
        ),
    ),
    (
        "An operator's own model",
        (
            Panel("Requests to your model", "How requests ended, a second; nothing while MODERATOR_MODEL_URL is not set.", "ops",
                  ((_seen("moderator_endpoint_requests_total", "result"), "{{result}}"),), 6, stack=True),
            Panel("Time your model takes", "Half and 99 % of the requests ended within this time.", "s",
                  ((_quantile("0.5", "moderator_endpoint_seconds"), "half"), (_quantile("0.99", "moderator_endpoint_seconds"), "99 %")), 6),
            Panel("Opinions that are missing", "Uncertain texts a second of which your model gave no opinion, and scores for policies that have no scale "
                  "for them.", "ops",
                  ((_rate("moderator_endpoint_dropped_total"), "no opinion"), (_rate("moderator_endpoint_unknown_total"), "ignored scores")), 6),
            Panel("Your model is left alone", "Workers that do not ask it because it kept failing.", "none",
                  ((_gauge("sum", "moderator_endpoint_open"), "workers"),), 6),
        ),
    ),
    (
        "Media",
        (
            Panel("Media items", "Media items a second, by what became of them: decoded, known already, looked up by the hashes that came with them, refused.", "ops",
                  ((_rate("moderator_media_items_total", "outcome"), "{{outcome}}"),), stack=True),
            Panel("Refused media", "Media items that became dead letters, a second, by reason.", "ops",
                  ((_seen("moderator_media_refused_total", "reason"), "{{reason}}"),), stack=True),
            Panel("Bank matches", "Media items that match a hash bank, a second, by the entry's policy and opinion.", "ops",
                  ((_seen("moderator_media_matches_total", "policy", "opinion"), "{{policy}} {{opinion}}"),)),
            Panel("Time to examine a file", "Time within which 95 % of the files were examined, without loading them.", "s",
                  ((_quantile("0.95", "moderator_media_examine_seconds", "kind"), "{{kind}}"),)),
            Panel("Media loaded", "Bytes of media files loaded, a second.", "Bps", ((_rate("moderator_media_load_bytes_total"), "bytes"),)),
            Panel("Records read for media", "Records a second that the media workers read, by whether they have media.", "ops",
                  ((_seen("moderator_media_records_total", "outcome"), "{{outcome}}"),)),
            Panel("Bank entries", "Entries of the hash banks, by policy and kind of hash.", "short",
                  ((_gauge("max", "moderator_media_bank_entries", "policy", "kind"), "{{policy}} {{kind}}"),)),
            Panel("Faulty banks", "Files of the banks' folder that cannot be used now; what they held before is kept.", "none",
                  ((_gauge("max", "moderator_media_bank_faulty", "instance"), "{{instance}}"),), red_above=1),
            Panel("Looks at the banks", "Looks at the banks' folder a second, by what was found.", "ops",
                  ((_rate("moderator_media_bank_reloads_total", "result"), "{{result}}"),)),
        ),
    ),
    (
        "Workers and state",
        (
            Panel("CPU", "Cores that each worker uses.", "none",
                  ((f"rate(process_cpu_seconds_total{{{BY}}}{RATE})", "{{instance}}"),), 6, decimals=2),
            Panel("Memory", "Resident memory of each worker.", "bytes",
                  ((f"process_resident_memory_bytes{{{BY}}}", "{{instance}}"),), 6),
            Panel("Partitions", "Partition numbers that each worker owns. All together they should be as many as the topics have.", "none",
                  ((_gauge("sum", "moderator_partitions_assigned", "instance"), "{{instance}}"),), 6, stack=True),
            Panel("Restore", "Time within which 99 % of the partitions had their state restored.", "s",
                  ((_quantile("0.99", "moderator_restore_seconds"), "99 %"),), 6),
            Panel("Accounts", "Accounts whose records each worker holds, and how many of them are decoded in memory.", "short",
                  ((_gauge("sum", "moderator_state_accounts", "instance"), "{{instance}}"),
                   (_gauge("sum", "moderator_state_live_accounts", "instance"), "{{instance}} in use")), 6),
            Panel("State on disk", "Bytes in the state folder of each worker; 0 where all of it is in memory.", "bytes",
                  ((_gauge("sum", "moderator_state_disk_bytes", "instance"), "{{instance}}"),), 6),
            Panel("Actions in force", "Actions in force that have an end, whose timers each worker holds.", "short",
                  ((_gauge("sum", "moderator_actions_in_force", "instance"), "{{instance}}"),), 6),
            Panel("State records read", "Records of topic state read for restores, a second.", "ops",
                  ((_rate("moderator_restored_records_total", "instance"), "{{instance}}"),), 6),
            Panel("Packs and versions", "Which policy pack and which release each worker runs. More than one of either should pass soon.", "none",
                  ((f"moderator_pack_info{{{BY}}}", ""), (f"moderator_build_info{{{BY}}}", "")), 6, type="table"),
            Panel("Pack tried", "Which pack each worker tries beside the one in force, and whether it is only asked.", "none",
                  ((f"moderator_candidate_info{{{BY}}}", ""),), 6, type="table"),
            Panel("Share tried", "Of all accounts, how many the pack that is tried is tried on.", "percentunit",
                  ((_gauge("max", "moderator_rollout_share_ratio", "instance"), "{{instance}}"),), 6),
            Panel("Published", "How long ago what is in force was published; decades for a pack that comes from a folder.", "s",
                  ((f"time() - {_gauge('max', 'moderator_pack_published_timestamp_seconds', 'instance')}", "{{instance}}"),), 6),
            Panel("Violations by pack", "Of the verdicts of the pack in force and of the one that is tried, how many are violations.", "percentunit",
                  ((f"sum by (role) (rate(moderator_rollout_verdicts_total{{{BY}, outcome=\"violation\"}}{RATE})) / sum by (role) (rate(moderator_rollout_verdicts_total{{{BY}}}{RATE}))", "{{role}}"),), 6),
            Panel("What would change", "Subjects a second on which a pack that is only asked finds a violation that the pack in force does not, or the other way round.", "ops",
                  ((_rate("moderator_rollout_changes_total", "policy", "change"), "{{policy}} {{change}}"),), 6),
            Panel("Packs refused", "Published packs that workers refused, in an hour.", "none",
                  ((f"sum by (reason) (increase(moderator_pack_refusals_total{{{BY}}}[1h]))", "{{reason}}"),), 6),
        ),
    ),
)  # fmt: skip


def _field_config(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "color": {"mode": "palette-classic"}}
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_above is not None:
        steps.append({"color": "red", "value": panel.red_above})
    defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    if panel.type == "stat":
        defaults["color"] = {"mode": "thresholds"}
    if panel.type == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 20 if panel.stack else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stack else "none", "group": "A"},
        }
    return {"defaults": defaults, "overrides": []}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.type == "stat":
        return {
            "colorMode": "value",
            "graphMode": "area",
            "textMode": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    if panel.type == "table":
        return {"showHeader": True}
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _panel(panel: Panel, identity: int, x: int, y: int) -> dict[str, Any]:
    table = panel.type == "table"
    built: dict[str, Any] = {
        "id": identity,
        "type": panel.type,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": _field_config(panel),
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
                "format": "table" if table else "time_series",
                "instant": table,
                "range": not table,
            }
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }
    if table:
        built["transformations"] = [
            {"id": "joinByField", "options": {"byField": "instance", "mode": "outer"}},
            {
                "id": "filterFieldsByName",
                "options": {"include": {"names": ["instance", "pack", "sha256", "version"]}},
            },
        ]
    return built


def _variable(name: str, label: str, query: str, *, multi: bool) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"qryType": 1, "query": query, "refId": f"Variable{name.title()}"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": multi,
        "includeAll": multi,
        **({"current": {"text": ["All"], "value": ["$__all"]}} if multi else {}),
    }


def build() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
                "panels": [],
            }
        )
        y += 1
        x = line_height = 0
        for panel in row:
            if x + panel.width > COLUMNS:
                x, y, line_height = 0, y + line_height, 0
            panels.append(_panel(panel, len(panels) + 1, x, y))
            x += panel.width
            line_height = max(line_height, panel.height)
        y += line_height
    return {
        "uid": "moderator",
        "title": "Moderator",
        "description": "The moderation worker: stream, decisions, faults, state. Written by deploy/grafana/build.py.",
        "tags": ["moderator"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "annotations": {"list": []},
        "links": [],
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                    "refresh": 1,
                },
                _variable("job", "Job", "label_values(moderator_build_info, job)", multi=False),
                _variable(
                    "instance",
                    "Worker",
                    'label_values(moderator_build_info{job="$job"}, instance)',
                    multi=True,
                ),
            ]
        },
        "panels": panels,
    }


def main(arguments: list[str]) -> int:
    """Writes the file, or with `--check` only compares it."""
    text = json.dumps(build(), indent=2, ensure_ascii=False) + "\n"
    if arguments == ["--check"]:
        same = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        if not same:
            sys.stderr.write(f"{TARGET.name} is out of date: run python deploy/grafana/build.py\n")
        return 0 if same else 1
    if arguments:
        sys.stderr.write("usage: build.py [--check]\n")
        return 2
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
