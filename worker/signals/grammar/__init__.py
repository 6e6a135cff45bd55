"""The shared grammar: signals that any rule may read by name, as data in the TOML files of this folder.

A file is one family of signals ("who", "mode", "group", …) with `fragments`, `[[terms]]` and `[[expressions]]`
as in a policy. A bank takes a signal from here only when some rule needs it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from worker.engine.policy import Expressions, Terms
from worker.signals.terms import PatternError

FOLDER = Path(__file__).resolve().parent
Languages = Annotated[tuple[str, ...], Field(min_length=1)]  # primary subtags; ("*",): any


class Precision(BaseModel):
    """How many of the hits that were read were right for the signal's meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    right: Annotated[int, Field(ge=0)]
    judged: Annotated[int, Field(gt=0)]
    read: date

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.right > self.judged:
            raise ValueError("more hits are right than were judged")
        return self


class GrammarTerms(Terms):
    """A word list of the grammar. `meaning` is one plain sentence; one entry of a signal must carry it.

    Each term is looked for with each of `prefixes` written in front of it as well: Arabic joins its article,
    "and" and some prepositions to the noun.
    """

    languages: Languages
    prefixes: tuple[str, ...] = ()
    meaning: str = ""
    precision: Precision | None = None


class GrammarExpressions(Expressions):
    """Expressions of the grammar. `meaning` is one plain sentence; one entry of a signal must carry it."""

    languages: Languages
    meaning: str = ""
    precision: Precision | None = None


class GrammarFile(BaseModel):
    """One family of shared signals; `path` is the file that it was read from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    family: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    summary: Annotated[str, Field(min_length=1)]
    fragments: dict[str, str] = {}
    terms: tuple[GrammarTerms, ...] = ()
    expressions: tuple[GrammarExpressions, ...] = ()

    @property
    def entries(self) -> tuple[GrammarTerms | GrammarExpressions, ...]:
        """All lists and expressions, lists first."""
        return (*self.terms, *self.expressions)

    @property
    def names(self) -> frozenset[str]:
        """The signals of the family."""
        return frozenset(entry.name for entry in self.entries)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        explained = {entry.name for entry in self.entries if entry.meaning}
        for entry in self.entries:
            if not entry.name.startswith(f"{self.family}."):
                raise ValueError(f"{entry.name} does not belong to the family {self.family}")
            if entry.name not in explained:
                raise ValueError(f"{entry.name} has no meaning: say in one plain sentence what it tells")
        return self


@cache
def load_grammar(folder: Path = FOLDER) -> tuple[GrammarFile, ...]:
    """All grammar files of a folder, in the order of their names.

    Raises:
        PatternError: a file cannot be read, or a signal stands in two of them; it names file, line and reason.
    """
    files = tuple(_read(path) for path in sorted(folder.glob("*.toml")))
    owner: dict[str, Path] = {}
    for file in files:
        for name in sorted(file.names):
            if owner.setdefault(name, file.path) != file.path:
                raise PatternError(file.path, 1, f"{name} already stands in {owner[name].name}")
    return files


def _read(path: Path) -> GrammarFile:
    try:
        text = path.read_text("utf-8")
        return GrammarFile.model_validate({**tomllib.loads(text), "path": path})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PatternError(path, 1, f"cannot be read: {error}") from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        reason = f"{place or 'file'}: {fault['msg']}"
        raise PatternError(path, _line_of(text, fault["loc"]), reason) from error


def _line_of(text: str, place: tuple[int | str, ...]) -> int:
    """The line, from 1, of the entry that a fault lies in; 1 for a fault of the file as a whole."""
    match place:
        case (str(table), int(number), *_):
            return next(_places(text, f"[[{table}]]", number), 1)
        case _:
            return 1


def _places(text: str, header: str, skip: int) -> Iterator[int]:
    for line, written in enumerate(text.splitlines(), 1):
        if written.strip() == header:
            if not skip:
                yield line
            skip -= 1
