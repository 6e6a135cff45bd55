"""What commands ask of a picture beside what workers do: its hashes turned and mirrored, and a small picture to show.

Runs in the sandbox's child: nothing of a stranger's file is decoded outside it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.media.images import read_image
from worker.media.item import Asked, Found, Limits
from worker.media.pdq import dihedral, pdq
from worker.media.video import read_video
from worker.signals.hashes import PDQ_QUALITY

_QUALITY: Final = 80  # of the JPEG
_LOOKED_AT: Final = 12  # frames of a film, for one that shows something

TURNS: Final = ("as it is", "turned 90°", "turned 180°", "turned 270°", "upside down", "mirrored", "along the main diagonal",
                "along the other diagonal")  # fmt: skip
"""What each hash of `Found.turned` is of, in this order."""


def with_extras(path: Path, asked: Asked, limits: Limits, found: Found) -> Found:
    """What was found with what `asked` asks for beyond it; documents and sounds have neither.

    Raises:
        RefusedError: as the examination itself.
    """
    if not (asked.turned or asked.preview_pixels) or found.kind is None:
        return found
    rgb = _shown(path, limits, found)
    if rgb is None:
        return found
    turned = tuple(one.hash for one in dihedral(rgb)) if asked.turned and found.kind == "image" else ()
    preview = _preview(rgb, asked.preview_pixels) if asked.preview_pixels else None
    return replace(found, turned=turned, preview=preview)


def _shown(path: Path, limits: Limits, found: Found) -> NDArray[np.uint8] | None:
    """The picture, or the first frame that shows something; the first one if none of a dozen does."""
    first: NDArray[np.uint8] | None = None
    for rgb in islice(_frames(path, limits, found), _LOOKED_AT):
        if found.kind == "image" or pdq(rgb).quality >= PDQ_QUALITY:
            return rgb
        first = rgb if first is None else first
    return first


def _frames(path: Path, limits: Limits, found: Found) -> Iterator[NDArray[np.uint8]]:
    if found.kind in ("image", "gif"):
        yield from read_image(path, limits).frames
    elif found.kind in ("video", "live_video"):
        yield from (rgb for _, rgb in read_video(path, found.format, limits).frames)


def _preview(rgb: NDArray[np.uint8], side: int) -> str:
    """A JPEG of at most so many pixels a side, in base64. Nothing of the file itself is in it but its pixels."""
    image = Image.fromarray(rgb)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    data = BytesIO()
    image.save(data, "JPEG", quality=_QUALITY)
    return base64.b64encode(data.getvalue()).decode()
