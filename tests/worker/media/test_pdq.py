"""PDQ agrees with the reference: the published picture, its turned and mirrored forms, and what its filters do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Image = pytest.importorskip("PIL.Image")

from worker.media.pdq import dihedral, pdq  # noqa: E402  # after the check for the extra
from worker.signals.hashes import pdq_distance  # noqa: E402  # as above

BRIDGE = Path(__file__).parents[2] / "data" / "pdq" / "bridge-1-original.jpg"
# The hash of the bridge by pdqhash 0.2.8 from its full size, as python-threatexchange's tests print it:
# https://github.com/facebook/ThreatExchange, python-threatexchange/threatexchange/cli/tests/hash_cmd_test.py.
FULL_SIZE = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
# The eight hashes that the reference prints (pdq/cpp/README.md); its program makes larger pictures smaller first.
PUBLISHED = (
    "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22",
    "b0a10efd71cc3f429413d48d0ffffe12e34e0e17ada952a9d29684210aa9e5af",
    "adad5a64b5a142e55362a09057dacd5ae63b847fc23794b766b319361fc93188",
    "a5f4a457a48995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b0bfc4f05",
    "f8f80f31e0f417b00e37f5cd028f980fb36ed02a9662c1e233e6cc634e9c64dd",
    "8dad2599b1a1bd1853625f6553da32a1e63b7280c2374b4866b366c91bc9ce77",
    "f0a1f102f1dcc0bd9c5309720fff018de34ef1e8ada9a956d2967ade0ea91a50",
    "a5f05ba8a4896a17c106a3da5aaaab07b61b5b42f8fc07fc83c3d0740bfcb0fa",
)


def picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Smooth noise in three colours: structure at every scale, as photographs have it."""
    noise = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells in (2, 5, 13):
        coarse = noise.random((cells + 1, cells + 1, 3))
        rows = np.linspace(0, cells, height)[:, None]
        columns = np.linspace(0, cells, width)[None, :]
        i, j = rows.astype(int).clip(0, cells - 1), columns.astype(int).clip(0, cells - 1)
        down, across = (rows - i)[..., None], (columns - j)[..., None]
        top = coarse[i, j] * (1 - across) + coarse[i, j + 1] * across
        bottom = coarse[i + 1, j] * (1 - across) + coarse[i + 1, j + 1] * across
        total += (top * (1 - down) + bottom * down) / cells**0.5
    return (255 * (total - total.min()) / np.ptp(total)).astype(np.uint8)


def reference(rgb: NDArray[np.uint8]) -> str:
    """The paper's steps one by one, slowly and in double precision: every box of every pixel."""

    def boxes(values: NDArray[np.float64]) -> NDArray[np.float64]:
        length = values.shape[0]
        window = (length + 127) // 128
        ahead = (window + 2) // 2
        out = np.empty_like(values)
        for place in range(length):
            out[place] = values[max(0, place + ahead - window) : min(length, place + ahead)].mean(axis=0)
        return out

    luma = rgb.astype(float) @ [0.299, 0.587, 0.114]
    for _ in range(2):
        luma = boxes(boxes(luma.T).T)
    rows, columns = ([int((k + 0.5) * side / 64) for k in range(64)] for side in luma.shape)
    small = luma[np.ix_(rows, columns)]
    wave = np.cos(np.pi / 128 * np.outer(np.arange(1, 17), 2 * np.arange(64) + 1)) * np.sqrt(2 / 64)
    waves = (wave @ small @ wave.T).ravel()
    bits = waves > np.sort(waves)[127]
    return f"{sum(1 << place for place, bit in enumerate(bits) if bit):064x}"


def test_the_published_picture_has_the_hash_that_pdqhash_gives_it() -> None:
    with Image.open(BRIDGE) as opened:
        rgb = np.asarray(opened.convert("RGB"))
    assert pdq(rgb) == (FULL_SIZE, 100)
    for found, printed in zip(dihedral(rgb), PUBLISHED, strict=True):
        assert pdq_distance(found.hash, printed) == 8
        assert found.quality == 100
    # None of them is one of the others.
    for place, found in enumerate(dihedral(rgb)):
        assert [pdq_distance(found.hash, one) <= 31 for one in PUBLISHED] == [k == place for k in range(8)]


@pytest.mark.parametrize(
    "size", [(64, 64), (63, 200), (128, 129), (301, 257), (720, 480), (5, 400), (1000, 7)]
)
def test_it_is_what_the_paper_says(size: tuple[int, int]) -> None:
    rgb = picture(3, *size)
    assert pdq_distance(pdq(rgb).hash, reference(rgb)) <= 2  # of values that are equal but for rounding


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_turned_pictures_have_the_hashes_that_turning_the_waves_gives(seed: int) -> None:
    # 64 x 64 pixels, of which the filter takes each one alone: in larger pictures windows are not quite symmetric.
    rgb = picture(seed, 64, 64)
    hashes = dihedral(rgb)
    assert hashes[0] == pdq(rgb)
    turned = (np.rot90(rgb, k) for k in (0, 1, 2, 3))
    mirrored = (rgb[::-1], rgb[:, ::-1], rgb.swapaxes(0, 1), np.rot90(rgb, 2).swapaxes(0, 1))
    for found, other in zip(hashes, (*turned, *mirrored), strict=True):
        assert pdq_distance(found.hash, pdq(other).hash) <= 2  # of values that are equal but for rounding


def test_a_smaller_and_a_larger_copy_have_nearly_the_same_hash() -> None:
    rgb = picture(5, 600, 800)
    large = np.repeat(np.repeat(rgb, 3, axis=0), 3, axis=1)
    assert pdq_distance(pdq(rgb).hash, pdq(large).hash) <= 10
    assert pdq_distance(pdq(rgb).hash, pdq(rgb[::2, ::2]).hash) <= 10
    assert pdq_distance(pdq(rgb).hash, pdq(picture(6, 600, 800)).hash) > 60


def test_the_picture_may_be_grey_a_view_or_read_only() -> None:
    rgb = picture(5, 300, 400)
    grey = rgb[..., 1]
    assert pdq(grey).hash == pdq(np.stack([grey] * 3, axis=2)).hash
    view = np.zeros((300, 800, 3), np.uint8)[:, ::2]
    view[:] = rgb
    view.setflags(write=False)
    assert pdq(view) == pdq(rgb)


def test_quality_is_low_without_edges_and_high_with_many() -> None:
    assert pdq(np.full((200, 200, 3), 90, np.uint8)).quality == 0
    rng = np.random.default_rng(1)
    assert pdq(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).quality == 100
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3))
    assert pdq(ramp).quality < 50


def test_a_picture_that_is_too_small_has_no_hash() -> None:
    for shape in ((4, 500, 3), (500, 4, 3), (1, 1, 3)):
        assert pdq(np.full(shape, 200, np.uint8)) == ("0" * 64, 0)
        assert dihedral(np.full(shape, 200, np.uint8)) == (("0" * 64, 0),) * 8
