"""Expressions in shards: those of other languages than English are run only where such a language may be at play.

A Hyperscan database grows worse than its expressions do, in time to compile and in memory that a scan walks through, and
half of the expressions are written for languages that most posts are not in. So English and language-independent ones
are run on every text, in shards small enough to compile; those of another language where the post is said to be
in it, where nobody knows its language, or where one of its common words stands in the text, whatever the post says of itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from worker.signals.scanner import Backend, Expressions, RefusedExpressionError

_SHARD = 640  # expressions; more compile for longer than two halves do, fewer cost a call each
_EVERYWHERE: frozenset[str] = frozenset()


@cache
def cues() -> dict[str, frozenset[str]]:
    """Words, blanks around them, that show which languages may be at play; none is an English word."""
    data = tomllib.loads(files("worker.signals").joinpath("cues.toml").read_text("utf-8"))
    found: dict[str, frozenset[str]] = {}
    for lang, words in data["words"].items():
        for word in words:
            found[f" {word} "] = found.get(f" {word} ", frozenset()) | {lang}
    for lang, listed in data["letters"].items():
        found.update(dict.fromkeys(listed, frozenset((lang,))))
    return found


def languages_of_cues() -> frozenset[str]:
    """The languages that cues tell of: only their expressions can be left out of a scan."""
    return frozenset().union(*cues().values())


@dataclass(frozen=True, slots=True)
class _Shard:
    """Expressions that are run together: where one of `languages` is at play, or everywhere when there are none."""

    languages: frozenset[str]
    expressions: Expressions
    indexes: tuple[int, ...]

    def is_wanted(self, at_play: Collection[str] | None) -> bool:
        return at_play is None or not self.languages or not self.languages.isdisjoint(at_play)


class ShardedExpressions:
    """Implements what `Expressions` does, over several of them; indexes are those of `patterns`.

    Args:
        patterns: RE2 expressions.
        languages: for each the languages that it is written for, None for any.
        backend, cache_dir: as for `Expressions`.

    Raises:
        RefusedExpressionError: one of them cannot be used.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        languages: Sequence[Collection[str] | None],
        *,
        backend: Backend = "auto",
        cache_dir: Path | None = None,
    ) -> None:
        self.patterns = tuple(patterns)
        groups: dict[frozenset[str], list[int]] = {_EVERYWHERE: []}
        for index, written_for in enumerate(languages):
            groups.setdefault(_group(written_for), []).append(index)
        self._shards = [
            self._compile(group, indexes[start : start + _SHARD], backend, cache_dir)
            for group, indexes in groups.items()
            for start in range(0, max(1, len(indexes)), _SHARD)
        ]
        self.backend = self._shards[0].expressions.backend
        self._place = {
            index: (shard.expressions, place)
            for shard in self._shards
            for place, index in enumerate(shard.indexes)
        }

    def _compile(
        self, group: frozenset[str], indexes: Sequence[int], backend: Backend, cache_dir: Path | None
    ) -> _Shard:
        try:
            compiled = Expressions(
                [self.patterns[index] for index in indexes], backend=backend, cache_dir=cache_dir
            )
        except RefusedExpressionError as error:
            raise RefusedExpressionError(indexes[error.index], error.reason) from error
        return _Shard(group, compiled, tuple(indexes))

    def scan(self, data: bytes, at_play: Collection[str] | None = None) -> list[int]:
        """The indexes of the expressions that match, ascending; `at_play` None runs those of all languages."""
        found = [
            shard.indexes[match]
            for shard in self._shards
            if shard.is_wanted(at_play)
            for match in shard.expressions.scan(data)
        ]
        found.sort()
        return found

    def scan_each(
        self, texts: Sequence[bytes], at_play: Sequence[Collection[str] | None]
    ) -> list[list[int] | None]:
        """`scan` for many texts, each with the languages at play in it; None for a text that cannot be scanned.

        All texts go through one shard before the next, so that its tables stay in the processor's caches.
        """
        found: list[list[int] | None] = [[] for _ in texts]
        for shard in self._shards:
            scan, indexes = shard.expressions.scan, shard.indexes
            for place, data in enumerate(texts):
                if shard.languages and not shard.is_wanted(at_play[place]):
                    continue
                try:
                    matches = scan(data)
                except Exception:  # noqa: BLE001 - one text's failure is its own: measured as failed, the others go on
                    found[place] = None
                    continue
                if matches and (own := found[place]) is not None:
                    own.extend([indexes[match] for match in matches])
        for own in found:
            if own:
                own.sort()
        return found

    def spans(self, index: int, text: str) -> list[tuple[int, int]]:
        """Where an expression matches; as `Expressions.spans`."""
        compiled, place = self._place[index]
        return compiled.spans(place, text)


def _group(written_for: Collection[str] | None) -> frozenset[str]:
    """Which expressions one is compiled with: those of its language, of several, or of any and English."""
    known = languages_of_cues()
    if written_for is None or not set(written_for) <= known:
        return _EVERYWHERE
    return frozenset(written_for) if len(written_for) == 1 else known
