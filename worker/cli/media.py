"""`moderator media`: what is in media files, and which entries of hash banks they match."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.cli import media_banks
from worker.cli.errors import BAD_USAGE, VIOLATION_OR_FAILED, CommandError
from worker.cli.media_adding import need_folder
from worker.cli.media_files import Examining, Files, Looked, Model, examining, gathered, need_packages
from worker.cli.options import AsJson
from worker.cli.output import emit_json, emit_table, printable, say, stdout
from worker.media.banks import BankFolder, Banks
from worker.media.item import Asked, Found
from worker.media.shown import Shown, shown

app = typer.Typer(
    help="Hashes media files, matches them with hash banks, and keeps the banks.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(media_banks.app, name="bank")

_PREVIEW_PIXELS = 480
_FRAMES_SHOWN = 8  # of a video or an animation in text; JSON has all


@app.command("hash")
def hash_files(
    *,
    files: Files,
    dihedral: Annotated[
        bool, typer.Option("--dihedral", help="Also the PDQ hashes of each picture turned and mirrored.")
    ] = False,
    model: Model = None,
    json: AsJson = False,
) -> None:
    """Says what is in files: kind, format, hashes, frames, scores, provenance, announced advertisements.

    They are looked at as the media worker does, in the sandbox and within its limits. Exit code 2 when one was refused.
    """
    paths = gathered(files)
    with examining(model) as sandbox:
        looked = list(sandbox.every(paths, Asked(turned=dihedral)))
    if json:
        emit_json({"files": [_described(one) for one in looked]})
    else:
        for one in looked:
            _show(one)
    _complain(looked)


@app.command("check")
def check_files(
    *,
    files: Files,
    banks: media_banks.BankFolderOption,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Also write a page with pictures of what matched.", show_default=False
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Looks files up in hash banks.

    Exit code 1 when one matches, 0 when none does, 2 when a file was refused or a bank is faulty, whatever else matched.
    What matches a bank of child sexual exploitation or of intimate pictures is never shown: its hash and the bank only.
    """
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise CommandError(f"--html {html}: not a file in a folder that exists", hint="Name a file to write.")
    need_packages()
    held, faults = _read(banks)
    paths = gathered(files)
    with examining() as sandbox:
        matched = [
            (one, shown(banks, one.found, held.match(one.found)) if one.found is not None else ())
            for one in sandbox.every(paths, Asked())
        ]
        if html is not None:
            _write_page(html, matched, banks, sandbox)
    if json:
        emit_json(
            {"banks": list(held.names), "faults": faults, "files": [_checked(*each) for each in matched]}
        )
    else:
        _show_matches(matched)
    for fault in faults:
        say(fault)
    if html is not None:
        say(f"page: {html}")
    _complain([one for one, _ in matched], faulty=bool(faults))
    if any(matches for _, matches in matched):
        raise typer.Exit(VIOLATION_OR_FAILED)


def _read(folder: Path) -> tuple[Banks, list[str]]:
    need_folder(folder)
    reader = BankFolder(folder)
    try:
        reader.reload()
    except OSError as error:
        raise CommandError(
            f"{folder}: {error.strerror or error}", hint="Name a folder of hash banks."
        ) from error
    return reader.current, list(reader.faults)


def _write_page(
    html: Path, matched: Sequence[tuple[Looked, tuple[Shown, ...]]], banks: Path, sandbox: Examining
) -> None:
    """The page. A file is decoded for its picture only now, when it is known that it may be shown."""
    from worker.media.match_page import Row, match_page

    rows = []
    for one, matches in matched:
        preview = None
        if matches and not any(each.hidden for each in matches):
            again = sandbox.one(one.path, Asked(preview_pixels=_PREVIEW_PIXELS))
            # The file may have been exchanged meanwhile for one that nobody has looked up.
            if again.found is not None and one.found is not None and again.found.sha256 == one.found.sha256:
                preview = again.found.preview
        refused = None if one.refused is None else str(one.refused)
        rows.append(Row(str(one.path), one.found, matches, preview, refused))
    try:
        html.write_text(match_page(rows, banks.name), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise CommandError(
            f"{html}: {error.strerror or error}", hint="Name another file with --html."
        ) from error


def _complain(looked: Sequence[Looked], *, faulty: bool = False) -> None:
    refused = [one for one in looked if one.refused is not None]
    for one in refused:
        say(printable(f"{one.path}: refused: {one.refused}"))
    if refused or faulty:
        raise typer.Exit(BAD_USAGE)


def _described(one: Looked) -> dict[str, Any]:
    about: dict[str, Any] = {"file": str(one.path), "bytes": one.size_bytes}
    if one.found is None:
        assert one.refused is not None
        return {**about, "refused": {"reason": str(one.refused.reason), "detail": one.refused.detail}}
    return {**about, "found": as_json(one.found)}


def as_json(found: Found) -> dict[str, Any]:
    """What was found, as JSON, without what is empty."""
    from pydantic import TypeAdapter

    value: dict[str, Any] = TypeAdapter(Found).dump_python(found, mode="json", exclude_none=True)
    value.pop("preview", None)
    if value.get("turned"):
        value["turned"] = dict(zip(_turns(), value["turned"], strict=True))
    return {name: each for name, each in value.items() if each not in ("", [], {}, ())}


def _turns() -> tuple[str, ...]:
    from worker.media.previews import TURNS

    return TURNS


def _checked(one: Looked, matches: Sequence[Shown]) -> dict[str, Any]:
    if one.found is None:
        return _described(one)
    return {
        "file": str(one.path),
        "kind": one.found.kind,
        "format": one.found.format,
        "sha256": one.found.sha256,
        "matches": [
            {
                **each.match.model_dump(mode="json", exclude_none=True),
                "hidden": each.hidden,
                "bits": each.bits,
            }
            for each in matches
        ],
    }


def _show(one: Looked) -> None:
    if one.found is None:
        return
    console = stdout()
    console.print(Text(printable(str(one.path)), style="bold"))
    for name, value in _lines(one.found, one.size_bytes):
        console.print(Text.assemble((f"  {name:<12}", "dim"), printable(value)))
    console.print()


def _lines(found: Found, size_bytes: int) -> list[tuple[str, str]]:
    """What was found as names and values, in the order in which a person wants to know."""
    what = found.format if found.kind is None else f"{found.kind}, {found.format}"
    size = "" if found.width is None else f", {found.width} × {found.height} pixels"
    lasting = "" if found.duration_seconds is None else f", {found.duration_seconds:.1f} s"
    lines = [("kind", f"{what}{size}{lasting}, {size_bytes:,} bytes")]
    for name in ("sha256", "md5", "tlsh"):
        if value := getattr(found, name):
            lines.append((name, value))
    if found.pdq is not None:
        lines.append(("pdq", f"{found.pdq}  quality {found.pdq_quality}"))
    if found.inner_pdq is not None:
        lines.append(("", f"{found.inner_pdq}  quality {found.inner_pdq_quality}, inside its border"))
    lines += [("", f"{value}  {name}") for name, value in zip(_turns(), found.turned, strict=False)][1:]
    for frame in found.frames[:_FRAMES_SHOWN]:
        lines.append((f"  {frame.at_seconds:.1f} s", f"{frame.pdq}  quality {frame.pdq_quality}"))
    if len(found.frames) > _FRAMES_SHOWN:
        lines.append(("", f"… {len(found.frames)} frames in all (--json has them)"))
    if found.scores:
        scores = ", ".join(f"{name} {score:.2f}" for name, score in sorted(found.scores.items()))
        lines.append(("scores", f"{scores}  by {found.classifier}"))
    if found.provenance is not None:
        stated = found.provenance.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in stated.items())
        lines.append(("provenance", said or "nothing said"))
    for marker in found.ad_markers:
        stated = marker.model_dump(mode="json", exclude_none=True)
        lines.append(("ad", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in stated.items())))
    return lines


def _show_matches(matched: Sequence[tuple[Looked, tuple[Shown, ...]]]) -> None:
    rows: list[list[str | Text]] = []
    for one, matches in matched:
        for each in matches:
            match = each.match
            opinion = Text(match.opinion or "", style="red" if match.opinion == "confirmed" else "yellow")
            rows.append(
                [printable(str(one.path)), Text(match.bank, style="bold"), match.policy or "", opinion,
                 match.kind or "", each.how_near, printable(match.entry or "")]
            )  # fmt: skip
    if rows:
        emit_table("", ["file", "bank", "policy", "opinion", "by", "how near", "entry"], rows)
        if any(each.hidden for _, matches in matched for each in matches):
            say("Of banks of hashes only, nothing but the bank and the hash is ever shown.")
        return
    looked = sum(one.found is not None for one, _ in matched)
    stdout().print(f"No match in {looked} file{'' if looked == 1 else 's'}.")
