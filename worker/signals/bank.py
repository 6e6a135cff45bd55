"""Everything that is measured on a text, built once from all policies and run once per subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from worker.engine.contract import Subject
from worker.engine.policy import Policy
from worker.signals.canonical import FIRST_DISGUISE, REWORK, Canonical, one_blank, tidy
from worker.signals.deobfuscation import SPLITS
from worker.signals.detectors import Detector, load_detectors
from worker.signals.folding import fold
from worker.signals.measured import FieldScan, MeasuredSignals
from worker.signals.regex import check_expression
from worker.signals.scanner import (
    Backend,
    Expressions,
    Literals,
    RefusedExpressionError,
    is_whole,
)
from worker.signals.terms import PatternError, canonical_term, expand, locate, policy_terms, words_of
from worker.signals.view import Hit
from worker.signals.vocabulary import DEFAULT_VOCABULARY

__all__ = ["BankSource", "PatternError", "SignalBank", "locate"]

_REWORK = len(REWORK)
_NONE: frozenset[str] = frozenset()


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
class _Entry:
    """What a term or an expression reports. `languages` None: it is meant for any language."""

    name: str
    score: float
    detail: str
    languages: frozenset[str] | None
    whole: bool = False


@dataclass(slots=True)
class _Pass:
    """Expressions that are run together: what they report and where each was written."""

    patterns: list[str] = field(default_factory=list)
    entries: list[_Entry] = field(default_factory=list)
    origins: list[tuple[Path, str, str]] = field(default_factory=list)  # file, its text, the pattern in it

    def compile(
        self, before: Sequence[str], after: Sequence[str], backend: Backend, cache_dir: Path | None
    ) -> Expressions:
        """All of them between others that are not the policies' own."""
        try:
            return Expressions([*before, *self.patterns, *after], backend=backend, cache_dir=cache_dir)
        except RefusedExpressionError as error:
            place = error.index - len(before)
            if not 0 <= place < len(self.origins):
                raise
            path, toml_text, written = self.origins[place]
            raise PatternError(path, locate(toml_text, written), error.reason) from error


class SignalBank:
    """All signals of a pack. One bank serves one thread.

    Args:
        policies: the loaded policies; their terms and expressions become signals.
        extra_terms: further terms by signal name, whole words in any language, score 1.
        cache_dir: where compiled expressions are kept between starts; None keeps none.
        backend: "auto" takes Hyperscan where it is installed, else RE2; both give the same results.
        needs: names that rules read; detectors that report none of them are left out. None keeps all.
        gates: names that make some rule look at a subject at all. All other terms and expressions are looked
            for only in subjects in which one of these fired; on the rest nothing is reported. None: every name is a gate.
        detectors: instead of those of the detectors folder.

    Raises:
        PatternError: a term, expression, fragment or list cannot be used; it names file, line and reason.
    """

    def __init__(
        self,
        policies: Sequence[PolicySource],
        extra_terms: Sequence[tuple[str, Sequence[str]]] = (),
        cache_dir: Path | None = None,
        backend: Backend = "auto",
        needs: Collection[str] | None = None,
        gates: Collection[str] | None = None,
        detectors: Sequence[Detector] | None = None,
    ) -> None:
        every = load_detectors() if detectors is None else tuple(detectors)
        self._detectors = tuple(d for d in every if needs is None or not d.names.isdisjoint(needs))
        self._gates = None if gates is None else frozenset(gates)
        self._gate_terms: dict[str, list[_Entry]] = {}
        self._context_terms: dict[str, list[_Entry]] = {}
        self._words: set[str] = set()
        first, second = _Pass(), _Pass()
        for source in policies:
            self._take_policy(source, first, second)
        for name, terms in extra_terms:
            entry = _Entry(name, 1.0, "", None, whole=True)
            for term in terms:
                self._add_term(canonical_term(term, "word"), entry)
        triggers = [trigger for detector in self._detectors for trigger in detector.triggers]
        self._trigger_owner = [index for index, d in enumerate(self._detectors) for _ in d.triggers]
        self._first_trigger = _REWORK + len(first.patterns)
        self._expressions = first.compile(REWORK, triggers, backend, cache_dir)
        self._context = second.compile((), (), backend, cache_dir)
        self._rules = first.entries  # by index of the expression less those of REWORK
        self._context_rules = second.entries
        for split in SPLITS:  # found in the same pass; they report nothing, but show that a word is disguised
            self._gate_terms.setdefault(split, [])
        self._literals = Literals(list(self._gate_terms))
        self._context_literals = Literals(list(self._context_terms), first=len(self._gate_terms))
        self._entries = [*self._gate_terms.values(), *self._context_terms.values()]
        self._splits = frozenset(index for index, term in enumerate(self._gate_terms) if term in SPLITS)
        self._anywhere = self._indexes(lambda entry: not entry.whole)
        self._vocabulary = DEFAULT_VOCABULARY.including(self._words)
        self.names: frozenset[str] = frozenset(
            {entry.name for entries in self._entries for entry in entries}
            | {entry.name for entry in (*self._rules, *self._context_rules)}
            | {name for detector in self._detectors for name in detector.names}
        )

    @property
    def backend(self) -> str:
        """The engine that runs the expressions: "hyperscan" or "re2"."""
        return self._expressions.backend

    def _take_policy(self, source: PolicySource, first: _Pass, second: _Pass) -> None:
        policy, folder = source.policy, source.folder
        path = folder / "policy.toml"
        toml_text = path.read_text("utf-8") if path.is_file() else ""
        for terms in policy.terms:
            languages = _languages(terms.languages, policy)
            entry = _Entry(terms.name, terms.score, terms.detail, languages, terms.match == "word")
            for term in policy_terms(terms, folder, toml_text):
                self._add_term(term, entry)
                if term.isascii() and term.isalpha() and len(term) > 3:
                    self._words.add(term)
        for expressions in policy.expressions:
            languages = _languages(expressions.languages, policy)
            entry = _Entry(expressions.name, expressions.score, expressions.detail, languages)
            target = first if self._gates is None or entry.name in self._gates else second
            for written in expressions.patterns:
                try:
                    pattern = expand(written, policy.fragments)
                    check_expression(pattern)
                except ValueError as error:
                    raise PatternError(
                        path, locate(toml_text, written), f"{expressions.name}: {error}"
                    ) from error
                target.patterns.append(pattern)
                target.origins.append((path, toml_text, written))
                target.entries.append(entry)
                self._words.update(words_of(pattern))

    def _add_term(self, term: str, entry: _Entry) -> None:
        gate = self._gates is None or entry.name in self._gates
        entries = (self._gate_terms if gate else self._context_terms).setdefault(term, [])
        if entry not in entries:
            entries.append(entry)

    def _indexes(self, holds: Callable[[_Entry], bool]) -> frozenset[int]:
        """The terms of which one entry holds what is asked."""
        return frozenset(index for index, entries in enumerate(self._entries) if any(map(holds, entries)))

    def measure(self, subjects: Sequence[Subject]) -> list[MeasuredSignals]:
        """The measurements of each subject, in order.

        What cannot be measured is named in `failed` of that subject alone; the others go on.
        """
        return [self._measure(subject) for subject in subjects]

    def _measure(self, subject: Subject) -> MeasuredSignals:
        canonicals: dict[str, Canonical] = {}
        scans: list[FieldScan] = []
        failed: set[str] = set()
        try:
            for name, received in subject.fields.items():
                canonicals[name] = self._scan_field(name, received, scans, failed)
            if scans and self._gates is not None:
                if self._is_open(scans):
                    self._scan_context(canonicals, scans)
                else:
                    scans.clear()
        except Exception:  # noqa: BLE001 - whatever fails here fails for this subject only, and is not read as clear
            return MeasuredSignals(subject.lang, canonicals, failed=self.names)
        if not scans:
            return MeasuredSignals(subject.lang, canonicals, failed=frozenset(failed) if failed else _NONE)
        fired, uncovered = self._names(scans, subject.lang)
        return MeasuredSignals(
            subject.lang,
            canonicals,
            frozenset(fired),
            scans,
            self._locate,
            frozenset(failed),
            frozenset(uncovered),
        )

    def _scan_field(self, field: str, received: str, scans: list[FieldScan], failed: set[str]) -> Canonical:
        folded = fold(received)
        text = one_blank(folded)
        canonical = Canonical(received, text, (text,), None if text is folded else folded, self._vocabulary)
        found = self._expressions.scan(text.encode())
        if found and found[0] < FIRST_DISGUISE:
            canonical = tidy(received, folded, self._vocabulary)
            if canonical.text != text:
                text = canonical.text
                found = self._expressions.scan(text.encode())
        literals = self._literals.find(text)
        disguised = (
            bool(found) and found[0] < _REWORK and any(FIRST_DISGUISE <= index < _REWORK for index in found)
        )
        if literals:
            literals = self._whole_words(text, literals)
            if any(match[0] in self._splits for match in literals):
                disguised = True
                literals = [match for match in literals if self._entries[match[0]]]
        if disguised:
            canonical = canonical.with_disguises_undone()
            if len(canonical.variants) > 1:
                self._scan_variant(field, canonical, scans)
        if found or literals:
            first = self._first_trigger
            rules = [index for index in found if _REWORK <= index < first]
            hits: list[Hit] = []
            exact: list[int] = []
            if found and found[-1] >= first:
                self._detect(field, text, [index for index in found if index >= first], hits, exact, failed)
            if rules or literals or hits or exact:
                scans.append(FieldScan(field, canonical, 0, literals, rules, (), hits, exact))
        return canonical

    def _is_open(self, scans: list[FieldScan]) -> bool:
        """Whether anything fired that makes a rule look."""
        assert self._gates is not None
        for scan in scans:
            if scan.expressions or any(hit.signal in self._gates for hit in scan.found):
                return True
            if any(not self._detectors[owner].names.isdisjoint(self._gates) for owner in scan.exact):
                return True
            if scan.literals:
                return True
        return False

    def _scan_context(self, canonicals: dict[str, Canonical], scans: list[FieldScan]) -> None:
        """The second pass, over all fields: what is said around is measured where something fired."""
        known = {(scan.field, scan.variant): scan for scan in scans}
        for name, canonical in canonicals.items():
            for variant, text in enumerate(canonical.variants):
                found = self._context.scan(text.encode())
                literals = self._whole_words(text, self._context_literals.find(text))
                if not found and not literals:
                    continue
                scan = known.get((name, variant))
                if scan is None:
                    scans.append(FieldScan(name, canonical, variant, literals, context=found))
                else:
                    scan.context = found
                    scan.literals = [*scan.literals, *literals]

    def _scan_variant(self, field: str, canonical: Canonical, scans: list[FieldScan]) -> None:
        text = canonical.variants[1]
        rules = [i for i in self._expressions.scan(text.encode()) if _REWORK <= i < self._first_trigger]
        literals = self._whole_words(text, self._literals.find(text))
        if rules or literals:
            scans.append(FieldScan(field, canonical, 1, literals, rules))

    def _whole_words(self, text: str, matches: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """The matches that count for at least one of their signals."""
        anywhere = self._anywhere
        return [match for match in matches if is_whole(text, match[1], match[2]) or match[0] in anywhere]

    def _detect(
        self, field: str, text: str, triggers: list[int], hits: list[Hit], exact: list[int], failed: set[str]
    ) -> None:
        owners = dict.fromkeys(self._trigger_owner[index - self._first_trigger] for index in triggers)
        for owner in owners:
            detector = self._detectors[owner]
            if getattr(detector, "exact", False):
                exact.append(owner)
                continue
            try:
                hits.extend(self._run(owner, field, text))
            except Exception:  # noqa: BLE001 - one detector's failure is named and must not stop the others
                failed.update(detector.names)

    def _run(self, owner: int, field: str, text: str) -> list[Hit]:
        spans = {
            span
            for place, one in enumerate(self._trigger_owner)
            if one == owner
            for span in self._expressions.spans(self._first_trigger + place, text)
        }
        return self._detectors[owner].detect(field, text, sorted(spans))

    def _names(self, scans: list[FieldScan], lang: str | None) -> tuple[set[str], set[str]]:
        """The names that fired, and those of them that fired in uncovered languages only."""
        covered: set[str] = set()
        uncovered: set[str] = set()
        unknown = lang is None or lang == "und"
        for scan in scans:
            for entry in self._fired_entries(scan):
                if unknown or entry.languages is None or lang in entry.languages:
                    covered.add(entry.name)
                else:
                    uncovered.add(entry.name)
            covered.update(hit.signal for hit in scan.found)
            for owner in scan.exact:
                covered |= self._detectors[owner].names
        uncovered -= covered
        return covered | uncovered, uncovered

    def _fired_entries(self, scan: FieldScan) -> list[_Entry]:
        fired = [self._rules[index - _REWORK] for index in scan.expressions]
        fired += [self._context_rules[index] for index in scan.context]
        if scan.literals:
            text = scan.canonical.variants[scan.variant]
            for index, start, end in scan.literals:
                for entry in self._entries[index]:
                    if not entry.whole or is_whole(text, start, end):
                        fired.append(entry)
        return fired

    def _locate(self, scan: FieldScan, name: str) -> list[Hit]:
        """The hits of one signal in one variant of one field."""
        text = scan.canonical.variants[scan.variant]
        hits = [hit for hit in scan.found if hit.signal == name]
        for owner in scan.exact:
            if name in self._detectors[owner].names:
                hits.extend(self._run(owner, scan.field, text))
        for index, start, end in scan.literals:
            for entry in self._entries[index]:
                if entry.name == name and (not entry.whole or is_whole(text, start, end)):
                    hits.append(Hit(name, scan.field, start, end, entry.score, entry.detail, scan.variant))
        passes = (
            (self._expressions, self._rules, scan.expressions, _REWORK),
            (self._context, self._context_rules, scan.context, 0),
        )
        for expressions, entries, indexes, offset in passes:
            for index in indexes:
                entry = entries[index - offset]
                if entry.name == name:
                    for start, end in expressions.spans(index, text):
                        hits.append(
                            Hit(name, scan.field, start, end, entry.score, entry.detail, scan.variant)
                        )
        return hits


def _languages(own: tuple[str, ...] | None, policy: Policy) -> frozenset[str] | None:
    languages = policy.languages if own is None else own
    return None if "*" in languages else frozenset(languages)
