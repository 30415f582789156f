"""Recall against usage examples per tool, as one small self-contained SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

__all__ = ["usage_chart"]

_WIDTH, _HEIGHT = 680, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 160, 40, 48
# Okabe and Ito's palette, told apart by colour-blind readers; the last method named is ours and comes first.
_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#666666")


def usage_chart(title: str, curves: Mapping[str, Sequence[tuple[int, float]]], *, metric: str = "R@5") -> str:
    """One line per method; the horizontal axis has one evenly spaced place per number of examples.

    Args:
        title: of the chart.
        curves: method -> (most examples per tool, metric in [0, 1]), all at the same numbers of examples.
        metric: names the vertical axis.
    """
    limits = sorted({limit for points in curves.values() for limit, _ in points})
    values = [value for points in curves.values() for _, value in points]
    low, high = max(0.0, min(values, default=0.0) - 0.05), min(1.0, max(values, default=1.0) + 0.05)

    def x(limit: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * limits.index(limit) / max(len(limits) - 1, 1)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / max(high - low, 1e-9)

    parts = [f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>']
    for step in range(5):
        value = low + (high - low) * step / 4
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{100 * value:.0f}</text>'
        )
    parts += [
        f'<text x="{x(limit):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{limit}</text>' for limit in limits
    ]
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">'
        f"usage examples per tool, at most</text>"
        f'<text x="14" y="{_TOP - 6}">{escape(metric)}, %</text>'
    )
    for index, (method, points) in enumerate(reversed(list(curves.items()))):
        colour = _COLOURS[index % len(_COLOURS)]
        line = " ".join(f"{x(limit):.1f},{y(value):.1f}" for limit, value in points)
        dots = "".join(
            f'<circle cx="{x(limit):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}">'
            f"<title>{escape(method)}, {limit}: {100 * value:.1f}</title></circle>"
            for limit, value in points
        )
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{2.5 if index == 0 else 1.5}"/>'
            f'{dots}<rect x="{_WIDTH - _RIGHT + 16}" y="{_TOP + 20 * index}" width="12" height="12" fill="{colour}"/>'
            f'<text x="{_WIDTH - _RIGHT + 34}" y="{_TOP + 20 * index + 11}">{escape(method)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>{"".join(parts)}</svg>\n'
    )
