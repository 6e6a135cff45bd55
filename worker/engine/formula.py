"""Boolean formulas over signals, as policy files write them: `a.b & (c.d | is.quoted) & !e.f@field`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

from worker.signals.view import Discourse

Scope = Literal["sentence", "near", "field", "item", "subject", "thread"]
SCOPES: tuple[str, ...] = get_args(Scope)
FLAG = "is."
FLAGS: frozenset[str] = frozenset(Discourse.__dataclass_fields__)
_MARKS = frozenset("&|!()")
_DEEPEST = 32  # brackets within brackets; nobody can read more, and the parser is recursive


class FormulaError(ValueError):
    """A formula that cannot be read; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A signal that must have fired within a scope (None: the finding's own), or a flag of discourse."""

    name: str
    scope: Scope | None = None

    @property
    def flag(self) -> str | None:
        """The flag of `Discourse` that this reads, None for a signal."""
        return self.name.removeprefix(FLAG) if self.name.startswith(FLAG) else None

    def __str__(self) -> str:
        return self.name if self.scope is None else f"{self.name}@{self.scope}"


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is not."""

    part: Formula

    def __str__(self) -> str:
        return f"!{self.part}"


@dataclass(frozen=True, slots=True)
class Both:
    """True when all parts are (`every`), or when one is."""

    every: bool
    parts: tuple[Formula, ...]

    def __str__(self) -> str:
        return f"({(' & ' if self.every else ' | ').join(map(str, self.parts))})"


Formula = Atom | Not | Both


def parse(text: str) -> Formula:
    """Reads a formula; `!` binds stronger than `&`, `&` stronger than `|`.

    Raises:
      FormulaError: it is no formula, or names a flag or a scope that does not exist.
    """
    tokens = list(_tokens(text))
    parser = _Parser(tokens)
    formula = parser.either(0)
    if parser.place < len(tokens):
        raise FormulaError(f"unexpected {tokens[parser.place]!r} in {text!r}")
    return formula


def holds(formula: Formula, test: Callable[[Atom], bool]) -> bool:
    """Whether a formula is true when `test` tells it of each atom; what cannot matter is not asked."""
    if isinstance(formula, Atom):
        return test(formula)
    if isinstance(formula, Not):
        return not holds(formula.part, test)
    return (all if formula.every else any)(holds(part, test) for part in formula.parts)


def atoms(formula: Formula) -> Iterator[Atom]:
    """All atoms, from left to right, repeated ones too."""
    if isinstance(formula, Atom):
        yield formula
    elif isinstance(formula, Not):
        yield from atoms(formula.part)
    else:
        for part in formula.parts:
            yield from atoms(part)


def asserted(formula: Formula) -> Iterator[Atom]:
    """The atoms that speak for the formula: those under no `!`."""
    if isinstance(formula, Atom):
        yield formula
    elif isinstance(formula, Both):
        for part in formula.parts:
            yield from asserted(part)


def _tokens(text: str) -> Iterator[str]:
    word = ""
    for char in text:
        if char in _MARKS or char.isspace():
            if word:
                yield word
            word = ""
            if char in _MARKS:
                yield char
        else:
            word += char
    if word:
        yield word


class _Parser:
    """Recursive descent over the tokens, one method a level."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.place = 0

    def either(self, depth: int) -> Formula:
        return self._chain("|", False, depth)

    def _chain(self, mark: str, every: bool, depth: int) -> Formula:
        part = self._factor(depth) if every else self._chain("&", True, depth)
        parts = [part]
        while self._next() == mark:
            self.place += 1
            parts.append(self._factor(depth) if every else self._chain("&", True, depth))
        return parts[0] if len(parts) == 1 else Both(every, tuple(parts))

    def _factor(self, depth: int) -> Formula:
        mark = self._next()
        if mark is None:
            raise FormulaError("the formula ends where a signal was expected")
        if depth > _DEEPEST:
            raise FormulaError("the formula is nested too deeply")
        self.place += 1
        if mark == "!":
            return Not(self._factor(depth + 1))
        if mark == "(":
            formula = self.either(depth + 1)
            if self._next() != ")":
                raise FormulaError("a bracket is opened and never closed")
            self.place += 1
            return formula
        if mark in _MARKS:
            raise FormulaError(f"unexpected {mark!r} where a signal was expected")
        return _atom(mark)

    def _next(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None


def _atom(token: str) -> Atom:
    name, at, scope = token.partition("@")
    if at and scope not in SCOPES:
        raise FormulaError(f"{token}: unknown scope; one of {', '.join(SCOPES)}")
    if at and name.startswith(FLAG):
        raise FormulaError(f"{token}: a flag says how the anchor is used; it has no scope")
    if name.startswith(FLAG) and name.removeprefix(FLAG) not in FLAGS:
        raise FormulaError(f"{name}: unknown flag; one of {', '.join(sorted(FLAG + flag for flag in FLAGS))}")
    if "." not in name:
        raise FormulaError(f"{name}: a signal's name has a family and a dot, as in transaction.offer")
    return Atom(name, cast("Scope", scope) if at else None)
