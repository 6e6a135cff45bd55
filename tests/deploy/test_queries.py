"""Every query of the dashboard and of the alerts names only what the worker shows."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.promql import Query, read
from worker.metrics_table import LABEL_SETS, METRICS, PROCESS_METRICS, TABLE, label_names, series_names

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
RUNBOOKS = ROOT / "deploy" / "runbooks"
TARGET_LABELS = {"job", "instance"}  # set by Prometheus on every series that it scrapes

SERIES = {name: metric for metric in TABLE for name in series_names(metric)}
OTHERS = {*PROCESS_METRICS, "up"}


def _alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _dashboard_queries() -> list[tuple[str, str, str]]:
    queries = []
    for path in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                queries.append((f"{path.stem}: {panel['title']}", target["expr"], target["legendFormat"]))
    return queries


ALERTS = _alerts()
QUERIES = [(f"alert: {rule['alert']}", rule["expr"], "") for rule in ALERTS] + _dashboard_queries()


def _labels(query: Query) -> set[str]:
    labels = set(TARGET_LABELS)
    for selector in query.selectors:
        metric = SERIES.get(selector.metric)
        if metric is not None:
            labels |= set(label_names(metric))
        if selector.metric.endswith("_bucket"):
            labels.add("le")
    return labels


@pytest.mark.parametrize(
    ("where", "expression", "legend"), QUERIES, ids=[f"{q[0]} {i}" for i, q in enumerate(QUERIES)]
)
def test_a_query_names_only_declared_metrics_labels_and_values(
    where: str, expression: str, legend: str
) -> None:
    query = read(expression)
    assert query.selectors, "no metric at all"
    for selector in query.selectors:
        assert selector.metric in SERIES or selector.metric in OTHERS, f"{where}: no metric {selector.metric}"
        metric = SERIES.get(selector.metric)
        sets = dict(metric.labels) if metric is not None else {}
        known = TARGET_LABELS | (set(label_names(metric)) if metric is not None else set())
        for label, operator, value in selector.matchers:
            assert label in known, f"{where}: {selector.metric} has no label {label}"
            if label in sets and operator in {"=", "!="} and LABEL_SETS[sets[label]].values:
                assert value in LABEL_SETS[sets[label]].values, f"{where}: {label} is never {value!r}"
    assert query.grouping <= _labels(query), f"{where}: groups by {sorted(query.grouping - _labels(query))}"
    shown = {part.split("}}")[0].strip() for part in legend.split("{{")[1:]}
    assert shown <= _labels(query), f"{where}: the legend shows {sorted(shown - _labels(query))}"


@pytest.mark.parametrize(
    ("where", "expression", "legend"), QUERIES, ids=[f"{q[0]} {i}" for i, q in enumerate(QUERIES)]
)
def test_counters_are_read_as_rates_and_histograms_by_bucket(
    where: str, expression: str, legend: str
) -> None:
    for selector in read(expression).selectors:
        metric = SERIES.get(selector.metric)
        if metric is None or metric.type not in {"counter", "histogram"}:
            continue
        assert any(f"{function}({selector.metric}" in expression for function in ("rate", "increase")), (
            f"{where}: {selector.metric} needs rate or increase"
        )


def test_the_process_metrics_that_queries_may_name_are_shown() -> None:
    from prometheus_client import generate_latest

    from worker.metrics import new_registry

    text = generate_latest(new_registry()).decode()
    for name in PROCESS_METRICS:
        assert f"\n{name}" in text, name


def test_every_declared_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    used = {selector.metric for _, expression, _ in QUERIES for selector in read(expression).selectors}
    unused = [metric.name for metric in METRICS.values() if not used & set(series_names(metric))]
    assert not unused


def test_every_alert_has_a_runbook_a_test_and_a_severity() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    tests = yaml.safe_load((RULES.parent / "rules_test.yml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    for rule in ALERTS:
        name = rule["alert"]
        assert name.startswith("Moderator")
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"deploy/runbooks/{name}.md"
        assert any(case["alertname"] == name and case.get("exp_alerts") for case in cases), (
            f"{name} never fires"
        )
        assert any(case["alertname"] == name and not case.get("exp_alerts") for case in cases), (
            f"{name} always fires"
        )


def test_every_runbook_belongs_to_an_alert_and_says_what_to_do() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in ALERTS}
    for path in RUNBOOKS.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.stem}\n")
        assert "\n## Look at\n" in text
        assert "\n## Do\n" in text


def test_runbooks_name_only_metrics_that_exist() -> None:
    for path in RUNBOOKS.glob("*.md"):
        for part in path.read_text(encoding="utf-8").split("`")[1::2]:
            if part.startswith("moderator_"):
                assert part.partition("{")[0] in SERIES, f"{path.name}: {part}"


def test_every_query_parses() -> None:
    parser = pytest.importorskip("promql_parser", reason="promql-parser is not installed")
    for _, expression, _ in QUERIES:
        parser.parse(expression.replace("$__rate_interval", "1m"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH (Debian: apt install prometheus)")
    done = subprocess.run(
        [promtool, *arguments], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
