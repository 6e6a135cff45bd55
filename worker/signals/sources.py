"""Where a bank's word lists and expressions come from: the policies of a pack, and the shared grammar."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from worker.engine.policy import Expressions, Policy, Terms
from worker.signals.grammar import GrammarFile, GrammarTerms
from worker.signals.regex import check_expression
from worker.signals.scanner import Backend, RefusedExpressionError
from worker.signals.shards import ShardedExpressions
from worker.signals.terms import PatternError, expand, list_terms, locate


class PolicySource(Protocol):
    """A policy and the folder that its `policy.toml` and lists lie in."""

    @property
    def policy(self) -> Policy:
        """The parsed policy."""
        ...

    @property
    def folder(self) -> Path:
        """Where its files are."""
        ...


@dataclass(frozen=True, slots=True)
class BankSource:
    """The plainest `PolicySource`."""

    policy: Policy
    folder: Path


@dataclass(frozen=True, slots=True)
class Entry:
    """What a term or an expression reports. `languages` None: it is meant for any language."""

    name: str
    score: float
    detail: str
    languages: frozenset[str] | None
    whole: bool = False

    def covers(self, lang: str | None) -> bool:
        """Whether it is meant for texts in this language; it is for those whose language is unknown."""
        return self.languages is None or lang is None or lang == "und" or lang in self.languages


@dataclass(frozen=True, slots=True)
class PatternSource:
    """Lists and expressions as they stand in one file, with what it takes to point at a fault in it."""

    path: Path
    text: str  # of the file; "" when there is none
    terms: Sequence[Terms]
    expressions: Sequence[Expressions]
    fragments: dict[str, str]
    languages: Collection[str]  # of an entry that names none

    def listed(self) -> Iterator[tuple[str, Entry]]:
        """Each canonical term with what it reports.

        Raises:
            PatternError: a term or a list cannot be used.
        """
        for terms in self.terms:
            entry = Entry(
                terms.name,
                terms.score,
                terms.detail,
                self._covered(terms.languages),
                whole=terms.match == "word",
            )
            prefixes = terms.prefixes if isinstance(terms, GrammarTerms) else ()
            for term in list_terms(terms, self.path, self.text):
                yield term, entry
                for prefix in prefixes:
                    yield prefix + term, entry

    def written(self) -> Iterator[tuple[str, str, Entry]]:
        """Each expression with its fragments in place, as it was written, and what it reports.

        Raises:
            PatternError: an expression or a fragment cannot be used.
        """
        for expressions in self.expressions:
            languages = self._covered(expressions.languages)
            entry = Entry(expressions.name, expressions.score, expressions.detail, languages)
            for pattern in expressions.patterns:
                try:
                    expanded = expand(pattern, self.fragments)
                    check_expression(expanded)
                except ValueError as error:
                    line = locate(self.text, pattern)
                    raise PatternError(self.path, line, f"{expressions.name}: {error}") from error
                yield expanded, pattern, entry

    def _covered(self, own: Collection[str] | None) -> frozenset[str] | None:
        languages = self.languages if own is None else own
        return None if "*" in languages else frozenset(languages)


def policy_patterns(source: PolicySource) -> PatternSource:
    """What a policy brings."""
    path = source.folder / "policy.toml"
    policy = source.policy
    text = path.read_text("utf-8") if path.is_file() else ""
    return PatternSource(path, text, policy.terms, policy.expressions, policy.fragments, policy.languages)


def grammar_patterns(file: GrammarFile, needs: Collection[str] | None) -> PatternSource:
    """What a file of the grammar brings to those who need these signals; None: all of them."""
    terms = [entry for entry in file.terms if needs is None or entry.name in needs]
    expressions = [entry for entry in file.expressions if needs is None or entry.name in needs]
    text = file.path.read_text("utf-8") if (terms or expressions) and file.path.is_file() else ""
    return PatternSource(file.path, text, terms, expressions, file.fragments, ())


@dataclass(slots=True)
class ExpressionPass:
    """Expressions that are run together: what they report and where each was written."""

    patterns: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    origins: list[tuple[PatternSource, str]] = field(default_factory=list)  # and the pattern as written

    def add(self, pattern: str, entry: Entry, source: PatternSource, written: str) -> None:
        """One more expression."""
        self.patterns.append(pattern)
        self.entries.append(entry)
        self.origins.append((source, written))

    def compile(
        self, before: Sequence[str], after: Sequence[str], backend: Backend, cache_dir: Path | None
    ) -> ShardedExpressions:
        """All of them between others that no file declares.

        Raises:
            PatternError: the scanner refuses one of them.
        """
        try:
            return ShardedExpressions(
                [*before, *self.patterns, *after],
                [
                    *(None for _ in before),
                    *(entry.languages for entry in self.entries),
                    *(None for _ in after),
                ],
                backend=backend,
                cache_dir=cache_dir,
            )
        except RefusedExpressionError as error:
            place = error.index - len(before)
            if not 0 <= place < len(self.origins):
                raise
            source, written = self.origins[place]
            raise PatternError(source.path, locate(source.text, written), error.reason) from error
