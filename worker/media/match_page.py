"""What matched hash banks as one HTML file: nothing is loaded from anywhere and nothing runs in it.

Names, ids and sources in it are other people's: each is escaped, with what would hide or turn text made visible. Of a
match with a bank of hashes only, the page has the hash and the bank, and no picture of anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from worker.evaluation.report import visible
from worker.media.item import Found
from worker.media.shown import SIDE, Bits, Shown

_PICTURE_BYTES = 4 * 1024 * 1024
_WHY = (
    "Not shown. This bank holds hashes of media that may not be kept or looked at, so neither the file nor the entry "
    "is on this page: only the bank and the file's own hash. Follow your procedure for such finds; do not open the file."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One file of the page. `preview` is a JPEG in base64; None where there is none, or where it must not be."""

    name: str
    found: Found | None
    matches: tuple[Shown, ...]
    preview: str | None = None
    refused: str | None = None


def match_page(rows: Sequence[Row], folder: str) -> str:
    """The whole document; files that match come first, in the order given."""
    css = files("worker.media").joinpath("match_page.css").read_text("utf-8")
    matched = [row for row in rows if row.matches]
    clear = [row for row in rows if row.found is not None and not row.matches]
    refused = [row for row in rows if row.refused is not None]
    body = [
        f"<h1>Media matched with the banks in {visible(folder)}</h1>",
        f'<p class="dim">{_many(len(rows), "file")}: {len(matched)} matched, {len(clear)} did not, {len(refused)} refused.</p>',
        *map(_file, matched),
        _list("Without a match", [(row.name, "") for row in clear]),
        _list("Refused", [(row.name, row.refused or "") for row in refused]),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f'<meta name="referrer" content="no-referrer"><title>Matches of media</title><style>{css}</style></head><body>\n'
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _file(row: Row) -> str:
    assert row.found is not None
    found = row.found
    hidden = any(each.hidden for each in row.matches)
    facts = [(found.kind or "document") + f", {found.format}"]
    if found.width and not hidden:
        facts.append(f"{found.width} × {found.height} pixels")
    if found.duration_seconds and not hidden:
        facts.append(f"{found.duration_seconds:.1f} s")
    head = f'<h2>{visible(row.name)}</h2><p class="dim">{escape(", ".join(facts))}</p>'
    hashes = "".join(
        f"<div><dt>{name}</dt><dd><code>{escape(value)}</code></dd></div>"
        for name, value in (("SHA-256", found.sha256), ("PDQ", found.pdq))
        if value
    )
    warning = f'<p class="warning">{_WHY}</p>' if hidden else ""
    matches = "".join(_match(row, each) for each in row.matches)
    return f'<section>{head}{warning}<dl class="hashes">{hashes}</dl>{matches}</section>'


def _match(row: Row, each: Shown) -> str:
    match = each.match
    confirmed = match.opinion == "confirmed"
    stated = [
        ("Bank", match.bank),
        ("Policy", match.policy or ""),
        ("Opinion", "confirmed: decided by itself" if confirmed else "seed: for a person to review"),
        ("By", match.kind or ""),
        ("How near", each.how_near),
        ("Entry", match.entry or ""),
        ("Source", match.source or ""),
    ]
    if each.hidden:
        stated = [one for one in stated if one[0] in ("Bank", "Policy", "Opinion", "By")]
    facts = "".join(f"<div><dt>{name}</dt><dd>{visible(value)}</dd></div>" for name, value in stated if value)
    pictures = "" if each.hidden else _pictures(row, each)
    kind = "confirmed" if confirmed else "seed"
    return f'<article class="{kind}"><dl>{facts}</dl>{pictures}</article>'


def _pictures(row: Row, each: Shown) -> str:
    parts = [_figure(row.preview, "the file asked about", "asked")]
    if each.picture is not None:
        parts.append(_figure(_kept(each.picture), "the bank's picture of the entry", "the bank's entry"))
    if each.compared is not None:
        parts.append(_grids(each.compared))
    return f'<div class="pictures">{"".join(parts)}</div>'


def _kept(picture: Path) -> str | None:
    try:
        if picture.stat().st_size > _PICTURE_BYTES:
            return None
        return base64.b64encode(picture.read_bytes()).decode()
    except OSError:
        return None


def _figure(jpeg: str | None, alternative: str, caption: str) -> str:
    """A picture, if it is one: what else a bank's file or the sandbox may give is not put into a page."""
    try:
        known = jpeg is not None and base64.b64decode(jpeg, validate=True).startswith(b"\xff\xd8\xff")
    except binascii.Error:
        known = False
    if not known:
        return (
            f'<figure><div class="none">no picture</div><figcaption>{escape(caption)}</figcaption></figure>'
        )
    source = f"data:image/jpeg;base64,{jpeg}"
    return f'<figure><img src="{source}" alt="{escape(alternative)}"><figcaption>{escape(caption)}</figcaption></figure>'


def _grids(bits: Bits) -> str:
    """The two hashes as squares of 16 x 16 bits; those that differ are marked in both."""
    differing = bits.differing
    when = "" if bits.at_seconds is None else f" at {bits.at_seconds:.1f} s"
    return _grid(bits.asked, differing, f"PDQ of the asked one{when}") + _grid(
        bits.entry, differing, f"PDQ of the entry; {len(differing)} bits differ"
    )


def _grid(digits: str, differing: frozenset[int], caption: str) -> str:
    value = int(digits, 16)
    cells, marks = [], []
    for place in range(SIDE * SIDE):
        row, column = divmod(place, SIDE)
        if value >> (SIDE * SIDE - 1 - place) & 1:
            cells.append(f"M{column} {row}h1v1h-1z")
        if place in differing:
            marks.append(f"M{column} {row}h1v1h-1z")
    return (
        f'<figure class="grid"><svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(caption)}">'
        f'<rect width="{SIDE}" height="{SIDE}"/><path class="set" d="{"".join(cells)}"/>'
        f'<path class="differs" d="{"".join(marks)}"/></svg><figcaption>{escape(caption)}</figcaption></figure>'
    )


def _list(title: str, named: Sequence[tuple[str, str]]) -> str:
    if not named:
        return ""
    items = "".join(
        f"<li>{visible(name)}" + (f' <span class="dim">{visible(said)}</span>' if said else "") + "</li>"
        for name, said in named
    )
    return f"<section><h2>{escape(title)}</h2><ul>{items}</ul></section>"
