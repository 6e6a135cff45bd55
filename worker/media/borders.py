"""Plain borders of pictures: bars above and below, frames around, as sharing and screenshots add them.

A border of a few per cent moves a PDQ hash beyond any bank's reach (docs/media/figures.md), so the picture inside is
looked up as well.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEVELS: Final = (
    24  # that the samples of a plain line may lie from its border's level: JPEG rings where a border ends
)
_FRACTION: Final = 0.10  # of the samples of a plain line that may lie further off
_LEAST_SHARE: Final = 0.005  # of a side; a thinner border hardly moves the hash
_LEAST_LEFT: Final = 0.4  # of each side; a small picture on a large plain ground is another picture
_SAMPLES: Final = 400  # of a line that are looked at


def without_border(rgb: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The picture (height x width x 3) inside its plain border, a view of it; None where it has none.

    The sides may be of different widths and levels. What is plain further inside, as the sky below a bar of the same
    colour, counts as border.
    """
    height, width = rgb.shape[:2]
    if min(height, width) < 16:
        return None
    top, bottom = _plain(rgb[:, :: max(1, width // _SAMPLES)])
    if top + bottom > (1 - _LEAST_LEFT) * height:
        return None
    within = rgb[top : height - bottom]
    left, right = _plain(within[:: max(1, within.shape[0] // _SAMPLES)].transpose(1, 0, 2))
    if left + right > (1 - _LEAST_LEFT) * width:
        return None
    if max(top, bottom) < _LEAST_SHARE * height and max(left, right) < _LEAST_SHARE * width:
        return None
    return within[:, left : width - right]


def _plain(lines: NDArray[np.uint8]) -> tuple[int, int]:
    """How many of the first and of the last lines (lines x samples x 3) are of one colour."""
    return _leading(lines), _leading(lines[::-1])


def _leading(lines: NDArray[np.uint8]) -> int:
    """How many lines at the beginning are of the colour of the first one, or of nearly that."""
    colour = np.median(lines[0], axis=0)
    # From outside inwards in growing steps: most pictures have no border, and a look at two lines shows it.
    count, step = 0, 2
    while count < len(lines):
        block = lines[count : count + step]
        differs = (np.abs(block - colour) > _LEVELS).mean(axis=(1, 2)) > _FRACTION
        if differs.any():
            return count + int(differs.argmax())
        count += len(block)
        step *= 2
    return count
