"""PDQ: the perceptual hash of a picture, 256 bits from the coarse structure of its brightness, in numpy alone.

The algorithm is that of "TMK+PDQF and PDQ" (https://github.com/facebook/ThreatExchange/tree/main/pdq, "hashing.pdf" and
`cpp/hashing`, BSD licence, read 2026-11-24): luma, two passes of a box filter each way, every picture made 64 x 64, its
discrete cosine transform, and of 16 x 16 low frequencies which ones exceed their median. Pictures are hashed at
their full size, as HMA's hasher does (python-threatexchange with pdqhash); the command-line tools of the reference make
pictures of more than 512 pixels smaller first, so their hashes are some bits away.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_SIZE = 64  # pixels of each side that are left of the picture
_WAVES = 16  # frequencies in each direction
_SMALLEST = 5  # pixels of a side; below it there is nothing to hash
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STRIP_VALUES = 1 << 17  # of a strip that is made floating point at once; it stays in the cache of a core

_STEPS = np.arange(1, _WAVES + 1)[:, None] * (2 * np.arange(_SIZE) + 1)[None, :]
_DCT = (np.sqrt(2 / _SIZE) * np.cos(np.pi / 2 / _SIZE * _STEPS)).astype(np.float32)
_SIGNS = np.where(np.arange(_WAVES) % 2 == 1, 1, -1).astype(
    np.float32
)  # mirrored: every other frequency turns round


class Pdq(NamedTuple):
    """A hash of 64 hex digits in lower case, and its quality: 0 of a plain area to 100 of a picture full of edges."""

    hash: str
    quality: int


def pdq(rgb: NDArray[np.uint8]) -> Pdq:
    """The hash of a picture, an array of height x width x 3 (red, green, blue), or height x width of grey.

    A picture with a side of less than 5 pixels has the hash 0 with quality 0.
    """
    small = _made_small(rgb)
    if small is None:
        return Pdq("0" * 64, 0)
    return Pdq(_hex(_waves(small)), _quality(small))


def dihedral(rgb: NDArray[np.uint8]) -> tuple[Pdq, ...]:
    """The hashes of the picture as it is, turned by 90, 180 and 270 degrees, and mirrored in four ways.

    The mirrored ones are, in this order: upside down, left to right, along the main diagonal, along the other one. They
    cost one transform only, since turning a picture permutes its frequencies and their signs.
    """
    small = _made_small(rgb)
    if small is None:
        return (Pdq("0" * 64, 0),) * 8
    waves, quality = _waves(small), _quality(small)
    down, across = _SIGNS[:, None], _SIGNS[None, :]
    turned = (
        waves,
        (waves * across).T,
        waves * down * across,
        (waves * down).T,
        waves * down,
        waves * across,
        waves.T,
        (waves * down * across).T,
    )
    return tuple(Pdq(_hex(one), quality) for one in turned)


def _made_small(rgb: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """64 x 64 values of luma, 0..255; None of a picture that is too small.

    The filters and the choice of pixels are linear and work on rows and columns apart: together they are one weighted
    sum of rows and one of columns, of which only the 64 that are kept are worked out. Colours become luma in between.
    """
    height, width = rgb.shape[:2]
    if height < _SMALLEST or width < _SMALLEST:
        return None
    colours = rgb.shape[2] if rgb.ndim == 3 else 1
    flat = np.ascontiguousarray(rgb).reshape(height, width * colours)
    rows = np.empty((_SIZE, width * colours), np.float32)
    weights, first, last = _weights(height)
    step = max(64, _STRIP_VALUES // max(1, -(-height // _SIZE)))
    for begin in range(0, width * colours, step):
        strip = slice(begin, begin + step)
        for row in range(_SIZE):
            low, high = first[row], last[row]
            rows[row, strip] = weights[row, low:high] @ flat[low:high, strip].astype(np.float32)
    if colours == 1:
        luma = rows
    else:
        red, green, blue = (rows[:, colour::colours] for colour in range(3))
        luma = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
    across, _, _ = _weights(width)
    return luma @ across.T


@lru_cache(maxsize=32)
def _weights(length: int) -> tuple[NDArray[np.float32], tuple[int, ...], tuple[int, ...]]:
    """What each of `length` pixels adds to each of 64, and the half-open ranges in which that is not 0.

    A box filter's window is a 128th of the side, rounded up, and is cut off at the edges.
    """
    window = -(-length // (2 * _SIZE))
    ahead = (window + 2) // 2 - 1  # pixels of a window after its own place
    places = np.arange(length)
    lows = np.maximum(places + ahead + 1 - window, 0)
    highs = np.minimum(places + ahead + 1, length)
    sums = np.concatenate([[0.0], np.cumsum(1.0 / (highs - lows))])
    kept = ((np.arange(_SIZE) + 0.5) * length / _SIZE).astype(np.int64)
    # Pixel j is in the windows of the places j-ahead .. j-ahead+window-1; of these count the ones in the kept window.
    begin = np.maximum(places[None, :] - ahead, lows[kept][:, None])
    end = np.minimum(places[None, :] - ahead + window, highs[kept][:, None])
    end = np.maximum(np.minimum(end, length), begin)
    weights = ((sums[end] - sums[begin]) / (highs[kept] - lows[kept])[:, None]).astype(np.float32)
    used = end > begin
    first = np.argmax(used, axis=1)
    last = length - np.argmax(used[:, ::-1], axis=1)
    weights.setflags(write=False)
    return weights, tuple(first.tolist()), tuple(last.tolist())


def _waves(small: NDArray[np.float32]) -> NDArray[np.float32]:
    waves: NDArray[np.float32] = _DCT @ small @ _DCT.T
    return waves


def _hex(waves: NDArray[np.float32]) -> str:
    flat = waves.ravel()
    median = np.partition(flat, flat.size // 2 - 1)[
        flat.size // 2 - 1
    ]  # the lower one of the two in the middle
    return np.packbits((flat > median)[::-1]).tobytes().hex()


def _quality(small: NDArray[np.float32]) -> int:
    """How much brightness changes from pixel to pixel; changes below one in a hundred do not count."""
    steps: tuple[NDArray[Any], ...] = (np.diff(small, axis=0), np.diff(small, axis=1))
    total = sum(int(np.abs((step * 100 / 255).astype(np.int32)).sum()) for step in steps)
    return min(total // 90, 100)
