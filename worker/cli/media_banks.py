"""`moderator media bank`: what the hash banks hold, what is wrong with them, and adding to them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

import worker.policies
from worker.cli.errors import BAD_USAGE, VIOLATION_OR_FAILED, CommandError
from worker.cli.media_adding import (
    Wanted,
    bank_info,
    given_hash,
    hashes_of_export,
    hashes_of_lines,
    known_kind,
    need_folder,
    write,
)
from worker.cli.media_files import examining, gathered
from worker.cli.options import AsJson, Policies
from worker.cli.output import emit_json, emit_table, printable, say
from worker.engine.tomlfile import Problem
from worker.media.bank_edit import Edit
from worker.media.bank_files import (
    ENTRY,
    HASHES_ONLY,
    KINDS,
    bank_folders,
    file_of,
    hash_lines,
    read_info,
    video_lines,
)
from worker.media.bank_lint import judged_policies, lint
from worker.media.item import Asked

app = typer.Typer(help="Lists, lints and fills hash banks.", no_args_is_help=True, rich_markup_mode=None)

BankFolderOption = Annotated[
    Path,
    typer.Option(
        "--banks",
        envvar="MODERATOR_MEDIA_BANKS",
        metavar="FOLDER",
        help="The folder of the hash banks.",
        show_default=False,
    ),
]
_PICTURE_PIXELS = 480
_SHOWN = 20  # refused hashes that are named


@app.command("list")
def list_banks(*, banks: BankFolderOption, json: AsJson = False) -> None:
    """Lists the banks: policy, opinion, source, entries by kind, and how many problems each has."""
    need_folder(banks)
    try:
        held = [_listed(path) for path in bank_folders(banks)]
    except OSError as error:
        raise CommandError(f"{error.filename or banks}: {error.strerror or error}") from error
    if json:
        emit_json({"banks": held})
        return
    if not held:
        say("there are no banks in it")
        return
    emit_table(
        "", ["bank", "policy", "opinion", "entries", "source", "problems"], [_row(one) for one in held]
    )


def _listed(path: Path) -> dict[str, Any]:
    problems: list[Problem] = []
    info = read_info(path, problems)
    entries: dict[str, int] = {}
    for kind in KINDS:
        file = file_of(path, kind)
        if file.exists():
            lines = video_lines(file, problems) if kind == "vpdq" else hash_lines(file, kind, problems)
            entries[kind] = sum(1 for _ in lines)
    about = {} if info is None else info.model_dump(mode="json", exclude_none=True)
    return {"bank": path.name, **about, "entries": entries, "problems": [str(one) for one in problems]}


def _row(one: dict[str, Any]) -> list[str | Text]:
    held = ", ".join(f"{count:,} {kind}" for kind, count in one["entries"].items()) or "none"
    problems = len(one["problems"])
    off = "" if one.get("enabled", True) else " (off)"
    return [
        Text(printable(one["bank"]) + off, style="bold"), one.get("policy", "?"), one.get("opinion", "?"), held,
        printable(one.get("source", "?")), Text(str(problems), style="red" if problems else "dim"),
    ]  # fmt: skip


@app.command("lint")
def lint_banks(*, banks: BankFolderOption, policies: Policies = None, json: AsJson = False) -> None:
    """Says what is wrong or doubtful in the banks, with file and line; exit code 1 when anything is."""
    need_folder(banks)
    try:
        problems = lint(banks, _judged(policies or Path(worker.policies.__file__).parent))
    except OSError as error:
        raise CommandError(f"{error.filename or banks}: {error.strerror or error}") from error
    if json:
        found = [{"file": str(one.file), "line": one.line, "reason": one.reason} for one in problems]
        emit_json({"problems": found})
    else:
        for one in problems:
            say(printable(str(one)))
        say(f"{len(problems)} problems" if problems else "nothing is wrong")
    if problems:
        raise typer.Exit(VIOLATION_OR_FAILED)


def _judged(pack: Path) -> frozenset[str]:
    try:
        return judged_policies(pack)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CommandError(f"--policies {pack}: {error}", hint="See 'moderator policies lint'.") from error


@app.command("add")
def add(
    *,
    bank: Annotated[str, typer.Argument(metavar="BANK", help="Name of the bank.", show_default=False)],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="Media files and folders of them.", show_default=False),
    ] = None,
    banks: BankFolderOption,
    hashes: Annotated[
        list[str] | None,
        typer.Option(
            "--hash", metavar="KIND:HASH", help="A hash: pdq:…, sha256:…, md5:… or tlsh:…", show_default=False
        ),
    ] = None,
    hash_file: Annotated[
        Path | None,
        typer.Option(
            "--hashes",
            metavar="FILE",
            help="Hashes, one on each line, as banks hold them. Needs --kind.",
            show_default=False,
        ),
    ] = None,
    exchange: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="An export of ThreatExchange, NCMEC, StopNCII …", show_default=False
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="What hashes without a type are.", show_default=False),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="Of a new bank: the policy it is for.", show_default=False),
    ] = None,
    opinion: Annotated[
        str | None,
        typer.Option(
            metavar="OPINION",
            help="Of a new bank: seed (matches are reviewed) or confirmed (they are acted on).",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Of a new bank: where its hashes are from.", show_default=False),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Id of the entry; default: from the hash.", show_default=False),
    ] = None,
    picture: Annotated[
        bool,
        typer.Option(
            "--picture",
            help="Keep a small picture of each file, to show beside matches. Not in banks of hashes only.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change and change nothing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Adds entries to a bank, from files, hashes or an export; makes the bank if --policy, --opinion and --source say what it is.

    Files are hashed in the sandbox and are not kept. Exit code 2 when one was refused; the others are added.
    """
    if not (files or hashes or hash_file or exchange):
        raise CommandError("there is nothing to add", hint="Name files, --hash, --hashes or --exchange.")
    known = known_kind(kind)
    if hash_file is not None and known in (None, "vpdq"):
        raise CommandError("--hashes needs --kind", hint="One of sha256, md5, pdq, tlsh.")
    if entry is not None and not ENTRY.match(entry):
        raise CommandError(f"--entry {entry!r}: up to 128 characters without spaces")
    gathering = gathered(files) if files else []
    if entry is not None and len(gathering) > 1:
        raise CommandError(
            "--entry names one entry, but several files are given", hint="Add them one by one."
        )
    info, new = bank_info(banks, bank, policy, opinion, source)
    if picture and info.policy in HASHES_ONLY:
        raise CommandError(
            f"--picture: a bank of {info.policy} holds hashes and nothing else", hint="Leave --picture out."
        )
    wanted = Wanted()
    wanted.changes += [given_hash(value, entry) for value in hashes or ()]
    if hash_file is not None:
        assert known is not None
        wanted.changes += hashes_of_lines(hash_file, known)
    if exchange is not None:
        wanted.changes += hashes_of_export(exchange, known, wanted.skipped)
    if gathering:
        with examining() as sandbox:
            side = _PICTURE_PIXELS if picture else 0
            for looked in sandbox.every(gathering, Asked(preview_pixels=side)):
                wanted.take(looked, entry)
    edit = write(banks, bank, info, wanted, new=new, dry_run=dry_run)
    _report(bank, edit, wanted, new=new, dry_run=dry_run, json=json)
    if wanted.files_refused:
        raise typer.Exit(BAD_USAGE)


def _report(bank: str, edit: Edit, wanted: Wanted, *, new: bool, dry_run: bool, json: bool) -> None:
    refused = [{"entry": name, "reason": reason} for name, reason in edit.refused]
    files = [
        {"file": str(one.path), "reason": str(one.refused.reason), "detail": one.refused.detail}
        for one in wanted.files_refused
        if one.refused is not None
    ]
    if json:
        emit_json(
            {
                "bank": bank, "made": new, "dry_run": dry_run, "added": edit.added, "changed": edit.changed,
                "removed": edit.removed, "unchanged": edit.unchanged, "pictures": len(wanted.pictures),
                "refused": refused, "skipped": dict(wanted.skipped), "files_refused": files,
            }
        )  # fmt: skip
        return
    for one in refused[:_SHOWN]:
        say(printable(f"{one['entry']}: not added: {one['reason']}"))
    if len(refused) > _SHOWN:
        say(f"… {len(refused)} were not added")
    for reason, count in wanted.skipped.items():
        say(f"{count:,} of the export left out: {reason}")
    for one in files:
        say(printable(f"{one['file']}: refused: {one['reason']}: {one['detail']}"))
    made = "would be made, and " if new and dry_run else "made; " if new else ""
    verb = "would be " if dry_run else ""
    say(
        f"{bank}: {made}{edit.added:,} hashes {verb}added, {edit.changed:,} changed, {edit.removed:,} removed, "
        f"{edit.unchanged:,} were there"
    )
