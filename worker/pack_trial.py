"""Whether a pack can be used: loaded, its patterns compiled, all its cases and timelines judged, in a process of its own.

`python -m worker.pack_trial FOLDER CACHE` writes one JSON object: `{"problems": [{"kind", "file", "line", "reason"}],
"cases"}`. A pack that crashes its compiler or eats the memory then ends the trial and not the worker, and what
is compiled lies in the cache from which the worker loads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.engine.cases import CaseResult, run_cases
from worker.engine.registry import load_pack
from worker.engine.timelines import TimelineResult, run_timelines
from worker.engine.tomlfile import PackError, Problem

NICE = 10
SHOWN = 5  # problems that a refusal names


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a pack. `kind`: `faults` it cannot be loaded, `cases` it decides otherwise than it says,
    `failed` the trial itself did not get to an end. `file` is relative to the pack; `line` counts from 1.
    """

    kind: str
    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.reason}" if place else self.reason


def in_words(faults: list[Fault]) -> str:
    """The first faults in one line."""
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return "; ".join(map(str, faults[:SHOWN])) + more


async def hold(
    folder: Path, cache: Path, seconds: float, environment: Mapping[str, str] | None = None
) -> list[Fault]:
    """Tries the pack in a folder; what is wrong with it, nothing if it may be used.

    Args:
        folder: the pack.
        cache: where compiled patterns are kept.
        seconds: how long it may take.
        environment: of the process; None: this one's.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker.pack_trial",
        str(folder),
        str(cache),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await child.communicate()
    except TimeoutError:
        return [Fault("failed", "", None, f"the check of the pack took longer than {seconds:.0f} s")]
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    try:
        told = json.loads(said)
        return [Fault(**fault) for fault in told["problems"]]
    except (ValueError, KeyError, TypeError):
        return [Fault("failed", "", None, f"the check of the pack ended with {child.returncode}")]


def faults_of(folder: Path, cache: Path) -> tuple[list[Fault], int]:
    """What is wrong with a pack, and how many cases and timelines were judged; in this process."""
    try:
        pack = load_pack(folder, cache_dir=cache)
        cases, timelines = run_cases(pack), run_timelines(pack)
    except PackError as error:
        return [_fault(problem, folder) for problem in error.problems], 0
    faults = []
    if pack.models.warning is not None:
        faults.append(Fault("faults", "pack.toml", None, pack.models.warning))
    named: list[tuple[str, CaseResult | TimelineResult]] = [(one.case.name, one) for one in cases]
    named += [(one.timeline.name, one) for one in timelines]
    for name, one in named:
        if not one.ok:
            reason = f"{name}: {'; '.join(one.faults)}"
            faults.append(Fault("cases", _relative(one.file, folder), one.line, reason))
    return faults, len(cases) + len(timelines)


def _fault(problem: Problem, folder: Path) -> Fault:
    return Fault("faults", _relative(problem.file, folder), problem.line, problem.reason)


def _relative(file: Path, folder: Path) -> str:
    resolved = folder.resolve()
    return file.relative_to(resolved).as_posix() if file.is_relative_to(resolved) else str(file)


def _described(faults: list[Fault]) -> Iterator[dict[str, Any]]:
    return (asdict(fault) for fault in faults)


def main() -> int:
    """Holds the trial; returns 0 when the pack may be used."""
    os.nice(NICE)  # the worker beside it serves on
    faults, cases = faults_of(Path(sys.argv[1]), Path(sys.argv[2]))
    json.dump({"problems": list(_described(faults)), "cases": cases}, sys.stdout)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
