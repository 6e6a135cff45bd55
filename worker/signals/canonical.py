"""The text that everything is measured on, with a way back to the text as received.

`canonicalise` folds a text so that disguises and typography do not matter. It keeps digits, punctuation,
emoji and line breaks, and leaves other scripts than Latin readable. Where a text shows that someone took pains
to disguise a word ("k1ll", "k.i.l.l", "f*ck"), a second variant has that undone.
"""

from __future__ import annotations

from functools import cache

from worker.signals.deobfuscation import DISGUISES, is_split, undo
from worker.signals.edits import Edit, Edits
from worker.signals.folding import fold, fold_pieces
from worker.signals.regex import Regex
from worker.signals.repeats import SQUEEZABLE, squeeze
from worker.signals.vocabulary import DEFAULT_VOCABULARY, Vocabulary

# RE2 expressions over folded text with single blanks. Where none of them matches, that was all there was to do;
# the scanner runs them together with the policies' own. Control characters and repeats, then disguises.
REWORK: tuple[str, ...] = (r"[\x00-\x09\x0b-\x1f\x7f]", SQUEEZABLE, *DISGUISES)
FIRST_DISGUISE = 2


_SPACE_RUNS = r"[ \n]{2,}|^[ \n]|[ \n]\z"
_BLANKS = "\t\x1c\x1d\x1e\x1f"
_BREAKS = "\r\v\f"


class Canonical:
    """One text, folded.

    `received` is the text as it came, `text` the folded text, `variants` is `(text,)` or
    `(text, text with disguises undone)`.
    """

    __slots__ = ("_folded", "_stages", "_undone", "_vocabulary", "received", "text", "variants")

    def __init__(
        self,
        received: str,
        text: str,
        variants: tuple[str, ...],
        folded: str | None = None,
        vocabulary: Vocabulary = DEFAULT_VOCABULARY,
        undone: Edits | None = None,
    ) -> None:
        self.received = received
        self.text = text
        self.variants = variants
        self._folded = folded  # what `text` was made from by tidying; None when there was nothing to tidy
        self._vocabulary = vocabulary
        self._stages: list[Edits] | None = None
        self._undone = undone

    def received_span(self, start: int, end: int, variant: int = 0) -> tuple[int, int]:
        """Where the half-open span of a variant lies in the text as received, in code points.

        The span covers every received code point that the canonical span came from, so that a squeezed
        "killllll" is marked as a whole. It lies inside the text and never runs backwards.
        """
        if variant and self._undone is not None:
            start, end = self._undone.back(start, end)
        for stage in reversed(self.stages()):
            start, end = stage.back(start, end)
        size = len(self.received)
        return min(start, size), min(end, size)

    def stages(self) -> list[Edits]:
        """How `text` was made from `received`, step by step; built when first asked for, which is seldom."""
        if self._stages is None:
            self._stages = []
            if not self.received.isascii():
                pieces = fold_pieces(self.received, self._vocabulary)
                self._stages.append(
                    Edits([Edit(i, i + 1, piece) for i, piece in enumerate(pieces) if len(piece) != 1])
                )
            self._stages += self._tidying()
        return self._stages

    def with_disguises_undone(self) -> Canonical:
        """The same text with a second variant, where its disguises could be undone; else itself.

        For texts in which one of `DISGUISES` matched or one of `SPLITS` stands.
        """
        stages = self._tidying()
        wide = stages[-1].blank_runs() if stages else frozenset()
        edits = undo(self.text, self._vocabulary, wide, self._received_text)
        undone = Edits(edits)
        clear = undone.apply(self.text)
        if clear == self.text:
            return self
        return Canonical(self.received, self.text, (self.text, clear), self._folded, self._vocabulary, undone)

    def _received_text(self, start: int, end: int) -> str:
        same_place = self.received[start:end]
        if same_place.lower() == self.text[start:end]:
            return same_place  # most often, and quicker than the way back
        first, last = self.received_span(start, end)
        return self.received[first:last]

    def _tidying(self) -> list[Edits]:
        return [] if self._folded is None else _tidy(self._folded, self._vocabulary)[1]


def canonicalise(text: str, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> Canonical:
    """Folds a text; see the module. Linear in its length, never fails, whatever the code points.

    `vocabulary` holds the words that disguises are undone towards.
    """
    folded = fold(text, vocabulary)
    blanked = one_blank(folded)
    canonical = Canonical(text, blanked, (blanked,), None if blanked is folded else folded, vocabulary)
    if _any_of(REWORK[:FIRST_DISGUISE]).matches(blanked):
        canonical = tidy(text, folded, vocabulary)
    shown = _any_of(DISGUISES).matches(canonical.text) or is_split(canonical.text)
    return canonical.with_disguises_undone() if shown else canonical


def one_blank(folded: str) -> str:
    """Each run of white space as one space, or one line break where it holds one; none at the ends.

    The folded text itself where there is nothing to do, which is most often.
    """
    lines = "\n" in folded
    if not lines and "  " not in folded and folded[:1] != " " and folded[-1:] != " ":
        return folded
    if not lines:
        return " ".join([word for word in folded.split(" ") if word])
    rows = (" ".join([word for word in line.split(" ") if word]) for line in folded.split("\n"))
    return "\n".join([row for row in rows if row])


def tidy(text: str, folded: str, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> Canonical:
    """The canonical text of a folded one, in which control characters or repeated letters were seen."""
    tidied = _tidy(folded, vocabulary)[0]
    return Canonical(text, tidied, (tidied,), folded, vocabulary)


@cache
def _any_of(expressions: tuple[str, ...]) -> Regex:
    return Regex("|".join(f"(?:{part})" for part in expressions), max_mem=64 << 20)


def _tidy(text: str, vocabulary: Vocabulary) -> tuple[str, list[Edits]]:
    """A folded text without control characters, doubled blanks and repeated letters, and how it got there."""
    stages = []
    for find in (_control_edits, _blank_edits):
        edits = find(text, vocabulary)
        if edits:
            stage = Edits(edits)
            text = stage.apply(text)
            stages.append(stage)
    return text, stages


def _control_edits(text: str, vocabulary: Vocabulary) -> list[Edit]:
    return [
        Edit(start, end, " " if text[start] in _BLANKS else "\n" if text[start] in _BREAKS else "")
        for start, end in _any_of(REWORK[:1]).spans(text)
    ]


def _blank_edits(text: str, vocabulary: Vocabulary) -> list[Edit]:
    edits = squeeze(text, vocabulary)
    for start, end in _any_of((_SPACE_RUNS,)).spans(text):
        inner = start > 0 and end < len(text)
        edits.append(Edit(start, end, ("\n" if "\n" in text[start:end] else " ") if inner else ""))
    edits.sort()
    return edits
