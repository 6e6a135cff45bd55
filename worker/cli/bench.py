"""`moderator bench`: throughput and latency beside bare client loops."""

from __future__ import annotations

import json as jsonlib
import os
import platform
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.bench.runs import PARTS, Plan, Row, bare_rates, run
from worker.cli.errors import BAD_USAGE, UNREACHABLE, VIOLATION_OR_FAILED, CommandError
from worker.cli.options import AsJson, OwnBroker, Policies
from worker.cli.output import emit_json, emit_table, say
from worker.cli.packs import load, pattern_cache
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.demo.stage import StageError, interruptible
from worker.embedded import EmbeddedKafkaError


def bench(
    *,
    broker: OwnBroker = None,
    posts: Annotated[
        int, typer.Option(min=1_000, envvar="MODERATOR_BENCH_POSTS", help="Posts on the topic.")
    ] = 300_000,
    only: Annotated[
        str, typer.Option(envvar="MODERATOR_BENCH_ONLY", metavar="PARTS", help="Parts to run, with commas.")
    ] = ",".join(PARTS),
    accounts: Annotated[
        int, typer.Option(min=1, envvar="MODERATOR_BENCH_ACCOUNTS", help="Accounts that post.")
    ] = 10_000,
    partitions: Annotated[
        int, typer.Option(min=1, envvar="MODERATOR_BENCH_PARTITIONS", help="Of every topic.")
    ] = 4,
    batch: Annotated[
        int, typer.Option(min=1, envvar="MODERATOR_BATCH", help="Most records in one batch.")
    ] = 2_000,
    latency_seconds: Annotated[
        float,
        typer.Option(min=0.0, help="How long latency is measured at half the throughput; 0 leaves it out."),
    ] = 10.0,
    out: Annotated[
        Path,
        typer.Option(
            envvar="MODERATOR_BENCH_OUT", metavar="FOLDER", help="Where bench.json and the logs are written."
        ),
    ] = Path("bench-out"),
    policies: Policies = None,
    json: AsJson = False,
) -> None:
    """Measures bare client loops, a worker that only forwards, the full worker and the core, in one run.

    All read the same posts of 300 bytes from the same topic. Figures compare only within one run: the
    broker, the feeders and the worker share this machine.
    """
    if client_options():
        raise CommandError(
            "MODERATOR_SECURITY_PROTOCOL: the benchmark speaks to a broker without TLS and SASL only",
            hint="Unset it; name a plaintext listener with --broker, or leave --broker out.",
        )
    parts = tuple(part.strip() for part in only.split(",") if part.strip())
    if unknown := sorted(set(parts) - set(PARTS)) or not parts:
        raise CommandError(
            f"--only {only}: {unknown or 'nothing'} to run", hint=f"Parts: {', '.join(PARTS)}."
        )
    if {"core", "lists", "full", "models", "state", "restore", "media", "switch"} & set(parts):
        load(
            policies
        )  # compiles the patterns into the cache, and says what is wrong with a pack before anything starts
    out.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        posts=posts,
        accounts=accounts,
        partitions=partitions,
        parts=parts,
        latency_seconds=latency_seconds,
        batch=batch,
        policies=policies,
        cache_dir=pattern_cache(),
    )
    rows: list[Row] = []
    try:
        with interruptible():
            for row in run(plan, broker, out, say):
                rows.append(row)
                say(f"  {row.rate:,.0f} posts/s")
    except (EmbeddedKafkaError, BrokerUnreachable) as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error), code=BAD_USAGE) from error
    except StageError as error:
        raise CommandError(str(error), code=VIOLATION_OR_FAILED) from error
    report = _report(plan, rows)
    file = out / "bench.json"
    file.write_text(jsonlib.dumps(report, indent=2) + "\n", encoding="utf-8")
    if json:
        emit_json(report)
    else:
        _show(rows)
    say(f"written to {file}")


def _report(plan: Plan, rows: list[Row]) -> dict[str, Any]:
    bare = bare_rates(rows)
    return {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "posts": plan.posts,
        "post_bytes": 300,
        "accounts": plan.accounts,
        "partitions": plan.partitions,
        "batch": plan.batch,
        "results": [row.described(bare) for row in rows],
    }


def _show(rows: list[Row]) -> None:
    bare = bare_rates(rows)
    table: list[list[str | Text]] = []
    for row in rows:
        ratios = [f"{row.rate / rate:.2f}" for rate in bare.values()]
        delays = [_milliseconds(row.latency.get(name)) for name in ("p50_ms", "p95_ms", "p99_ms")]
        peak = "" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:,.0f}"
        cpu = "" if row.cpu_us is None else f"{row.cpu_us:.1f}"
        table.append([Text(row.name, style="bold"), f"{row.rate:,.0f}", *ratios, cpu, *delays, peak])
    columns = ["", "posts/s", *(f"× {name}" for name in bare), "CPU µs a post"]
    emit_table(
        "Throughput, and latency at half of it", [*columns, "p50 ms", "p95 ms", "p99 ms", "peak MB"], table
    )
    for row in rows:
        if row.stages_us:
            stages: list[list[str | Text]] = [
                [name.replace("_", " "), f"{value:.1f}"] for name, value in row.stages_us.items()
            ]
            emit_table("The core by stage", ["stage", "CPU µs a post"], stages)
        if row.details:
            details: list[list[str | Text]] = [
                [name.replace("_", " "), f"{value:,}"] for name, value in row.details.items()
            ]
            emit_table(row.name, ["", ""], details)
        for told in row.tables:
            names = list(told["rows"][0])
            lines: list[list[str | Text]] = [[_cell(line[name]) for name in names] for line in told["rows"]]
            emit_table(told["title"], [name.replace("_", " ") for name in names], lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"
