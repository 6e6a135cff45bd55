"""Precision-recall curves as inline SVG, in the colours of the page around them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from worker.evaluation.figures import Point, Ratio

_WIDTH, _HEIGHT = 340, 260  # of the drawing
_LEFT, _TOP, _SIDE = 44, 12, 280  # where the plot begins, and its width
_DEEP = 200  # its height
_NEAR = 0.6  # user units; points nearer to the last one than this would not be seen
_GRID = (0.0, 0.25, 0.5, 0.75, 1.0)


def curve_svg(name: str, points: Sequence[Point], marks: Sequence[tuple[str, Ratio, Ratio]]) -> str:
    """One curve, recall to the right and precision upwards.

    `marks` are (kind, precision, recall) of where the policy works, `kind` one of `acted` and `flagged`; a mark without a
    precision or a recall is left out.
    """
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(_description(name, marks))}">',
        *_grid(),
    ]
    if points:
        parts.append(f'<path class="curve" d="{_path(points)}"/>')
    for kind, precision, recall in marks:
        if precision.value is not None and recall.value is not None:
            x, y = _x(recall.value), _y(precision.value)
            parts.append(
                f'<circle class="acted" cx="{x}" cy="{y}" r="5"/>'
                if kind == "acted"
                else f'<rect class="flagged" x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'
            )
    return "".join([*parts, "</svg>"])


def _description(name: str, marks: Sequence[tuple[str, Ratio, Ratio]]) -> str:
    said = [f"Precision-recall curve of {name}"]
    for kind, precision, recall in marks:
        if precision.value is not None and recall.value is not None:
            said.append(f"{kind}: precision {precision.value:.2f}, recall {recall.value:.2f}")
    return "; ".join(said)


def _grid() -> list[str]:
    parts = []
    right, bottom = _LEFT + _SIDE, _TOP + _DEEP
    for value in _GRID:
        x, y = _x(value), _y(value)
        parts.append(f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>')
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    middle = _TOP + _DEEP / 2
    parts.append(f'<text x="{_LEFT + _SIDE / 2}" y="{bottom + 34}" text-anchor="middle">recall</text>')
    parts.append(
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">precision</text>'
    )
    return parts


def _path(points: Sequence[Point]) -> str:
    """Steps, as average precision adds them up: the precision of a point holds since the recall of the last one."""
    first = points[0]
    parts = [f"M{_x(0.0)} {_y(first.precision)}H{_x(first.recall)}"]
    last = (_x(first.recall), _y(first.precision))
    for place, point in enumerate(points[1:], 1):
        here = (_x(point.recall), _y(point.precision))
        if place == len(points) - 1 or abs(here[0] - last[0]) + abs(here[1] - last[1]) >= _NEAR:
            parts.append(f"V{here[1]}H{here[0]}")
            last = here
    return "".join(parts)


def _x(recall: float) -> float:
    return round(_LEFT + _SIDE * recall, 1)


def _y(precision: float) -> float:
    return round(_TOP + _DEEP * (1 - precision), 1)
