"""Reads the TOML files of a pack into models; what is wrong is named with file, line and reason."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a pack. `line` is 1-based, None when it has no place in the file."""

    file: Path
    line: int | None
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return f"{place}: {self.reason}"


class PackError(Exception):
    """A pack that cannot be used; `problems` names every fault found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def read_toml(file: Path, model: type[M], problems: list[Problem]) -> M | None:
    """Reads a TOML file into a model, or notes what is wrong with it, where."""
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
        return model.model_validate(data)
    except OSError as error:
        problems.append(Problem(file, None, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(file, None, "is not UTF-8"))
    except tomllib.TOMLDecodeError as error:
        message, line = _toml_place(str(error))
        problems.append(Problem(file, line, f"not valid TOML: {message}"))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        places = [fault["loc"] for fault in faults]
        for fault in faults:
            if any(place[: len(fault["loc"])] == fault["loc"] != place for place in places):
                continue  # only follows from a fault inside: "too short", of a list whose one item is wrong
            path = ".".join(str(part) for part in fault["loc"])
            problems.append(
                Problem(file, _line_of_path(text, data, fault["loc"]), f"{path or 'file'}: {fault['msg']}")
            )
    return None


def _toml_place(message: str) -> tuple[str, int | None]:
    """Splits "Expected '=' (at line 3, column 5)" into its message and line."""
    head, found, tail = message.partition(" (at line ")
    number = tail.partition(",")[0]
    return (head, int(number)) if found and number.isdigit() else (message, None)


def _line_of_path(text: str, data: object, path: tuple[int | str, ...]) -> int | None:
    """The line on which a key of a parsed TOML file stands, as well as a line search can tell.

    Walks the path: a table or array-of-tables header moves the start, the last key is looked for from there.
    """
    lines = text.splitlines()
    start, last, prefix = 0, None, ""
    for part in path:
        if isinstance(part, int):
            header = f"[[{prefix}]]"
            places = [n for n, line in enumerate(lines) if line.strip().startswith(header)]
            if part < len(places):
                start = last = places[part]
            continue
        prefix = f"{prefix}.{part}" if prefix else part
        # A key stands before the next table begins: one that is missing must not be found in another table.
        end = next((n for n in range(start + 1, len(lines)) if _begins_table(lines[n])), len(lines))
        for n in range(start, len(lines)):
            stripped = lines[n].strip()
            if stripped.startswith((f"[{prefix}]", f"[[{prefix}]]")) or (
                n < end and stripped.startswith((f"{part} ", f"{part}=", f'"{part}"'))
            ):
                start = last = n
                break
    return last + 1 if last is not None else None


def _begins_table(line: str) -> bool:
    """Whether a line is the header of a table: names and points between brackets, nothing else."""
    header = line.partition("#")[0].strip()
    name = header.strip("[]")
    return header.startswith("[") and header.endswith("]") and all(c.isalnum() or c in "._-" for c in name)
