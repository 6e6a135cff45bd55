"""From policy files to what the scanner takes: fragments expanded, lists read, every fault with its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from worker.engine.policy import Terms
from worker.signals.canonical import canonicalise


class PatternError(Exception):
    """A term or expression of a policy that cannot be used; `line` counts from 1."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


def locate(toml_text: str, pattern: str) -> int:
    """The line of a TOML text, from 1, on which a string with this value stands; 1 when it is not found."""
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    for quoted in (f"'{pattern}'", f'"{escaped}"', pattern, escaped):
        place = toml_text.find(quoted)
        if place >= 0:
            return toml_text.count("\n", 0, place) + 1
    return 1


def expand(pattern: str, fragments: dict[str, str]) -> str:
    """A pattern with its `{{name}}` replaced by the fragments, each as a group of its own.

    Raises:
        ValueError: a fragment is unknown, or contains itself.
    """
    return _expand(pattern, fragments, ())


def _expand(pattern: str, fragments: dict[str, str], stack: tuple[str, ...]) -> str:
    parts: list[str] = []
    rest = pattern
    while True:
        before, opening, after = rest.partition("{{")
        parts.append(before)
        if not opening:
            return "".join(parts)
        name, closing, rest = after.partition("}}")
        name = name.strip()
        if not closing:
            raise ValueError("a fragment is opened with {{ and never closed")
        if name not in fragments:
            raise ValueError(
                f"unknown fragment {{{{{name}}}}}; known: {', '.join(sorted(fragments)) or 'none'}"
            )
        if name in stack:
            raise ValueError(f"fragment {{{{{name}}}}} contains itself: {' -> '.join((*stack, name))}")
        parts.append(f"(?:{_expand(fragments[name], fragments, (*stack, name))})")


def list_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The terms of a list file with their lines; `#` at the start of a line or after a blank starts a comment."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        term = "" if line.startswith("#") else line.partition(" #")[0].partition("\t#")[0].strip()
        if term:
            yield number, term


def canonical_term(term: str, match: str) -> str:
    """A term as the scanner looks for it.

    Raises:
        ValueError: nothing, or too little to be told apart, is left of it.
    """
    folded = canonicalise(term).text
    if not folded:
        raise ValueError("the term is empty once it is folded")
    if folded.isascii() and len(folded) < (3 if match == "substring" else 2):
        raise ValueError(f"the term is too short for match = {match!r}")
    return folded


# How Arabic is written in haste: alef without its hamza, ta marbuta as ha, alef maqsura as ya.
_HASTY = (str.maketrans("أإآٱ", "اااا"), str.maketrans("ة", "ه"), str.maketrans("ى", "ي"))


def spellings(term: str) -> tuple[str, ...]:
    """A canonical term and the other ways in which people write it; only Arabic has any."""
    found = [term]
    for table in _HASTY:
        found += [other for known in found if (other := known.translate(table)) != known]
    return tuple(found)


def list_terms(entry: Terms, toml_path: Path, toml_text: str) -> Iterator[str]:
    """The canonical terms of one entry, from the TOML file itself and the list beside it.

    Raises:
        PatternError: a term cannot be used, or the list cannot be read.
    """
    folder = toml_path.parent
    for term in entry.terms:
        try:
            yield from spellings(canonical_term(term, entry.match))
        except ValueError as error:
            raise PatternError(toml_path, locate(toml_text, term), f"{entry.name}: {error}") from error
    if entry.file is None:
        return
    path = folder / entry.file
    if not path.resolve().is_relative_to(folder.resolve()):
        line = locate(toml_text, entry.file)
        raise PatternError(toml_path, line, f"{entry.name}: the list lies outside the folder of its file")
    try:
        lines = list(list_lines(path))
    except (OSError, UnicodeDecodeError) as error:
        line = locate(toml_text, entry.file)
        raise PatternError(
            toml_path, line, f"{entry.name}: the list {entry.file} cannot be read: {error}"
        ) from error
    for number, term in lines:
        try:
            yield from spellings(canonical_term(term, entry.match))
        except ValueError as error:
            raise PatternError(path, number, f"{entry.name}: {error}") from error


def words_of(pattern: str) -> Iterator[str]:
    """The rows of four and more ASCII letters that an expression spells out."""
    word: list[str] = []
    escaped = False
    for char in f"{pattern} ":
        if not escaped and "a" <= char <= "z":
            word.append(char)
            continue
        if len(word) >= 4:
            yield "".join(word)
        word = []
        escaped = char == "\\" and not escaped
