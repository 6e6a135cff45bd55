"""`moderator doctor`: what keeps a worker from being right, and what to do about it."""

from __future__ import annotations

from collections import Counter

import typer
from rich.text import Text

from worker.cli.errors import VIOLATION_OR_FAILED
from worker.cli.options import AsJson, Broker, Policies, TopicPrefix
from worker.cli.output import emit_json, printable, say, stdout
from worker.cli.packs import pattern_cache
from worker.cli.settings import settings
from worker.doctor import Finding, examine
from worker.engine.registry import load_pack

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    policies: Policies = None,
    json: AsJson = False,
) -> None:
    """Checks broker, topics, permissions, producers, clock, lag, pack, models and disk; says what to do.

    It writes nothing and joins no group. The settings are those of `moderator run`. Exit code 1 when a check failed.
    """
    chosen = settings(broker=broker, topic_prefix=topic_prefix, policies=policies)
    findings: list[Finding] = []
    for finding in examine(chosen, lambda folder: load_pack(folder, cache_dir=pattern_cache())):
        findings.append(finding)
        if not json:
            _show(finding)
    counts = Counter(finding.state for finding in findings)
    if json:
        emit_json(
            {
                "findings": [
                    {"check": one.check, "state": one.state, "detail": one.detail, "advice": one.advice}
                    for one in findings
                ]
            }
        )
    else:
        say(f"{counts['ok']} ok, {counts['warning']} to look at, {counts['failed']} failed")
    if counts["failed"]:
        raise typer.Exit(VIOLATION_OR_FAILED)


def _show(finding: Finding) -> None:
    console = stdout()
    console.print(
        Text.assemble(
            (f"{finding.state:<8}", _STYLES[finding.state]),
            (f"{finding.check:<12}", "bold"),
            printable(finding.detail),
        )
    )
    if finding.advice:
        console.print(Text.assemble(" " * 20, (printable(finding.advice), "dim")))
