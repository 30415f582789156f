"""A replay's curves as one self-contained SVG: a few kilobytes, no script, readable in any browser and on any page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

__all__ = ["Curve", "Mark", "cost_quality_chart"]

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 232, 40, 52
_COST_AXIS = "mean cost, as a share of the best single model's (log scale)"
# Okabe and Ito's palette, told apart by colour-blind readers; ours comes first.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#666666")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One rule at all its operating points: (cost share, mean score) in order of cost, and the label of each."""

    name: str
    points: tuple[tuple[float, float], ...]
    labels: tuple[str, ...]
    intervals: tuple[tuple[float, float], ...] = ()  # of the scores; empty where they are not shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A single point beside the curves, with the interval of its score where there is one."""

    name: str
    point: tuple[float, float]
    interval: tuple[float, float] | None = None


def cost_quality_chart(title: str, curves: Sequence[Curve], marks: Sequence[Mark]) -> str:
    """Mean score against cost, as a share of the best single model's, on a logarithmic axis."""
    everything = [p for c in curves for p in c.points] + [m.point for m in marks]
    frame = _Frame.around([p for p in everything if p[0] > 0])
    rows = [_TOP + 8 + 20.0 * row for row in range(len(curves) + len(marks))]
    drawn = [
        _curve(frame, curve, _COLOURS[index % len(_COLOURS)], rows[index], is_ours=index == 0)
        for index, curve in enumerate(curves)
    ]
    marked = [_mark(frame, mark, row) for mark, row in zip(marks, rows[len(curves) :], strict=True)]
    body = [frame.axes(title), *marked, *reversed(drawn)]  # ours last, on top of all others
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>{"".join(body)}</svg>\n'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Maps cost shares and scores to pixels."""

    low_cost: float
    high_cost: float
    low_score: float
    high_score: float

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]]) -> "_Frame":
        cost, score = np.array(points).T
        margin = max(0.04 * (score.max() - score.min()), 0.005)
        return cls(
            low_cost=float(cost.min()) / 1.15,
            high_cost=float(cost.max()) * 1.15,
            low_score=max(0.0, float(score.min() - margin)),
            high_score=min(1.0, float(score.max() + margin)),
        )

    def x(self, cost: float) -> float:
        share = np.log(max(cost, self.low_cost) / self.low_cost) / np.log(self.high_cost / self.low_cost)
        return round(_LEFT + float(share) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, score: float) -> float:
        share = (score - self.low_score) / (self.high_score - self.low_score)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def axes(self, title: str) -> str:
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts = [
            f'<text x="{_LEFT}" y="24" font-size="14" font-weight="bold">{escape(title)}</text>',
            f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#333"/>',
            f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">{_COST_AXIS}</text>',
            f'<text transform="translate(16 {(_TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">mean score</text>',
        ]
        for score in np.linspace(self.low_score, self.high_score, 6):
            y = self.y(float(score))
            parts.append(f'<path d="M{_LEFT} {y}H{right}" stroke="#e4e4e4"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{score:.3f}</text>')
        for cost in (c for power in range(-5, 4) for c in (10.0**power, 3 * 10.0**power)):
            if self.low_cost <= cost <= self.high_cost:
                parts.append(f'<path d="M{self.x(cost)} {_TOP}V{bottom}" stroke="#e4e4e4"/>')
                parts.append(f'<text x="{self.x(cost)}" y="{bottom + 18}" text-anchor="middle">{cost:g}</text>')
        return "".join(parts)


def _curve(frame: _Frame, curve: Curve, colour: str, legend: float, *, is_ours: bool) -> str:
    line = " ".join(f"{frame.x(c)},{frame.y(q)}" for c, q in curve.points)
    width, dash = (2.5, "") if is_ours else (1.3, ' stroke-dasharray="5 3"')
    dots = "".join(
        f'<circle cx="{frame.x(c)}" cy="{frame.y(q)}" r="{3 if is_ours else 2}" fill="{colour}">'
        f"<title>{escape(f'{curve.name} {label}: score {q:.4f}, cost share {c:.3g}')}</title></circle>"
        for (c, q), label in zip(curve.points, curve.labels, strict=True)
    )
    whiskers = "".join(
        f'<path d="M{frame.x(c)} {frame.y(low)}V{frame.y(high)}" stroke="{colour}" stroke-opacity="0.5"/>'
        for (c, _), (low, high) in zip(curve.points, curve.intervals, strict=False)
    )
    x = _WIDTH - _RIGHT + 14
    return (
        f'{whiskers}<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>{dots}'
        f'<path d="M{x} {legend}h22" stroke="{colour}" stroke-width="{width}"{dash}/>'
        f'<text x="{x + 28}" y="{legend + 4}">{escape(curve.name)}</text>'
    )


def _mark(frame: _Frame, mark: Mark, legend: float) -> str:
    x, y, at = frame.x(mark.point[0]), frame.y(mark.point[1]), _WIDTH - _RIGHT + 25
    letter = escape(mark.name[:1].upper())
    whisker = ""
    if mark.interval is not None:
        whisker = f'<path d="M{x} {frame.y(mark.interval[0])}V{frame.y(mark.interval[1])}" stroke="#333"/>'
    tip = escape(f"{mark.name}: score {mark.point[1]:.4f}, cost share {mark.point[0]:.3g}")
    return (
        f'{whisker}<circle cx="{x}" cy="{y}" r="7" fill="white" stroke="#333"><title>{tip}</title></circle>'
        f'<text x="{x}" y="{y + 4}" text-anchor="middle" font-size="10">{letter}</text>'
        f'<circle cx="{at}" cy="{legend}" r="7" fill="white" stroke="#333"/>'
        f'<text x="{at}" y="{legend + 4}" text-anchor="middle" font-size="10">{letter}</text>'
        f'<text x="{at + 17}" y="{legend + 4}">{escape(mark.name)}</text>'
    )
