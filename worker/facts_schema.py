"""Writes the JSON Schema of a pack's facts, for editors and for whoever makes such files by program.

`python -m worker.facts_schema` writes `schemas/facts/`; with `--check` it only says which files differ and exits with 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from worker.engine.facts import json_schemas

FOLDER: Final = Path(__file__).resolve().parent.parent / "schemas" / "facts"


def documents() -> dict[str, str]:
    """The text of every exported file by its name."""
    return {
        f"{name.removesuffix('.toml')}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in json_schemas().items()
    }


def differing(folder: Path = FOLDER) -> list[str]:
    """Names of the files that are missing or are not what the models say."""
    return [
        name
        for name, text in documents().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the files; the exit code is 1 when a check finds a difference."""
    check = "--check" in (sys.argv[1:] if arguments is None else arguments)
    wrong = differing()
    for name in wrong:
        if check:
            sys.stderr.write(f"{name} is not what the models say; run: python -m worker.facts_schema\n")
        else:
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / name).write_text(documents()[name], encoding="utf-8", newline="\n")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
