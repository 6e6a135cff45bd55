"""An evaluation as one HTML file: nothing is loaded from anywhere and nothing runs in it.

The texts in it are other people's: each is escaped, and what would hide, turn or break the lines of a page
is shown as its code point.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from worker.evaluation.drawing import curve_svg
from worker.evaluation.evaluate import WORST, Evaluation, Mistake, PolicyFigures, worst_first
from worker.evaluation.summary import Table, area_text, measured, tables

_TEXT_LIMIT = 600  # characters of a post that are shown
_SHOWN = frozenset("\n\u200d\ufe0f")  # line breaks, and what emoji are joined with
_INVISIBLE = frozenset({"Cf", "Cc", "Cs", "Co", "Zl", "Zp"})
_MARKS_SHOWN = 3  # marks in a row on one letter; more would run over the lines around it


def html_report(evaluation: Evaluation) -> str:
    """The whole document."""
    css = files("worker.evaluation").joinpath("report.css").read_text("utf-8")
    made = tables(evaluation)
    names = [table.title for table in made]
    body = [
        _head(evaluation, [names[0], "Curves", *names[1:], "Worst errors"] if names else ["Worst errors"]),
        *(section(table) for table in made[:1]),
        _curves(evaluation),
        *(section(table) for table in made[1:]),
        _errors(evaluation),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Evaluation of {escape(evaluation.pack.id)}</title><style>{css}</style></head><body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def visible(text: str) -> str:
    """A text as HTML with nothing hidden in it: invisible and direction-changing characters as their code points."""
    parts: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks > _MARKS_SHOWN and char not in _SHOWN:
            continue
        if category in _INVISIBLE and char not in _SHOWN:
            parts.append(f'<span class="hidden">[U+{ord(char):04X}]</span>')
        else:
            parts.append(escape(char))
    return "".join(parts)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _head(evaluation: Evaluation, titles: Sequence[str]) -> str:
    pack = evaluation.pack
    silent = [name for name in evaluation.running if name not in dict(measured(evaluation))]
    links = "".join(f'<a href="#{_anchor(title)}">{escape(title)}</a>' for title in titles)
    bad = (
        f" {len(evaluation.bad):,} lines were left out: they are no labelled posts." if evaluation.bad else ""
    )
    unknown = (
        f'<p class="dim">No row says anything certain about: {escape(", ".join(silent))}.</p>'
        if silent
        else ""
    )
    return (
        f"<h1>Evaluation of the policy pack {escape(pack.id)}</h1>"
        f'<p class="dim">{evaluation.rows:,} labelled posts, judged as first posts of accounts without a record.{bad} '
        f"Content of the pack: {pack.sha256[:12]}, rules of {pack.rules_date.isoformat()}.</p>{unknown}<nav>{links}</nav>"
    )


def section(table: Table) -> str:
    """A table under its heading, with the note on how to read it."""
    numeric = [_is_numeric([row[place] for row in table.rows]) for place in range(len(table.columns))]
    kinds = [' class="number"' if one else "" for one in numeric]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(table.columns, kinds, strict=True))
    rows = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{_cell(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<section id="{_anchor(table.title)}"><h2>{escape(table.title)}</h2><p class="note">{escape(table.note)}</p>'
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(table.title)}"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _cell(text: str) -> str:
    """A cell, its interval on a line of its own so that tables stay narrow."""
    value, opening, interval = text.partition(" (")
    return visible(value) + (f"<small>({visible(interval)}</small>" if opening else "")


def _is_numeric(cells: Sequence[str]) -> bool:
    return all(cell[:1].isdigit() or cell == "–" for cell in cells) and any(cell != "–" for cell in cells)


def _curves(evaluation: Evaluation) -> str:
    figures = "".join(
        _figure(name, one)
        for name, one in measured(evaluation)
        if one.counts.positives and one.counts.negatives
    )
    if not figures:
        return '<section id="curves"><h2>Curves</h2><p class="note">No policy has rows of both kinds.</p></section>'
    return (
        '<section id="curves"><h2>Curves</h2><p class="note">Precision against recall over all scores. '
        '<span class="key acted"></span>violations, <span class="key flagged"></span>violations and reviews.</p>'
        f'<div class="curves">{figures}</div></section>'
    )


def _figure(name: str, figures: PolicyFigures) -> str:
    counts = figures.counts
    marks = [
        ("flagged", counts.flagged_precision, counts.flagged_recall),
        ("acted", counts.precision, counts.recall),
    ]
    share = counts.positives / (counts.positives + counts.negatives)
    return (
        f"<figure><h3>{escape(name)}</h3>{curve_svg(name, figures.curve, marks)}"
        f"<figcaption>AUPRC {area_text(figures.area)}; {100 * share:.1f} % of the rows are positive</figcaption></figure>"
    )


def _errors(evaluation: Evaluation) -> str:
    parts = []
    for name, figures in evaluation.policies.items():
        for title, mistakes, missed in (
            ("false alarms", figures.false_alarms, False),
            ("misses", figures.misses, True),
        ):
            if mistakes:
                worst_first(mistakes, missed=missed)
                items = "".join(map(_mistake, mistakes[:WORST]))
                parts.append(f"<details><summary>{escape(name)}: {title}</summary><ol>{items}</ol></details>")
    if evaluation.robustness is not None:
        for kind, texts in evaluation.robustness.missed.items():
            if texts:
                items = "".join(f'<li><bdi class="post">{_cut(text)}</bdi></li>' for text in texts)
                parts.append(
                    f"<details><summary>missed in disguise: {escape(kind)}</summary><ol>{items}</ol></details>"
                )
    said = "".join(parts) or '<p class="note">None.</p>'
    return (
        '<section id="worst-errors"><h2>Worst errors</h2><p class="warning"><strong>Content warning.</strong> The posts '
        "below are shown as they were written and include hatred, threats and abuse.</p>"
        f'<p class="note">The {WORST} false alarms with the highest and the {WORST} misses with the lowest score of each '
        f"policy.</p>{said}</section>"
    )


def _mistake(mistake: Mistake) -> str:
    meta = f"score {mistake.score:.2f}, {mistake.source or 'no source'}, {mistake.row_id}"
    return f'<li><bdi class="post">{_cut(mistake.text)}</bdi><span class="meta">{visible(meta)}</span></li>'


def _cut(text: str) -> str:
    return visible(text[:_TEXT_LIMIT]) + (" …" if len(text) > _TEXT_LIMIT else "")
