"""What finding costs as a registry grows, as a small self-contained SVG: recall, latency, memory and build time."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["ScalePoint", "scale_chart"]

_WIDTH, _HEIGHT = 760, 210
_PANEL, _GAP, _TOP, _BOTTOM = 150, 40, 46, 40
_COLOUR: Final = "#0072B2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePoint:
    """An index of so many tools; measured on one thread."""

    n_tools: int
    recall: float  # of the ten nearest by exact search, in [0, 1]
    latency_ms: float  # median of one search
    memory_mib: float
    build_s: float


def scale_chart(title: str, points: Sequence[ScalePoint]) -> str:
    """Four panels side by side over the same sizes; every point is labelled with its value."""
    panels = (
        ("recall@10, %", [100 * point.recall for point in points]),
        ("search, ms", [point.latency_ms for point in points]),
        ("memory, MiB", [point.memory_mib for point in points]),
        ("build, s", [point.build_s for point in points]),
    )
    sizes = [f"{point.n_tools:,}" for point in points]
    drawn = "".join(
        _panel(name, sizes, values, left=20 + number * (_PANEL + _GAP)) for number, (name, values) in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="11" role="img"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
        f'<text x="20" y="20" font-size="14">{escape(title)}</text>{drawn}</svg>\n'
    )


def _panel(name: str, sizes: Sequence[str], values: Sequence[float], *, left: int) -> str:
    """Bars from zero: each panel has a scale of its own."""
    highest = max(values, default=1.0) or 1.0
    base, width = _HEIGHT - _BOTTOM, _PANEL / max(len(values), 1)
    parts = [f'<text x="{left}" y="{_TOP - 6}">{escape(name)}</text>']
    for place, (size, value) in enumerate(zip(sizes, values, strict=True)):
        height = (base - _TOP - 16) * value / highest
        middle = left + (place + 0.5) * width
        parts.append(
            f'<rect x="{middle - 0.3 * width:.1f}" y="{base - height:.1f}" width="{0.6 * width:.1f}" '
            f'height="{height:.1f}" fill="{_COLOUR}"/>'
            f'<text x="{middle:.1f}" y="{base - height - 4:.1f}" text-anchor="middle">{value:.4g}</text>'
            f'<text x="{middle:.1f}" y="{base + 14}" text-anchor="middle" font-size="9">{escape(size)}</text>'
        )
    parts.append(f'<line x1="{left}" x2="{left + _PANEL}" y1="{base}" y2="{base}" stroke="#666"/>')
    return "".join(parts)
