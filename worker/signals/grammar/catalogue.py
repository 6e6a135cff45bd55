"""The page that lists every signal a rule may read: `python -m worker.signals.grammar.catalogue > docs/signals.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import ModuleType

from worker.signals import discourse, view
from worker.signals.detectors import load_detectors
from worker.signals.grammar import GrammarFile, load_grammar
from worker.signals.observers import load_observers

_HEAD = """\
# Signals

<!-- Written by `python -m worker.signals.grammar.catalogue`; a test compares. Edit the files that it reads instead. -->

What any policy may read by name, besides the lists and expressions of its own file. Words are looked for in canonical
text (lower case, accents and disguises undone), and only when some policy reads them. A signal says what stands in a
post, never that it is a violation: that is for the policy's `findings`, `support` and `excuses` (see policies.md).

*Precision* is how many of the random hits read in public English posts were right for the meaning, of how many, and
when. It tells of one signal alone: a policy that asks for two of them in one sentence does better.
"""

_ANY = "any"


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    meaning: str
    languages: str = _ANY
    precision: str = ""


def catalogue() -> str:
    """All shared signals as a Markdown page, by family."""
    parts = [_HEAD]
    for file in sorted(load_grammar(), key=lambda file: file.family):
        parts.append(_section(f"`{file.family}`", file.summary, _grammar_rows(file)))
    detected = _meant(
        (name, sys.modules[type(detector).__module__])
        for detector in load_detectors()
        for name in detector.names
    )
    parts.append(_section("Detectors", "Found by code, as a check sum or a calendar is needed.", detected))
    observed = [_Row(name, meaning) for one in load_observers() for name, meaning in one.meanings.items()]
    parts.append(_section("Observers", "What is not text: media, accounts, surfaces, facts.", observed))
    flags = _meant((f"is.{one.name}", _flags_module()) for one in fields(view.Discourse))
    summary = "How the sentence of a hit uses it; read at the anchor of a finding."
    parts.append(_section("Discourse", summary, flags))
    return "\n".join(parts)


def _flags_module() -> ModuleType:
    return discourse if hasattr(discourse, "MEANINGS") else view


def _meant(names: Iterable[tuple[str, ModuleType]]) -> Iterator[_Row]:
    """Names with what their module says that they mean, where it says so."""
    for name, module in names:
        meanings: Mapping[str, str] = getattr(module, "MEANINGS", {})
        yield _Row(name, meanings.get(name, meanings.get(name.removeprefix("is."), "")))


def _grammar_rows(file: GrammarFile) -> Iterator[_Row]:
    for name in file.names:
        entries = [entry for entry in file.entries if entry.name == name]
        languages = {language for entry in entries for language in entry.languages}
        meaning = next(entry.meaning for entry in entries if entry.meaning)
        counted = [entry.precision for entry in entries if entry.precision is not None]
        precision = ""
        if counted:
            right, judged = sum(one.right for one in counted), sum(one.judged for one in counted)
            precision = f"{right}/{judged} ({max(one.read for one in counted)})"
        named = sorted(languages - {"*"})
        also = ["any"] if "*" in languages else []
        yield _Row(name, meaning, ", ".join([*named, *also]), precision)


def _section(title: str, summary: str, rows: Iterable[_Row]) -> str:
    lines = [
        f"## {title}",
        "",
        " ".join(summary.split()),
        "",
        "| signal | meaning | languages | precision |",
        "|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: row.name):
        meaning = row.meaning.replace("|", "\\|")
        lines.append(f"| `{row.name}` | {meaning} | {row.languages} | {row.precision} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(catalogue())
