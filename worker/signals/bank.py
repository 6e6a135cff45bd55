"""Everything that is measured on a text, built once from all policies and run once per subject."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.canonical import FIRST_DISGUISE, REWORK, Canonical, one_blank, tidy
from worker.signals.deobfuscation import SPLITS
from worker.signals.detectors import Detector, load_detectors
from worker.signals.folding import fold
from worker.signals.grammar import GrammarFile, load_grammar
from worker.signals.measured import FieldScan, MeasuredSignals
from worker.signals.observers import Observer, load_observers
from worker.signals.observing import Observing
from worker.signals.scanner import Backend, Literals, is_whole
from worker.signals.shards import cues
from worker.signals.sources import (
    BankSource,
    Entry,
    ExpressionPass,
    PatternSource,
    PolicySource,
    grammar_patterns,
    policy_patterns,
)
from worker.signals.terms import PatternError, canonical_term, locate, words_of
from worker.signals.view import Hit
from worker.signals.vocabulary import DEFAULT_VOCABULARY

__all__ = ["BankSource", "PatternError", "SignalBank", "locate"]

_REWORK = len(REWORK)
_NONE: frozenset[str] = frozenset()
_NO_TEXT = Canonical("", "", ("",))


@dataclass(slots=True)
class _Draft:
    """One text on its way through the first pass. `found` None: it was not scanned, or that failed."""

    field: str
    received: str
    folded: str
    text: str
    lang: str | None
    literals: list[tuple[int, int, int]]
    at_play: Collection[str] | None
    found: list[int] | None = None


class SignalBank:
    """All signals of a pack. One bank serves one thread.

    Args:
        policies: the loaded policies; their terms and expressions become signals.
        extra_terms: further terms by signal name, whole words in any language, score 1.
        cache_dir: where compiled expressions are kept between starts; None keeps none.
        backend: "auto" takes Hyperscan where it is installed, else RE2; both give the same results.
        needs: names that rules read; detectors and signals of the grammar that nobody reads are left out.
            None keeps all.
        gates: names that make some rule look at a subject at all. All other terms and expressions are looked
            for only in subjects in which one of these fired; on the rest nothing is reported. None: every name is a gate.
        detectors: instead of those of the detectors folder.
        grammar: instead of the files of the grammar folder.
        observers: instead of those of the observers folder.
        facts: what observers look up; none by default.

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
        grammar: Sequence[GrammarFile] | None = None,
        observers: Sequence[Observer] | None = None,
        facts: Facts | None = None,
    ) -> None:
        every = load_detectors() if detectors is None else tuple(detectors)
        self._detectors = tuple(d for d in every if needs is None or not d.names.isdisjoint(needs))
        self._gates = None if gates is None else frozenset(gates)
        seen = load_observers() if observers is None else observers
        self._observing = Observing(seen, Facts() if facts is None else facts, needs, self._gates)
        self._gate_terms: dict[str, list[Entry]] = {}
        self._context_terms: dict[str, list[Entry]] = {}
        self._words: set[str] = set()
        first, second = ExpressionPass(), ExpressionPass()
        for source in policies:
            self._take(policy_patterns(source), first, second)
        for file in load_grammar() if grammar is None else grammar:
            self._take(grammar_patterns(file, needs), first, second)
        for name, terms in extra_terms:
            entry = Entry(name, 1.0, "", None, whole=True)
            for term in terms:
                folded = canonical_term(term, "word")
                self._add_term(folded, entry)
                if folded.isascii() and folded.isalpha() and len(folded) > 3:
                    self._words.add(folded)
        # Detectors whose signals no rule waits for are triggered in the second pass, like all other context.
        gated = [d for d in self._detectors if self._gates is None or not d.names.isdisjoint(self._gates)]
        self._detectors = (*gated, *(d for d in self._detectors if d not in gated))
        owners = [(index, t) for index, d in enumerate(self._detectors) for t in d.triggers]
        self._trigger_owner = [index for index, _ in owners]
        self._late_trigger = sum(index < len(gated) for index in self._trigger_owner)
        triggers = [trigger for _, trigger in owners]
        self._first_trigger = _REWORK + len(first.patterns)
        self._first_late = len(second.patterns)
        self._expressions = first.compile(REWORK, triggers[: self._late_trigger], backend, cache_dir)
        self._context = second.compile((), triggers[self._late_trigger :], backend, cache_dir)
        self._rules = first.entries  # by index of the expression less those of REWORK
        self._context_rules = second.entries
        # Found in the same pass; they report nothing, but show that a word is disguised, or a language at play.
        for mark in (*SPLITS, *cues()):
            self._gate_terms.setdefault(mark, [])
        self._literals = Literals(list(self._gate_terms))
        self._context_literals = Literals(list(self._context_terms), first=len(self._gate_terms))
        self._entries = [*self._gate_terms.values(), *self._context_terms.values()]
        self._splits = frozenset(index for index, term in enumerate(self._gate_terms) if term in SPLITS)
        self._cues = {index: cues()[term] for index, term in enumerate(self._gate_terms) if term in cues()}
        self._edge_cues = {cue.strip(): at_play for cue, at_play in cues().items() if cue.startswith(" ")}
        self._anywhere = self._indexes(lambda entry: not entry.whole)
        self._vocabulary = DEFAULT_VOCABULARY.including(self._words)
        self.names: frozenset[str] = frozenset(
            {entry.name for entries in self._entries for entry in entries}
            | {entry.name for entry in (*self._rules, *self._context_rules)}
            | {name for detector in self._detectors for name in detector.names}
            | self._observing.names
        )

    @property
    def backend(self) -> str:
        """The engine that runs the expressions: "hyperscan" or "re2"."""
        return self._expressions.backend

    def _take(self, source: PatternSource, first: ExpressionPass, second: ExpressionPass) -> None:
        for term, entry in source.listed():
            self._add_term(term, entry)
            self._words.update(words_of(term))
        for pattern, written, entry in source.written():
            target = first if self._gates is None or entry.name in self._gates else second
            target.add(pattern, entry, source, written)
            self._words.update(words_of(pattern))

    def _add_term(self, term: str, entry: Entry) -> None:
        gate = self._gates is None or entry.name in self._gates
        entries = (self._gate_terms if gate else self._context_terms).setdefault(term, [])
        if entry not in entries:
            entries.append(entry)

    def _indexes(self, holds: Callable[[Entry], bool]) -> frozenset[int]:
        """The terms of which one entry holds what is asked."""
        return frozenset(index for index, entries in enumerate(self._entries) if any(map(holds, entries)))

    def measure(self, subjects: Sequence[Subject]) -> list[MeasuredSignals]:
        """The measurements of each subject, in order.

        What cannot be measured is named in `failed` of that subject alone; the others go on.
        """
        drafts = [self._drafts(subject) for subject in subjects]
        fields = [draft for own in drafts if own is not None for draft in own]
        found = self._expressions.scan_each([d.text.encode() for d in fields], [d.at_play for d in fields])
        for draft, indexes in zip(fields, found, strict=True):
            draft.found = indexes
        return [self._measure(subject, own) for subject, own in zip(subjects, drafts, strict=True)]

    def measure_closely(self, subject: Subject) -> MeasuredSignals:
        """One subject with all context, as if something had fired in it: a rule will look, for a reason of its own."""
        drafts = self._drafts(subject)
        for draft in drafts or ():
            draft.found = self._expressions.scan(draft.text.encode(), draft.at_play)
        return self._measure(subject, drafts, closely=True)

    def _drafts(self, subject: Subject) -> list[_Draft] | None:
        """The subject's texts, folded; None when that failed."""
        try:
            return [self._draft(name, text, subject.lang) for name, text in subject.fields.items()]
        except Exception:  # noqa: BLE001 - whatever fails here fails for this subject only, and is not read as clear
            return None

    def _measure(
        self, subject: Subject, drafts: Sequence[_Draft] | None, closely: bool = False
    ) -> MeasuredSignals:
        canonicals: dict[str, Canonical] = {}
        scans: list[FieldScan] = []
        failed: set[str] = set()
        if drafts is None:
            return MeasuredSignals(subject.lang, canonicals, failed=self.names)
        try:
            for draft in drafts:
                canonicals[draft.field] = self._read(draft, scans, failed)
            observed = self._observing.gates(subject, failed)
            if observed:
                scans.append(FieldScan("", _NO_TEXT, 0, found=observed))
            if (scans or closely) and self._gates is not None:
                if closely or self._is_open(scans):
                    self._scan_context(canonicals, scans, failed)
                    around = self._observing.context(subject, failed)
                    if around:
                        scans.append(FieldScan("", _NO_TEXT, 0, found=around))
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
            partial(self._thread, subject) if subject.post is not None else None,
        )

    def _thread(self, subject: Subject) -> frozenset[str]:
        """The names that fire in the texts that a post answers or quotes, whatever their language.

        Raises:
            RuntimeError: one of them could not be measured: what depends on it must not be read as clear.
        """
        post = subject.post
        references = () if post is None else (post.in_reply_to, post.quotes)
        canonicals: dict[str, Canonical] = {}
        scans: list[FieldScan] = []
        failed: set[str] = set()
        for number, other in enumerate(references):
            if other is not None and other.text:
                name = f"thread[{number}]"
                draft = self._draft(name, other.text, None)
                draft.found = self._expressions.scan(draft.text.encode(), draft.at_play)
                canonicals[name] = self._read(draft, scans, failed)
        if self._gates is not None:
            self._scan_context(canonicals, scans, failed)
        if failed:
            raise RuntimeError(f"{min(failed)} could not be measured in the thread")
        return frozenset(self._names(scans, None)[0])

    def _draft(self, field: str, received: str, lang: str | None) -> _Draft:
        folded = fold(received, self._vocabulary)
        text = one_blank(folded)
        literals = self._literals.find(text)
        return _Draft(field, received, folded, text, lang, literals, self._languages(text, lang, literals))

    def _read(self, draft: _Draft, scans: list[FieldScan], failed: set[str]) -> Canonical:
        """What the first pass found in one text; where it shows disguises, what is found once they are undone."""
        field, received, folded, text, lang = (
            draft.field,
            draft.received,
            draft.folded,
            draft.text,
            draft.lang,
        )
        literals, found = draft.literals, draft.found
        if found is None:
            raise RuntimeError("the scan failed")
        canonical = Canonical(received, text, (text,), None if text is folded else folded, self._vocabulary)
        if found and found[0] < FIRST_DISGUISE:
            canonical = tidy(received, folded, self._vocabulary)
            if canonical.text != text:
                text = canonical.text
                literals = self._literals.find(text)
                found = self._expressions.scan(text.encode(), self._languages(text, lang, literals))
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
                self._scan_variant(field, canonical, lang, scans)
        if found or literals:
            first = self._first_trigger
            rules = [index for index in found if _REWORK <= index < first]
            hits: list[Hit] = []
            exact: list[int] = []
            if found and found[-1] >= first:
                self._detect(field, text, [i - first for i in found if i >= first], hits, exact, failed)
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

    def _scan_context(
        self, canonicals: dict[str, Canonical], scans: list[FieldScan], failed: set[str]
    ) -> None:
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
                    scans.append(scan := FieldScan(name, canonical, variant))
                scan.literals = [*scan.literals, *literals]
                scan.context = [index for index in found if index < self._first_late]
                late = [
                    index - self._first_late + self._late_trigger
                    for index in found
                    if index >= self._first_late
                ]
                if late and variant == 0:  # detectors read the text before disguises are undone
                    hits, exact = [*scan.found], [*scan.exact]
                    self._detect(name, text, late, hits, exact, failed)
                    scan.found, scan.exact = hits, exact

    def _languages(
        self, text: str, lang: str | None, literals: Sequence[tuple[int, int, int]]
    ) -> Collection[str] | None:
        """The languages at play in a text that is said to be in one, None for all: nobody knows which."""
        if lang is None:
            return None
        at_play = {lang}
        for index, _, _ in literals:
            if index in self._cues:
                at_play |= self._cues[index]
        # Cues carry the blanks around them, which the first and the last word lack.
        for word in (text[: text.find(" ")], text[text.rfind(" ") + 1 :]):
            if word in self._edge_cues:
                at_play |= self._edge_cues[word]
        return at_play

    def _scan_variant(
        self, field: str, canonical: Canonical, lang: str | None, scans: list[FieldScan]
    ) -> None:
        text = canonical.variants[1]
        literals = self._literals.find(text)
        found = self._expressions.scan(text.encode(), self._languages(text, lang, literals))
        rules = [index for index in found if _REWORK <= index < self._first_trigger]
        literals = [match for match in self._whole_words(text, literals) if self._entries[match[0]]]
        if rules or literals:
            scans.append(FieldScan(field, canonical, 1, literals, rules))

    def _whole_words(self, text: str, matches: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """The matches that count for at least one of their signals."""
        anywhere = self._anywhere
        return [match for match in matches if is_whole(text, match[1], match[2]) or match[0] in anywhere]

    def _detect(
        self, field: str, text: str, triggers: list[int], hits: list[Hit], exact: list[int], failed: set[str]
    ) -> None:
        owners = dict.fromkeys(self._trigger_owner[trigger] for trigger in triggers)
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
        spans: set[tuple[int, int]] = set()
        for place, one in enumerate(self._trigger_owner):
            if one == owner and place < self._late_trigger:
                spans.update(self._expressions.spans(self._first_trigger + place, text))
            elif one == owner:
                spans.update(self._context.spans(self._first_late + place - self._late_trigger, text))
        return self._detectors[owner].detect(field, text, sorted(spans))

    def _names(self, scans: list[FieldScan], lang: str | None) -> tuple[set[str], set[str]]:
        """The names that fired, and those of them that fired in uncovered languages only."""
        covered: set[str] = set()
        uncovered: set[str] = set()
        for scan in scans:
            for entry in self._fired_entries(scan):
                if entry.covers(lang):
                    covered.add(entry.name)
                else:
                    uncovered.add(entry.name)
            covered.update(hit.signal for hit in scan.found)
            for owner in scan.exact:
                covered |= self._detectors[owner].names
        uncovered -= covered
        return covered | uncovered, uncovered

    def _fired_entries(self, scan: FieldScan) -> list[Entry]:
        fired = [self._rules[index - _REWORK] for index in scan.expressions]
        fired += [self._context_rules[index] for index in scan.context]
        if scan.literals:
            text = scan.canonical.variants[scan.variant]
            for index, start, end in scan.literals:
                for entry in self._entries[index]:
                    if not entry.whole or is_whole(text, start, end):
                        fired.append(entry)
        return fired

    def _locate(self, scan: FieldScan, name: str, lang: str | None) -> list[Hit]:
        """The hits of one signal in one variant of one field, of what is meant for this language."""
        text = scan.canonical.variants[scan.variant]
        hits = [hit for hit in scan.found if hit.signal == name]
        for owner in scan.exact:
            if name in self._detectors[owner].names:
                hits.extend(self._run(owner, scan.field, text))
        for index, start, end in scan.literals:
            for entry in self._entries[index]:
                if entry.name != name or not entry.covers(lang):
                    continue
                if not entry.whole or is_whole(text, start, end):
                    hits.append(_hit(entry, scan, start, end))
        passes = (
            (self._expressions, self._rules, scan.expressions, _REWORK),
            (self._context, self._context_rules, scan.context, 0),
        )
        for expressions, entries, indexes, offset in passes:
            for index in indexes:
                entry = entries[index - offset]
                if entry.name == name and entry.covers(lang):
                    for start, end in expressions.spans(index, text):
                        hits.append(_hit(entry, scan, start, end))
        return hits


def _hit(entry: Entry, scan: FieldScan, start: int, end: int) -> Hit:
    """What a term or an expression reports where it matched."""
    return Hit(entry.name, scan.field, start, end, entry.score, entry.detail, scan.variant, entry.languages)
