from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.worker.media.bank_helpers import make_bank
from tests.worker.media.pictures import KINDS, landscape, portrait_like
from worker.media.banks import BankFolder
from worker.media.borders import without_border
from worker.media.examine import examine
from worker.media.item import Asked, Limits
from worker.media.pdq import pdq

PICTURE = landscape(3, (400, 300))


def framed(
    picture: np.ndarray,
    left: int,
    top: int,
    right: int,
    bottom: int,
    colour: tuple[int, int, int] = (0, 0, 0),
) -> np.ndarray:
    return np.asarray(ImageOps.expand(Image.fromarray(picture), (left, top, right, bottom), colour))


@pytest.mark.parametrize(
    "sides", [(20, 20, 20, 20), (0, 40, 0, 40), (30, 0, 0, 0), (0, 0, 0, 9), (2, 60, 2, 5)]
)
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
def test_a_plain_border_is_taken_off_exactly(
    sides: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    inside = without_border(framed(PICTURE, *sides, colour))
    assert inside is not None
    assert np.array_equal(inside, PICTURE)


@pytest.mark.parametrize("kind", ["landscape", "portrait", "texture", "abstract"])
def test_scenes_have_no_border(kind: str) -> None:
    assert without_border(KINDS[kind](5, (400, 300))) is None


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((300, 400, 3), np.uint8),
        framed(np.full((40, 40, 3), 255, np.uint8), 150, 130, 150, 130),  # a small thing on a large ground
        np.zeros((8, 300, 3), np.uint8),
        framed(PICTURE, 1, 1, 1, 1),  # hardly one
    ],
)
def test_what_is_no_border_is_left(picture: np.ndarray) -> None:
    assert without_border(picture) is None


def test_noise_of_compression_does_not_hide_a_border(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(framed(PICTURE, 24, 24, 24, 24, (250, 250, 250))).save(path, quality=40)
    with Image.open(path) as image:
        inside = without_border(np.asarray(image.convert("RGB")))
    assert inside is not None
    assert abs(inside.shape[0] - 300) <= 8
    assert abs(inside.shape[1] - 400) <= 8


def test_a_framed_copy_matches_the_bank_by_what_is_inside(tmp_path: Path) -> None:
    make_bank(tmp_path / "banks", "works", policy="copyright", pdq=[pdq(PICTURE).hash])
    banks = BankFolder(tmp_path / "banks")
    banks.reload()
    path = tmp_path / "a.jpg"
    Image.fromarray(framed(PICTURE, 30, 60, 30, 60)).save(path, quality=80)
    found = examine(path, Asked(), Limits())
    assert (int(found.pdq or "0", 16) ^ int(pdq(PICTURE).hash, 16)).bit_count() > 31
    (match,) = banks.current.match(found)
    assert (match.bank, match.kind) == ("works", "pdq")
    Image.fromarray(portrait_like(4, (400, 300))).save(path, quality=80)
    assert banks.current.match(examine(path, Asked(), Limits())) == ()
