"""Two models, one after the other: the fast one reads every text, the second only those of which it is unsure.

Three steps, so that the second model can work on a thread of its own: `first` scores a batch and picks what is
uncertain, `second` reads that, `settle` puts what was found onto the subjects' measurements. Each is a pure function
of the subjects and of the allowance, which counts texts and not seconds: a replay decides the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from worker.engine.contract import Subject
from worker.engine.learned import names_of, signal_of, unread_of
from worker.engine.policy import Policy
from worker.learned.allowance import Allowance
from worker.learned.model import BINS, FastModel, Probabilities, Reading, SecondModel, Span
from worker.learned.steps import Steps
from worker.learned.texts import back, model_text, pieces
from worker.signals.measured import MeasuredSignals
from worker.signals.view import Hit

_UNREAD = frozenset({"profile.handle", "profile.display_name"})  # names are no sentences
_NEVER = 2.0  # no probability reaches it
MOST_QUESTIONS = 4  # texts of one subject that the second model reads


@dataclass(frozen=True, slots=True)
class _Text:
    """One text of a subject, as the models read it."""

    subject: int
    field: str
    variant: int
    text: str


@dataclass(slots=True)
class Asked:
    """A batch on its way through the models.

    `fast` and `final` are the probabilities of each text. `questions` are the parts that the second model reads, as
    half-open spans of code points, by text; `readings` what it said of them. `unread` are uncertain texts for which it
    had no share left, `failed` those on which a model failed.
    """

    signals: Sequence[MeasuredSignals]
    texts: list[_Text]
    fast: Probabilities
    final: Probabilities = field(init=False)
    questions: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    unread: list[int] = field(default_factory=list)
    readings: dict[int, Reading] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)


class Cascade:
    """The trained models of a pack.

    Args:
        policies: those in force; one without `learned` gets no score.
        fast: reads every text.
        second: reads the uncertain ones. None: nothing is acted on by models, and what the fast one takes for
            likely goes to a person.
        share: of all texts, the most that the second model reads in the long run.
        burst: texts that it may read in a row.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        fast: FastModel,
        second: SecondModel | None = None,
        *,
        share: float = 0.03,
        burst: int = 1_000,
    ) -> None:
        self.fast = fast
        self.second_model = second
        self.share = share
        self.burst = burst
        self.heads = fast.heads
        scales: dict[str, Steps] = {p.id: Steps(p, p.learned) for p in policies if p.learned is not None}
        self._scales = [scales.get(head) for head in self.heads]
        learned = [None if scale is None else scale.learned for scale in self._scales]
        self._bands = np.array([_NEVER if each is None else each.band for each in learned])
        self._reviews = np.array([_NEVER if each is None else each.review for each in learned])
        self.names = frozenset().union(
            *(names_of(scale.policy) for scale in self._scales if scale is not None)
        )
        # The second model's outputs in the order of the fast one's; -1 where it has none.
        order = () if second is None else second.heads
        self._columns = np.array([order.index(head) if head in order else -1 for head in self.heads])
        self._explain = [_NEVER] * len(order)
        for head, column in enumerate(self._columns):
            if column >= 0:
                self._explain[column] = float(self._reviews[head])

    def allowance(self) -> Allowance:
        """A full allowance of this pack's."""
        return Allowance(self.share, self.burst)

    def first(
        self,
        subjects: Sequence[Subject],
        signals: Sequence[MeasuredSignals],
        allowances: Sequence[Allowance] | None = None,
    ) -> Asked:
        """Scores a batch with the fast model and picks what the second one is to read.

        `allowances` holds each subject's; without them the second model reads whatever is uncertain.
        """
        texts = [
            _Text(index, name, len(canonical.variants) - 1, model_text(canonical.variants[-1]))
            for index, (subject, measured) in enumerate(zip(subjects, signals, strict=True))
            if self._reads(subject.lang)
            for name, canonical in measured.canonicals.items()
            if name not in _UNREAD
        ]
        asked = Asked(signals, texts, np.zeros((len(texts), len(self.heads))))
        self._score(asked)
        if self.second_model is not None:
            self._pick(asked, allowances)
        elif allowances is not None:
            for text in texts:
                allowances[text.subject].earn(1)
        return asked

    def _score(self, asked: Asked) -> None:
        """The fast model's probabilities; where it fails, text by text, so that only what it fails on is failed."""
        read = [text.text for text in asked.texts]
        try:
            asked.fast = np.asarray(np.round(self.fast.score(read), 4), np.float64)
        except Exception:  # noqa: BLE001  # foreign code over foreign text: what fails, fails for one text only
            for row, text in enumerate(read):
                try:
                    asked.fast[row] = np.round(self.fast.score([text])[0], 4)
                except Exception:  # noqa: BLE001  # this one
                    asked.failed.add(row)

    def _pick(self, asked: Asked, allowances: Sequence[Allowance] | None) -> None:
        uncertain = self.uncertain(asked)
        questions = _Questions(asked)
        earned = 0
        for row in uncertain:
            if allowances is not None:
                # Text by text, so that it does not matter how records are cut into batches.
                for text in asked.texts[earned : row + 1]:
                    allowances[text.subject].earn(1)
                earned = row + 1
            if questions.is_asked(row):
                continue
            subject = asked.texts[row].subject
            if questions.admits(row) and (allowances is None or allowances[subject].take()):
                # Here and not where it is read: the fast model remembers what it has seen, and has one thread.
                asked.questions[row] = self.parts(asked, row)
            else:
                asked.unread.append(row)
        if allowances is not None:
            for text in asked.texts[earned:]:
                allowances[text.subject].earn(1)

    def uncertain(self, asked: Asked) -> list[int]:
        """The places in `asked.texts` of those that the fast model cannot settle alone."""
        rows: list[int] = np.flatnonzero((asked.fast >= self._bands).any(axis=1)).tolist()
        return rows

    def parts(self, asked: Asked, row: int) -> tuple[tuple[int, int], ...]:
        """The parts of a text that the fast model is unsure of: one a policy at most, all of it unless it is long."""
        text = asked.texts[row].text
        heads = [self.heads[head] for head, _ in self._asking(asked, row)]
        return tuple(dict.fromkeys(self.fast.best_window(text, head) for head in heads))

    def second(self, asked: Asked) -> None:
        """Has the second model read what is uncertain; may run on any thread, one at a time."""
        model = self.second_model
        assert model is not None or not asked.questions
        for row, parts in asked.questions.items():
            text = asked.texts[row].text
            try:
                readings = [
                    _moved(model.read(text[start:end], self._explain), start)  # type: ignore[union-attr]  # see above
                    for start, end in parts
                ]
                reading = _highest(readings)
                if not np.isfinite(reading.probabilities).all():
                    raise ValueError("no numbers")
                asked.readings[row] = reading
            except Exception:  # noqa: BLE001  # whatever fails here fails for this text only, and a person looks
                asked.failed.add(row)

    def settle(self, asked: Asked) -> None:
        """Puts what was found onto the measurements of each subject."""
        final = asked.final = asked.fast.copy()
        known = self._columns >= 0
        for row, reading in asked.readings.items():
            final[row, known] = reading.probabilities[self._columns[known]]
        if self.second_model is not None:
            unread = np.ones(final.shape, dtype=bool)
            unread[np.ix_(np.array(list(asked.readings), np.int64), np.flatnonzero(known))] = False
            # What the second model did not read is no more than a likelihood, whatever the fast one thinks of it.
            final[unread] = np.minimum(final, np.maximum(self._reviews - 1e-4, 0.0))[unread]
        for row in asked.failed:
            signals = asked.signals[asked.texts[row].subject]
            scales = [scale for _, scale in self._asking(asked, row)] or [
                s for s in self._scales if s is not None
            ]
            signals.failed = signals.failed | {signal_of(scale.policy) for scale in scales}
        for row in asked.unread:
            for head, scale in self._asking(asked, row):
                self._doubt(asked, row, head, scale, "the second model's share was used up")
        for row in asked.readings:
            for head, scale in self._asking(asked, row):
                if not known[head]:
                    self._doubt(asked, row, head, scale, "the second model does not know this policy")
        for row, head in np.argwhere(final >= self._reviews).tolist():
            self._hit(asked, row, head, float(final[row, head]))

    def score(self, asked: Asked) -> None:
        """Notes on each subject's measurements the scores of all policies, also those too low to matter.

        For commands that show scores: a worker needs only what `settle` does.
        """
        for signals in asked.signals:
            signals.learned = {}
        for head, scale in enumerate(self._scales):
            if scale is None:
                continue
            for text, score in zip(asked.texts, scale.scores(asked.final[:, head]).tolist(), strict=True):
                own = asked.signals[text.subject].learned
                assert own is not None
                own[self.heads[head]] = max(score, own.get(self.heads[head], 0.0))

    def _asking(self, asked: Asked, row: int) -> Iterator[tuple[int, Steps]]:
        """The policies in whose band a text lies, by their places among the heads."""
        for head in np.flatnonzero(asked.fast[row] >= self._bands).tolist():
            scale = self._scales[head]
            if scale is not None:
                yield head, scale

    def counts(self, asked: Asked) -> Iterator[tuple[str, str, str, int]]:
        """How often each model gave scores of each tenth, as `(model, policy, lower bound, times)`; zeros left out."""
        second = [reading.probabilities for reading in asked.readings.values()]
        for model, heads, found in (
            ("fast", self.heads, asked.fast),
            ("second", () if self.second_model is None else self.second_model.heads, np.array(second)),
        ):
            if not len(found):
                continue
            bins = np.minimum((found * BINS).astype(np.int64), BINS - 1) + np.arange(len(heads)) * BINS
            times = np.bincount(bins.ravel(), minlength=len(heads) * BINS)
            for place in np.flatnonzero(times).tolist():
                yield model, heads[place // BINS], f"{place % BINS / BINS:.1f}", int(times[place])

    def references(self) -> Iterator[tuple[str, Mapping[str, Sequence[int]]]]:
        """What each model's scores of ordinary texts looked like, by policy; a model without it is left out."""
        for name, model in (("fast", self.fast), ("second", self.second_model)):
            if model is not None and model.reference:
                yield name, model.reference

    def _reads(self, lang: str | None) -> bool:
        languages = self.fast.languages
        return lang is None or lang in languages or "*" in languages

    def _doubt(self, asked: Asked, row: int, head: int, scale: Steps, why: str) -> None:
        """The second model should have read it, and did not: a person must."""
        text = asked.texts[row]
        detail = f"fast model {asked.fast[row, head]:.2f}, uncertain; {why}"
        hit = Hit(unread_of(scale.policy), text.field, None, None, scale.policy.review.score, detail)
        asked.signals[text.subject].learn(hit)

    def _hit(self, asked: Asked, row: int, head: int, probability: float) -> None:
        scale = self._scales[head]
        assert scale is not None
        name, text = signal_of(scale.policy), asked.texts[row]
        reading = asked.readings.get(row)
        if reading is None and scale.learned.at_risk:
            # Help is offered on the second model's word: the fast one takes too much for despair.
            self._doubt(asked, row, head, scale, "there is no second model")
            return
        model = "fast" if reading is None else "second"
        score = float(scale.scores(np.array([probability]))[0])
        if reading is None:
            score = min(score, scale.policy.threshold - 0.001)  # the fast model alone convicts nobody
            spans = self.fast.spans(text.text, self.heads[head])
        else:
            spans = reading.spans.get(int(self._columns[head]), ())
        detail = f"{model} model {probability:.2f}, {scale.reached(probability)}"
        signals = asked.signals[text.subject]
        canonical = signals.canonicals[text.field].variants[text.variant]
        found = pieces(canonical) if spans else []
        for first, last, _ in spans:
            start, end = back(found, first, last)
            signals.learn(Hit(name, text.field, start, end, score, detail, text.variant))
        if not spans:
            signals.learn(Hit(name, text.field, None, None, score, detail))


class _Questions:
    """Sees to it that one subject does not use up what is for all: a few texts each, and none twice."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._seen: dict[int, list[str]] = {}

    def is_asked(self, row: int) -> bool:
        """Whether the same words of the same subject are asked about already."""
        text = self._asked.texts[row]
        return text.text in self._seen.get(text.subject, ())

    def admits(self, row: int) -> bool:
        """Whether the second model may be asked about a text, as far as its subject goes."""
        text = self._asked.texts[row]
        seen = self._seen.setdefault(text.subject, [])
        if len(seen) >= MOST_QUESTIONS:
            return False
        seen.append(text.text)
        return True


def _moved(reading: Reading, by: int) -> Reading:
    """A reading of a part of a text, its spans counted from the start of the whole."""
    spans = {
        head: tuple(Span(span.start + by, span.end + by, span.share) for span in own)
        for head, own in reading.spans.items()
    }
    return Reading(reading.probabilities, spans)


def _highest(readings: Sequence[Reading]) -> Reading:
    """The highest probability of each head, with the spans of the part that has it."""
    if len(readings) == 1:
        return readings[0]
    every = np.stack([reading.probabilities for reading in readings])
    best = every.argmax(axis=0)
    spans = {
        head: own
        for place, reading in enumerate(readings)
        for head, own in reading.spans.items()
        if best[head] == place
    }
    return Reading(every.max(axis=0), spans)
