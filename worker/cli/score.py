"""`moderator score`: scores a file of posts, one line each."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from worker import heap
from worker.cli.errors import BAD_USAGE
from worker.cli.inputs import open_lines
from worker.cli.options import AsJson, Policies
from worker.cli.output import progress, say
from worker.cli.packs import load
from worker.scoring import BATCH, Scorer


def score(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help='JSONL of posts or of {"id", "text"}, plain or gzip; - is standard input.',
            show_default=False,
        ),
    ],
    policies: Policies = None,
    json: AsJson = False,  # every command takes it; this one always writes JSON
) -> None:
    """Scores posts without any memory of their accounts, in their order.

    Writes {"id", "scores", "outcome", "actions"} for each line. A line that is no post gives
    {"id": null, "error"} and exit code 2 at the end.
    """
    scorer = Scorer(load(policies))
    heap.settle()
    started = time.perf_counter()
    with open_lines(file) as lines, progress(lines.size, "scoring") as bar:
        task = bar.task_ids[0]
        batch: list[bytes] = []
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                sys.stdout.buffer.write(scorer.score(batch))
                batch.clear()
                bar.update(task, completed=lines.position(), note=f"{scorer.lines:,} posts")
        sys.stdout.buffer.write(scorer.score(batch))
    sys.stdout.buffer.flush()
    if sys.stderr.isatty():
        seconds = max(time.perf_counter() - started, 1e-9)
        say(
            f"{scorer.lines:,} lines in {seconds:.1f} s, {scorer.lines / seconds:,.0f} a second; {scorer.summary()}"
        )
    if scorer.bad:
        say(f'{scorer.bad} of {scorer.lines} lines could not be scored; look for "error" in the output')
        raise typer.Exit(BAD_USAGE)
