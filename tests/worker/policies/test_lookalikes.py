"""Every list entry of every policy is still found in disguise."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.engine.cases import CaseFile
from worker.engine.policy import Policy
from worker.engine.registry import DEFAULT_PACK
from worker.engine.tomlfile import read_toml
from worker.evaluation.evasions import EVASIONS, Evasion
from worker.signals.canonical import canonicalise
from worker.signals.scanner import is_whole
from worker.signals.sources import BankSource, policy_patterns
from worker.signals.terms import words_of
from worker.signals.vocabulary import DEFAULT_VOCABULARY, Vocabulary

KEPT = 0.95
SAMPLE = 1_500  # entries tried in each kind, the same ones every time: all of them take minutes
KINDS = [evasion for evasion in EVASIONS.values() if evasion.word is not None]


@cache
def _entries() -> tuple[tuple[str, ...], Vocabulary]:
    """The Latin entries of all lists, and the words that the pack's bank undoes disguises towards."""
    entries: set[str] = set()
    words: set[str] = set()
    for folder in sorted(path.parent for path in DEFAULT_PACK.glob("*/policy.toml")):
        policy = read_toml(folder / "policy.toml", Policy, [])
        assert policy is not None
        source = policy_patterns(BankSource(policy, folder))
        for term, _ in source.listed():
            entries.add(term)
            words.update(words_of(term))
        for pattern, _, _ in source.written():
            words.update(words_of(pattern))
    latin = sorted(term for term in entries if all(char.isascii() for char in term))
    return tuple(latin), DEFAULT_VOCABULARY.including(words)


def _disguised(evasion: Evasion) -> Iterator[tuple[str, str]]:
    entries, _ = _entries()
    chosen = random.Random(evasion.name).sample(entries, min(SAMPLE, len(entries)))
    for term in chosen:
        shown = evasion.apply(term, 0, 1.0)
        if shown != term:
            yield term, shown


def _is_found(term: str, shown: str, vocabulary: Vocabulary) -> bool:
    for text in canonicalise(f"and {shown} then", vocabulary).variants:
        place = text.find(term)
        while place >= 0:
            if is_whole(text, place, place + len(term)):
                return True
            place = text.find(term, place + 1)
    return False


@pytest.mark.parametrize("evasion", KINDS, ids=lambda evasion: evasion.name)
def test_list_entries_are_found_in_disguise(evasion: Evasion) -> None:
    _, vocabulary = _entries()
    tried = list(_disguised(evasion))
    lost = [(term, shown) for term, shown in tried if not _is_found(term, shown, vocabulary)]
    assert tried
    kept = 1 - len(lost) / len(tried)
    assert kept >= KEPT, f"{kept:.1%} of {len(tried)} kept; lost: {lost[:10]}"


@cache
def _firing() -> list[str]:
    """The texts of all cases of all policies that must fire."""
    files = (read_toml(path, CaseFile, []) for path in sorted(DEFAULT_PACK.glob("*/cases.toml")))
    cases = (case for file in files if file is not None for case in file.case)
    return [case.text for case in cases if case.text and case.expect in {"violation", "review", "at_risk"}]


@given(st.data(), st.sampled_from(sorted(EVASIONS)), st.sampled_from(sorted(EVASIONS)), st.integers(0, 1_000))
@settings(max_examples=100, deadline=None)
def test_firing_cases_in_two_disguises_never_fail_and_their_places_stay_inside(
    data: st.DataObject, first: str, second: str, seed: int
) -> None:
    text = data.draw(st.sampled_from(_firing()))
    shown = EVASIONS[second].apply(EVASIONS[first].apply(text, seed), seed, 1.0)
    canonical = canonicalise(shown, _entries()[1])
    for variant, read in enumerate(canonical.variants):
        for place in range(len(read)):
            start, end = canonical.received_span(place, place + 1, variant)
            assert 0 <= start < end <= len(shown)
