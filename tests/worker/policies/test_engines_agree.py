"""Hyperscan and RE2 find the same in every case of the pack: Hyperscan 5.4 has lost matches of one pattern before."""

from __future__ import annotations

import pytest

from worker.engine.cases import read_cases
from worker.engine.registry import Pack, load_pack
from worker.signals.canonical import canonicalise


@pytest.fixture(scope="module")
def texts(default_pack: Pack) -> list[str]:
    posts = {case.text for loaded in default_pack.policies for case in read_cases(loaded).case if case.text}
    return [variant for post in sorted(posts) for variant in canonicalise(post).variants]


@pytest.mark.parametrize("part", ["_expressions", "_context"])
def test_both_engines_find_the_same_expressions(default_pack: Pack, texts: list[str], part: str) -> None:
    pytest.importorskip("hyperscan")
    one, other = getattr(default_pack.signals, part), getattr(load_pack(backend="re2").signals, part)
    assert one.backend == "hyperscan"
    differing = {
        one.patterns[index]
        for text in texts
        for index in {*one.scan(text.encode())} ^ {*other.scan(text.encode())}
    }
    assert not differing
