"""A text classifier in ONNX, one text at a time, on one thread: the second model, or an operator's own.

Dynamic quantisation scales by what the batch holds, and padding changes sums: read alone and unpadded, a text has the
same score whatever else is judged, which replays rely on. ONNX Runtime lets go of the interpreter's lock meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from worker.learned.model import About, ModelError, Reading, Span
from worker.learned.runtime import open_session

MOST_PARTS = 4
_MOST_SPANS = 3
_WORD_SHARE = 0.5  # of the strongest word's share: what carries less is not shown


class Transformer:
    """Implements `worker.learned.model.SecondModel`.

    Args:
        weights: an ONNX file with the inputs `input_ids` and `attention_mask` (int64, `(1, tokens)`) and, where it
            has one, `token_type_ids`, and with the output `logits` (`(1, heads)`). With a second output `shares`
            (`(1, tokens, heads)`), whose mean over the tokens makes the logits, its answers name the words that
            carried them.
        tokenizer: a `tokenizer.json` of the library tokenizers.
        about: the description beside the weights.

    Raises:
        ModelError: the files cannot be used, or do not fit each other.
    """

    def __init__(self, weights: Path, tokenizer: Path, about: About) -> None:
        self.about = about
        self.heads: tuple[str, ...] = about.heads
        self.languages = frozenset(about.languages)
        self.reference: Mapping[str, Sequence[int]] = {
            str(head): counts for head, counts in about.reference.items()
        }
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
            self._session = open_session(str(weights))
        except Exception as error:
            # Both libraries raise bare Exceptions of many kinds for a file that they cannot read.
            raise ModelError(f"{weights.name}: {_first_line(error)}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(about.max_tokens)
        self._inputs = {each.name for each in self._session.get_inputs()}
        outputs = [each.name for each in self._session.get_outputs()]
        if (
            not {"input_ids", "attention_mask"}
            <= self._inputs
            <= {
                "input_ids",
                "attention_mask",
                "token_type_ids",
            }
        ):
            raise ModelError(
                f"{weights.name}: takes {', '.join(sorted(self._inputs))}; expected input_ids and attention_mask"
            )
        if "logits" not in outputs:
            raise ModelError(f"{weights.name}: has no output called logits, but {', '.join(outputs)}")
        self._outputs = [name for name in ("logits", "shares") if name in outputs]
        try:
            logits = self._run(self._tokenizer.encode("a text to try it on"))[0]
        except Exception as error:
            raise ModelError(f"{weights.name}: {_first_line(error)}") from error
        if logits.shape != (1, len(self.heads)):
            raise ModelError(
                f"{weights.name}: gives {logits.shape[-1]} logits, but its description names {len(self.heads)} heads"
            )
        if not np.isfinite(logits).all():
            raise ModelError(f"{weights.name}: its logits are no numbers")

    def read(self, text: str, explain: Sequence[float]) -> Reading:
        """As `SecondModel.read`; spans are code points of the text.

        What does not fit into `max_tokens` is read in further parts, at most `MOST_PARTS`; each head's highest counts.

        Raises:
            ValueError: the model gave no numbers.
        """
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text to the library
        whole = self._tokenizer.encode(text)
        parts = [whole, *whole.overflowing[: MOST_PARTS - 1]]
        outputs = [self._run(part) for part in parts]
        logits = np.concatenate([each[0] for each in outputs]).astype(np.float64)
        if logits.shape != (len(parts), len(self.heads)) or not np.isfinite(logits).all():
            raise ValueError("the model gave no numbers")
        probabilities = self.about.probabilities(logits.max(axis=0))
        spans: dict[int, tuple[Span, ...]] = {}
        if len(self._outputs) > 1:
            for head in np.flatnonzero(probabilities >= np.asarray(explain)).tolist():
                part = int(logits[:, head].argmax())
                spans[head] = _spans(parts[part], outputs[part][1][0, :, head].astype(np.float64))
        return Reading(probabilities, spans)

    def _run(self, encoding: Any) -> list[NDArray[np.float32]]:
        ids = np.array([encoding.ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        wanted = {name: value for name, value in inputs.items() if name in self._inputs}
        outputs: list[NDArray[np.float32]] = self._session.run(self._outputs, wanted)
        return outputs


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _spans(encoding: Any, shares: NDArray[np.float64]) -> tuple[Span, ...]:
    """The words whose tokens add most to a logit, neighbours joined; strongest first."""
    words: dict[int, list[float]] = {}  # start, end, share
    for word, (start, end), share in zip(encoding.word_ids, encoding.offsets, shares, strict=True):
        if word is None or start == end:
            continue  # the marks at a text's ends
        known = words.get(word)
        if known is None:
            words[word] = [start, end, float(share)]
        else:
            known[1], known[2] = end, known[2] + float(share)
    strongest = max((share for _, _, share in words.values()), default=0.0)
    if strongest <= 0.0:
        return ()
    joined: list[list[float]] = []
    for start, end, share in words.values():
        if share < _WORD_SHARE * strongest:
            continue
        if joined and start - joined[-1][1] <= 1:
            joined[-1][1], joined[-1][2] = end, joined[-1][2] + share
        else:
            joined.append([start, end, share])
    whole = sum(share for _, _, share in words.values() if share > 0)
    joined.sort(key=lambda span: -span[2])
    return tuple(
        Span(int(start), int(end), round(min(1.0, share / whole), 4))
        for start, end, share in joined[:_MOST_SPANS]
    )
