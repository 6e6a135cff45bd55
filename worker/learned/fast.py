"""Tier 1: a bag of hashed pieces, pairs and triples of pieces, read by a small network; on every post.

Every sum runs over integers that the float type holds exactly, so a score depends neither on the order of adding nor
on what else is in the batch. The features of a piece between white space are added up once and remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from worker.learned.model import About, ModelError, Probabilities, Span
from worker.learned.texts import MOST_CODE_POINTS

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

GRAMS = (3, 4, 5)  # sizes of the character n-grams of a piece
LONGEST_CORE = 24  # code points of a piece that are looked at
WINDOW = 64
STRIDE = 48
LONG = 96  # texts of more pieces are read in windows
POOLED_STEPS = 256.0
POOLED_LIMIT = 32_767.0
MOST_SPANS = 5

_MOST_REMEMBERED = 200_000
_LONGEST_PIECE = 64
_BATCH = 512
_FIRST = "\x02"  # stands before every text; no piece of a text can be it
_EDGES = "\"'“”‘’()[]{}<>«»,.;:!?*_~|…-#"
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0x100000001B3)
_BORDERS = "\x03\x02"
_PAIR = (np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9), np.uint64(0x27D4EB2F165667C5))
_PIECE = np.uint64(0x9E6C63D0676A9A99)
_EDGE = np.uint64(0x85EBCA77C2B2AE63)


def buckets(hashes: Hashes, bits: int) -> Places:
    """Places in a table of `2 ** bits` rows."""
    return ((hashes * _MULTIPLIER) >> np.uint64(64 - bits)).astype(np.int64)


def cores(found: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of each piece: without signs at its edges, and those signs."""
    inner, edges = [], []
    for piece in found:
        if piece.isalnum():
            inner.append(piece[:LONGEST_CORE])
            edges.append("")
            continue
        core = piece.strip(_EDGES)
        inner.append(core[:LONGEST_CORE] or piece[:LONGEST_CORE])
        edges.append(piece.replace(core, " ", 1) if 0 < len(core) < len(piece) else "")
    return inner, edges


def keys_of(inner: Sequence[str]) -> Hashes:
    """One number a piece, of which those of pairs and triples are made."""
    return np.array([crc32(core.encode("utf-8", "surrogatepass")) for core in inner], np.uint64)


def piece_hashes(inner: Sequence[str], edges: Sequence[str], keys: Hashes) -> list[tuple[Hashes, Places]]:
    """The hashed features of pieces: each itself, the signs at its edges, its character n-grams by their length.

    Each part with the pieces that its features belong to, in ascending order.
    """
    size = len(inner)
    signed = [place for place in range(size) if edges[place]]
    signs = keys_of([edges[place] for place in signed])
    parts = [(keys + _PIECE, np.arange(size)), (signs * _EDGE, np.array(signed, np.int64))]
    codes = np.frombuffer(
        f"\x02{_BORDERS.join(inner)}\x03".encode("utf-32-le", "surrogatepass"), np.uint32
    ).astype(np.uint64)
    of = np.repeat(np.arange(size), np.fromiter(map(len, inner), np.int64, size) + 2)
    rolled = codes
    for length in range(2, GRAMS[-1] + 1):
        count = max(0, len(codes) - length + 1)
        rolled = rolled[:count] * _BASE + codes[length - 1 : length - 1 + count]
        if length >= GRAMS[0]:
            inside = np.flatnonzero(of[:count] == of[length - 1 :])
            parts.append((rolled.take(inside) + np.uint64(length), of.take(inside)))
    return parts


def joint_hashes(keys: Hashes, starts: Places) -> list[tuple[Hashes, Places]]:
    """Hashes of pairs and of triples that end at each place, with the places where there is none for want of pieces.

    `starts` are the places where texts begin, in ascending order.
    """
    first, second, third = _PAIR
    pairs = keys * first
    pairs[1:] += keys[:-1] * second
    triples = pairs + third
    triples[2:] += keys[:-2] * third
    return [(pairs, starts), (triples, np.concatenate([starts, starts + 1]))]


class FastModel:
    """Scores texts; see the module. Not safe for use by several threads at once."""

    _rows: _Rows
    _sums: NDArray[np.float32]
    _keys: Hashes

    def __init__(self, arrays: dict[str, NDArray[np.generic]], about: About) -> None:
        self.heads: tuple[str, ...] = tuple(about.heads)
        self.languages: frozenset[str] = frozenset(about.languages)
        self.reference: Mapping[str, Sequence[int]] = {
            str(head): counts for head, counts in about.reference.items()
        }
        self._about = about
        table = np.asarray(arrays["table"], np.int8)
        self._bits = (len(table) - 1).bit_length()
        if len(table) != 1 << self._bits:
            raise ValueError("its table has no power of two rows")
        self._width = table.shape[1]
        self._table = np.concatenate([table, np.zeros((1, self._width), np.int8)])
        self._joints = int(arrays["joints"])  # 1: pairs, 2: triples too
        self._scale = np.asarray(arrays["scale"], np.float64)
        # Whole numbers, so that their products add up to the same in any order.
        self._hidden = np.asarray(arrays["hidden"], np.float64)
        self._hidden_bias = np.asarray(arrays["hidden_bias"], np.float64)
        self._hidden_steps = float(arrays["hidden_steps"])
        self._out = np.asarray(arrays["out"], np.float64)
        self._out_bias = np.asarray(arrays["out_bias"], np.float64)
        self._out_steps = float(arrays["out_steps"])
        if len(self._out_bias) != len(self.heads):
            raise ValueError("it has other heads than its description")
        self._forget()

    @classmethod
    def load(cls, path: Path, about: About) -> FastModel:
        """The model of an `.npz` file.

        Raises:
          ModelError: it is damaged, or no such model.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                model = cls({name: file[name] for name in file.files}, about)
            found = model.score(["a text to try it on"])
        except (ValueError, OSError, EOFError, LookupError, TypeError, BadZipFile, AttributeError) as error:
            raise ModelError(f"{path.name}: {error}") from error
        if found.shape != (1, len(about.heads)) or not np.isfinite(found).all():
            raise ModelError(f"{path.name}: its scores are no numbers")
        return model

    def score(self, texts: Sequence[str]) -> Probabilities:
        """Calibrated probabilities, a row a text, a column a head; of long texts each head's highest window.

        Texts are as `worker.learned.texts.model_text` gives them.
        """
        if not texts:
            return np.zeros((0, len(self.heads)))
        parts = [self._score(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """What is calibrated, a row a text of at most `LONG` pieces; for training."""
        return self._logits([text[:MOST_CODE_POINTS].split() for text in texts])

    def best_window(self, text: str, head: str) -> tuple[int, int]:
        """The half-open span of code points that scores highest for a head: the whole text unless it is long."""
        places = _places(text)
        if len(places) <= LONG:
            return 0, len(text)
        windows = _windows(len(places))
        found = [text[start:end] for start, end in places]
        scores = self._logits([found[start:end] for start, end in windows])[:, self.heads.index(head)]
        start, end = windows[int(scores.argmax())]
        return places[start][0], places[end - 1][1]

    def spans(self, text: str, head: str) -> list[Span]:
        """The pieces of a text that carry a head's score: strongest first, neighbours as one.

        Half-open spans of code points of the given text; at most `MOST_SPANS`. A share, 0 to 1, is of all that the
        score would lose if each piece was left out.
        """
        low, high = self.best_window(text, head)
        places = [(start, end) for start, end in _places(text) if low <= start and end <= high][:LONG]
        found = [text[start:end] for start, end in places]
        if not found:
            return []
        without = [found[:place] + found[place + 1 :] for place in range(len(found))]
        scores = self._logits([found, *without])[:, self.heads.index(head)]
        losses = np.maximum(scores[0] - scores[1:], 0.0)
        total = float(losses.sum())
        if total <= 0.0:
            return []
        chosen = sorted(np.argsort(-losses, kind="stable")[:MOST_SPANS].tolist())
        merged: list[tuple[int, int, int, float]] = []  # the last piece, start, end, loss
        for place in chosen:
            loss = float(losses[place])
            if loss < total * 0.05:
                continue
            start, end = places[place]
            if merged and merged[-1][0] == place - 1:
                _, start, _, before = merged.pop()
                loss += before
            merged.append((place, start, end, loss))
        spans = [Span(start, end, round(loss / total, 4)) for _, start, end, loss in merged]
        return sorted(spans, key=lambda span: (-span.share, span.start))

    def _score(self, texts: Sequence[str]) -> Probabilities:
        found: list[list[str]] = []
        owners: list[int] | None = None
        for number, text in enumerate(texts):
            pieces = text[:MOST_CODE_POINTS].split()
            if len(pieces) <= LONG:
                found.append(pieces)
                if owners is not None:
                    owners.append(number)
                continue
            if owners is None:
                owners = list(range(number))
            for start, end in _windows(len(pieces)):
                found.append(pieces[start:end])
                owners.append(number)
        # Not more windows at once than there are texts in a batch: long texts have hundreds each.
        parts = [self._logits(found[start : start + _BATCH]) for start in range(0, len(found), _BATCH)]
        logits = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if owners is not None:
            starts = np.flatnonzero(np.diff(np.array(owners), prepend=-1))
            logits = np.maximum.reduceat(logits, starts, axis=0)
        return self._about.probabilities(logits)

    def _logits(self, found: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        pooled = self._pooled(found)
        steps = np.clip(np.rint(pooled * POOLED_STEPS), -POOLED_LIMIT, POOLED_LIMIT)
        hidden = np.maximum(steps @ self._hidden + self._hidden_bias, 0.0)
        read = np.concatenate([np.floor(hidden / self._hidden_steps), steps], axis=1)
        return np.asarray((read @ self._out + self._out_bias) / self._out_steps)

    def _pooled(self, found: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        flat: list[str] = []
        for pieces in found:
            flat.append(_FIRST)
            flat += pieces
        lengths = np.fromiter(map(len, found), np.int64, len(found)) + 1
        starts = np.cumsum(lengths) - lengths
        if len(self._rows) > _MOST_REMEMBERED:
            self._forget()
        rows = np.array(list(map(self._rows.__getitem__, flat)), np.int64)
        if self._rows.unread:
            self._learn()
        sums = self._sums.take(rows, axis=0)
        keys = self._keys.take(rows)
        for hashes, none in joint_hashes(keys, starts)[: self._joints]:
            places = buckets(hashes, self._bits)
            places[none[none < len(places)]] = 1 << self._bits  # the row of zeros
            sums += self._table.take(places, axis=0)
        pooled = np.add.reduceat(sums, starts, axis=0).astype(np.float64)
        return pooled * self._scale / np.sqrt(lengths)[:, None]

    def _learn(self) -> None:
        """Adds up the features of the pieces that are seen for the first time."""
        new = self._rows.unread
        self._rows.unread = []
        start, end = len(self._rows) - len(new), len(self._rows)
        if end > len(self._keys):
            room = max(end, 2 * len(self._keys))
            self._sums = np.concatenate(
                [self._sums[:start], np.zeros((room - start, self._width), np.float32)]
            )
            self._keys = np.concatenate([self._keys[:start], np.zeros(room - start, np.uint64)])
        inner, edges = cores(new)
        keys = keys_of(inner)
        parts = piece_hashes(inner, edges, keys)
        self._sums[start:end] = self._table.take(buckets(parts[0][0], self._bits), axis=0)
        for hashes, owners in parts[1:]:
            if len(owners):
                firsts = np.flatnonzero(np.diff(owners, prepend=-1))
                rows = self._table.take(buckets(hashes, self._bits), axis=0).astype(np.float32)
                self._sums[start + owners[firsts]] += np.add.reduceat(rows, firsts, axis=0)
        self._keys[start:end] = keys

    def _forget(self) -> None:
        self._rows = _Rows()
        self._sums = np.zeros((4096, self._width), np.float32)
        self._keys = np.zeros(4096, np.uint64)


class _Rows(dict[str, int]):
    """Which row each piece has; one that is new gets the next, and waits to be read."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: list[str] = []

    def __missing__(self, piece: str) -> int:
        if len(piece) > _LONGEST_PIECE:  # only its first code points are looked at: they alone are remembered
            return self[piece[:_LONGEST_PIECE]]
        row = len(self)
        self[piece] = row
        self.unread.append(piece)
        return row


def _windows(size: int) -> list[tuple[int, int]]:
    """Overlapping windows over so many pieces; the last one ends with the text."""
    starts = [*range(0, size - WINDOW, STRIDE), size - WINDOW]
    return [(start, start + WINDOW) for start in starts]


def _places(text: str) -> list[tuple[int, int]]:
    """Where the pieces of a text stand."""
    cut = text[:MOST_CODE_POINTS]
    places: list[tuple[int, int]] = []
    place = 0
    for piece in cut.split():
        start = cut.index(piece, place)
        place = start + len(piece)
        places.append((start, place))
    return places
