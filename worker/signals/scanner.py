"""One pass over a text for every word list and every expression at once.

Literals go into one Aho-Corasick automaton. Expressions go into one Hyperscan database or, where Hyperscan is
missing, into one RE2 set: both run in time linear in the text and say which expressions match, not where.
Where, RE2 tells when it is asked for.
"""

from __future__ import annotations

import hashlib
import importlib
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import ahocorasick_rs
import re2

from worker.signals.regex import Regex, check_expression


def _installed(module: str) -> Any:
    """A module that not every platform has a wheel for; None there, and RE2 does its work."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


hyperscan = _installed("hyperscan")

Backend = Literal["auto", "hyperscan", "re2"]

_CACHE_VERSION = b"moderator-hyperscan-1"
_SET_MEMORY = 1 << 29  # bytes; an RE2 set that runs out of memory would answer "no match"
_SPAN_LIMIT = 100  # places told for one expression in one text


class RefusedExpressionError(ValueError):
    """An expression that cannot be used: it is the one at `index`, and the message says why."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


class Expressions:
    """All expressions of a pack, ready to scan with. Not for two threads at once: it has one scratch space.

    Args:
        patterns: RE2 expressions; a match is reported by its index.
        backend: "auto" takes Hyperscan where it is installed.
        cache_dir: where compiled Hyperscan databases are kept, by content; None keeps none. Whoever can
            write there can crash the process: it belongs to the worker alone.

    Raises:
        RefusedExpressionError: one of them is not accepted by RE2 or by Hyperscan.
    """

    def __init__(
        self, patterns: Sequence[str], *, backend: Backend = "auto", cache_dir: Path | None = None
    ) -> None:
        self.patterns = tuple(patterns)
        self.backend = (
            "hyperscan" if backend == "hyperscan" or (backend == "auto" and hyperscan is not None) else "re2"
        )
        self._compiled: dict[int, Regex] = {}
        for index, pattern in enumerate(self.patterns):
            try:
                check_expression(pattern)
            except ValueError as error:
                raise RefusedExpressionError(index, str(error)) from error
        self.scan: Callable[[bytes], list[int]] = (
            self._hyperscan(cache_dir) if self.backend == "hyperscan" else self._re2_set()
        )

    def spans(self, index: int, text: str) -> list[tuple[int, int]]:
        """Where an expression matches, leftmost first, half-open, without overlaps; at most 100 places."""
        compiled = self._compiled.get(index)
        if compiled is None:
            compiled = self._compiled[index] = Regex(self.patterns[index])
        return compiled.spans(text, _SPAN_LIMIT)

    def _re2_set(self) -> Callable[[bytes], list[int]]:
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = _SET_MEMORY
        patterns = re2.Set.SearchSet(options)
        for pattern in self.patterns:
            patterns.Add(pattern)
        if self.patterns:
            patterns.Compile()
        match: Callable[[bytes], list[int] | None] = patterns.Match

        def scan(data: bytes) -> list[int]:
            return sorted(match(data) or ()) if self.patterns else []

        return scan

    def _hyperscan(self, cache_dir: Path | None) -> Callable[[bytes], list[int]]:
        if hyperscan is None:
            raise RuntimeError("the backend hyperscan was asked for, and it is not installed: use auto")
        if not self.patterns:
            return lambda data: []
        database = _load_or_compile(self.patterns, cache_dir)
        found: list[int] = []
        add = found.append

        def on_match(index: int, start: int, end: int, flags: int, context: object) -> None:
            add(index)

        run = database.scan

        def scan(data: bytes) -> list[int]:
            try:
                run(data, on_match)
            except BaseException:
                found.clear()  # half a result must not be read as part of the next one
                raise
            if not found:
                return []
            out = sorted(found)
            found.clear()
            return out

        return scan


def _flags() -> int:
    # No UCP: \b, \w and \d are ASCII in RE2, and both must say the same.
    return int(hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_UTF8)


def _compile_hyperscan(patterns: Sequence[str]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.encode() for pattern in patterns],
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=_flags(),
    )
    return database


def hyperscan_refusal(pattern: str) -> str | None:
    """Why Hyperscan alone refuses a pattern that RE2 takes; None when it takes it too, or is not installed."""
    if hyperscan is None:
        return None
    try:
        _compile_hyperscan([pattern])
    except hyperscan.error as error:
        return str(error)
    return None


def _compile_or_blame(patterns: Sequence[str]) -> Any:
    try:
        return _compile_hyperscan(patterns)
    except hyperscan.error as error:
        for index, pattern in enumerate(patterns):
            try:
                _compile_hyperscan([pattern])
            except hyperscan.error as own:
                hint = (
                    f" (it has {len(pattern)} characters with its fragments: split it)"
                    if len(pattern) > 16_000
                    else ""
                )
                raise RefusedExpressionError(index, f"Hyperscan refuses it: {own}{hint}") from own
        raise RefusedExpressionError(0, f"Hyperscan refuses the expressions together: {error}") from error


def _load_or_compile(patterns: Sequence[str], cache_dir: Path | None) -> Any:
    """The database, from the cache where it is there and whole; a cache that cannot be used is passed over."""
    if cache_dir is None:
        return _compile_or_blame(patterns)
    digest = hashlib.sha256(_CACHE_VERSION)
    digest.update(f"{version('hyperscan')} {_flags()}".encode())
    for pattern in patterns:
        digest.update(b"\0" + pattern.encode())
    path = cache_dir / f"{digest.hexdigest()}.hsdb"
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() == data[:32]:
            database = hyperscan.loadb(data[32:], hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
            return database
    except (OSError, hyperscan.error):
        pass  # none there, unreadable, or made for another processor: built anew below
    database = _compile_or_blame(patterns)
    data = hyperscan.dumpb(database)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache_dir, suffix=".tmp", delete=False) as file:
            file.write(hashlib.sha256(data).digest() + data)
        Path(file.name).replace(path)
    except OSError:
        pass  # a cache that cannot be written costs time at the next start, nothing else
    return database


class Literals:
    """Word lists in one automaton.

    Args:
        terms: canonical texts, each once; a match is reported by its index.
        first: the index of the first.
    """

    def __init__(self, terms: Sequence[str], first: int = 0) -> None:
        # Standard kind with overlapping search: a longer term that fails the word test must not hide a
        # shorter one inside it that passes.
        self.find: Callable[[str], list[tuple[int, int, int]]] = _find_nothing
        """All matches as (index of the term, start, end), overlapping ones too, by their ends."""
        if terms:
            automaton = ahocorasick_rs.AhoCorasick(
                terms, matchkind=ahocorasick_rs.MatchKind.Standard, store_patterns=False
            )
            find = partial(automaton.find_matches_as_indexes, overlapping=True)
            self.find = find if first == 0 else lambda text: [(i + first, s, e) for i, s, e in find(text)]


def _find_nothing(text: str) -> list[tuple[int, int, int]]:
    return []


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether a span begins and ends where words do; scripts written without spaces always do."""
    return not (
        (start > 0 and _joined(text[start - 1], text[start]))
        or (end < len(text) and _joined(text[end - 1], text[end]))
    )


def _joined(left: str, right: str) -> bool:
    return _is_word(left) and _is_word(right) and not (_unspaced(left) or _unspaced(right))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_" or (char >= "\u0300" and unicodedata.category(char)[0] == "M")


def _unspaced(char: str) -> bool:
    """Whether a character belongs to a script that does not put spaces between words."""
    return (
        "\u0e00" <= char <= "\u0eff"
        or "\u1000" <= char <= "\u109f"
        or "\u1780" <= char <= "\u17ff"
        or (
            "\u3040" <= char <= "\u30ff"
            or "\u3400" <= char <= "\u9fff"
            or "\U00020000" <= char <= "\U0003ffff"
        )
    )  # Thai and Lao, Burmese, Khmer, kana, Chinese characters
