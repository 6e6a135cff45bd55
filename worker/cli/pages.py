"""`moderator policies pages`: the pack as pages for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.errors import VIOLATION_OR_FAILED, CommandError
from worker.cli.options import AsJson, Policies
from worker.cli.output import emit_json, say
from worker.cli.packs import load
from worker.engine.cases import read_cases
from worker.engine.registry import Pack
from worker.engine.tomlfile import PackError
from worker.policy_pages import index, page


def pages(
    *,
    folder: Annotated[
        Path, typer.Argument(help="Where the pages go; made when missing.", show_default=False)
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 when a page is not current.")
    ] = False,
    policies: Policies = None,
    json: AsJson = False,
) -> None:
    """Writes a Markdown page for each policy: clause, what it looks for, what follows, every case with its reason."""
    try:
        wanted = made(load(policies))
    except PackError as error:
        raise CommandError(
            f"the cases cannot be read:\n{error}", hint="Correct the files named above."
        ) from error
    stale = [name for name, text in wanted.items() if _present(folder / name) != text]
    if not check and stale:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in stale:
                (folder / name).write_text(wanted[name], encoding="utf-8")
        except OSError as error:
            raise CommandError(
                f"{folder}: {error.strerror}", hint="Give a folder that you may write to."
            ) from error
    if json:
        emit_json({"pages": list(wanted), "changed": stale, "written": not check})
    else:
        verb = "not current" if check else "written"
        say(f"{len(wanted)} pages, {len(stale)} {verb}" + (f": {', '.join(stale)}" if stale else ""))
    if check and stale:
        raise typer.Exit(VIOLATION_OR_FAILED)


def made(pack: Pack) -> dict[str, str]:
    """The pages of a pack by file name.

    Raises:
        PackError: a file of cases is missing or malformed.
    """
    policies = [(loaded, read_cases(loaded)) for loaded in pack.policies]
    return {
        "README.md": index(policies),
        **{f"{loaded.policy.id}.md": page(loaded, file) for loaded, file in policies},
    }


def _present(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
