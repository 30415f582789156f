"""The study as tables in Markdown and as a chart of regret against probes."""

from collections.abc import Sequence
from html import escape

from .probing import BUDGETS, WAYS
from .study import KNOWLEDGE, Study

__all__ = ["markdown", "regret_chart"]

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 300, 260, 46, 44
_COLOURS = {
    "chosen": "#0072B2",
    "chosen alike": "#009E73",
    "oddest": "#999999",
    "random": "#E69F00",
    "random alike": "#CC79A7",
}


def markdown(studies: Sequence[Study]) -> str:
    """Three tables: levels, answers, probing."""
    return "\n".join([*_levels(studies), "", *_answers(studies), "", *_probing(studies)]) + "\n"


def _levels(studies: Sequence[Study]) -> list[str]:
    names = list(studies[0].levels[KNOWLEDGE[0]][0].by)
    lines = [_row(["table", "figures", "left out", "models", *names]), _rule(4 + len(names))]
    for study in studies:
        for known in KNOWLEDGE:
            for error in study.levels[known]:
                figures = [f"{error.by[name]:.3f}" for name in names]
                lines.append(_row([study.name, known, error.split, str(error.n_models), *figures]))
    return lines


def _answers(studies: Sequence[Study]) -> list[str]:
    head = ["table", "left out", "models", "MAE of the mean score", "90 % interval covers", "AUC"]
    lines = [_row([*head, "AUC within a model", "log-loss", "of a constant"]), _rule(9)]
    for study in studies:
        for e in study.answers:
            figures = [f"{e.mean_score_mae:.3f}", f"{100 * e.covered:.0f} %", f"{e.auc:.3f}", f"{e.auc_within:.3f}"]
            losses = [f"{e.log_loss:.3f}", f"{e.log_loss_of_constant:.3f}"]
            lines.append(_row([study.name, e.split, str(e.n_models), *figures, *losses]))
    return lines


def _probing(studies: Sequence[Study]) -> list[str]:
    lines = [_row(["table", "pools", "probes", *map(str, BUDGETS)]), _rule(3 + len(BUDGETS))]
    for study in studies:
        worth = study.probing
        for way in (*WAYS, "saved"):
            cells = [
                f"{100 * mean:.2f} [{100 * i.lower:.2f}, {100 * i.upper:.2f}]"
                for mean, i in zip(worth.regret[way], worth.interval[way], strict=True)
            ]
            lines.append(_row([study.name, str(worth.n_pools), way, *cells]))
    return lines


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(n: int) -> str:
    return "|" + " --- |" * n


def regret_chart(studies: Sequence[Study]) -> str:
    """Regret in points against probes per model, one panel per table; bars are 95 % intervals of the chosen ones."""
    panels = "".join(
        f'<g transform="translate({at * _WIDTH} 0)">{_panel(study)}</g>' for at, study in enumerate(studies)
    )
    legend = "".join(
        f'<rect x="{20 + 150 * at}" y="{_HEIGHT + 8}" width="14" height="4" fill="{colour}"/>'
        f'<text x="{40 + 150 * at}" y="{_HEIGHT + 14}">{escape(way)}</text>'
        for at, (way, colour) in enumerate(_COLOURS.items())
    )
    width, height = _WIDTH * max(len(studies), 2), _HEIGHT + 26
    title = "Routing regret among new models against probes per model"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11" role="img"><title>{title}</title><rect width="{width}" height="{height}" fill="white"/>'
        f"{panels}{legend}</svg>\n"
    )


def _panel(study: Study) -> str:
    top = 100 * max(*(i.upper for i in study.probing.interval["chosen"]), 1e-3)
    left, right, bottom = 44, _WIDTH - 14, _HEIGHT - _BOTTOM

    def x(at: int) -> float:
        return left + 8 + at * (right - left - 16) / (len(BUDGETS) - 1)

    def y(regret: float) -> float:
        return round(bottom - max(100 * regret, 0.0) / top * (bottom - _TOP), 1)

    parts = [
        f'<text x="{left}" y="24" font-size="13" font-weight="bold">{escape(study.name)}</text>',
        f'<text x="{left}" y="38">regret, points</text>',
        f'<path d="M{left} {_TOP}V{bottom}H{right}" fill="none" stroke="#333"/>',
        *(f'<text x="{x(at)}" y="{bottom + 16}" text-anchor="middle">{n}</text>' for at, n in enumerate(BUDGETS)),
        f'<text x="{(left + right) / 2}" y="{bottom + 32}" text-anchor="middle">probes per model</text>',
    ]
    for part in range(5):
        level = top * part / 4
        parts.append(f'<text x="{left - 5}" y="{y(level / 100) + 4}" text-anchor="end">{level:.1f}</text>')
    for at, interval in enumerate(study.probing.interval["chosen"]):
        parts.append(
            f'<path d="M{x(at)} {y(interval.lower)}V{y(interval.upper)}" stroke="{_COLOURS["chosen"]}" '
            'stroke-opacity="0.4" stroke-width="3"/>'
        )
    for way, colour in _COLOURS.items():
        line = " ".join(f"{x(at):.1f},{y(mean)}" for at, mean in enumerate(study.probing.regret[way]))
        dash = "" if way.startswith("chosen") else ' stroke-dasharray="4 3"'
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
    return "".join(parts)
