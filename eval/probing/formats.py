"""How much a model's answers hang on the layout of a question, and on the form in which data are given."""

import json

import numpy as np

from catalog.capability.format_spread import PromptFormat, draw_formats, measure_spread

from .asking import Asking, BudgetSpentError
from .quality import ANSWER_TOKENS
from .results import Fact, ProbeResult, Subject

__all__ = ["probe_context_format", "probe_format_spread", "tables"]

_N_FORMATS = 10
_BATCH = 5
_STOCK = (("bolt", 12, 3), ("nut", 47, 8), ("gear", 9, 21), ("belt", 30, 17), ("hose", 5, 26), ("valve", 63, 34))


def probe_format_spread(subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """Spread between the best and the worst layout by Thompson sampling over the published grammar."""
    n_items = max(2 * _BATCH, min(calls // 4, len(subject.questions)))
    items = subject.questions[:n_items]
    rng = np.random.default_rng(0)
    drawn = draw_formats(4 * _N_FORMATS, rng=rng)
    formats = [layout for layout in drawn if layout.separator][:_N_FORMATS]

    def score(layout: PromptFormat, at: object) -> list[float]:
        rows = [int(item) for item in at]  # type: ignore[attr-defined]
        replies = [asking.chat(items[row].prompt(layout), max_tokens=ANSWER_TOKENS) for row in rows]
        return [
            float(items[row].chosen(reply.text, layout) == items[row].right)
            for row, reply in zip(rows, replies, strict=True)
        ]

    try:
        # the original and, at the end, the two extremes are asked in full: that is what the budget keeps back
        found = measure_spread(
            score, formats, n_items=n_items, budget=max(2 * _BATCH, calls - 3 * n_items), rng=rng, batch=_BATCH
        )
    except BudgetSpentError:
        return ProbeResult(
            procedure="format", complete=False, note="the budget ended within the search; run again with more to go on"
        )
    method = (
        f"Thompson sampling over {found.formats_tried} layouts, {n_items} questions, {found.evaluations} evaluations; "
        f"best {_described(found.best)}, worst {_described(found.worst)}"
    )
    facts = {
        "format_spread": found.spread,
        "format_worst": found.worst_score,
        "format_best": found.best_score,
        "format_original": found.original_score,
    }
    return ProbeResult(
        procedure="format",
        facts=tuple(
            Fact(name=name, value=value, unit="share right", n=n_items, method=method) for name, value in facts.items()
        ),
    )


def probe_context_format(subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """The same look-ups in the same table, given as YAML, Markdown, JSON and TOON."""
    del subject
    written = tables()
    asked = [(name, column, at) for at, (name, *_) in enumerate(_STOCK) for column in (1, 2)]
    asked = asked[: max(2, calls // len(written))]
    facts: list[Fact] = []
    try:
        for form, table in written.items():
            right = 0
            tokens = 0
            for name, column, at in asked:
                wanted = ("price", "stock")[column - 1]
                prompt = f"{table}\n\nWhat is the {wanted} of the {name}? Answer with the number only."
                reply = asking.chat(prompt, max_tokens=ANSWER_TOKENS)
                said = "".join(c if c.isdigit() else " " for c in reply.text).split()
                right += said[:1] == [str(_STOCK[at][column])]
                tokens += reply.input_tokens
            method = f"{len(asked)} look-ups in one table of {len(_STOCK)} rows given as {form}"
            n = len(asked)
            facts.append(Fact(name=f"context_{form}", value=right / n, unit="share right", n=n, method=method))
            facts.append(Fact(name=f"context_{form}_tokens", value=tokens / n, unit="input tokens", n=n, method=method))
    except BudgetSpentError:
        return ProbeResult(
            procedure="context", facts=tuple(facts), complete=False, note="the budget ended within the forms"
        )
    return ProbeResult(procedure="context", facts=tuple(facts))


def tables() -> dict[str, str]:
    """One table in four forms."""
    rows = [{"part": name, "price": price, "stock": stock} for name, price, stock in _STOCK]
    return {
        "yaml": "\n".join(f"- part: {r['part']}\n  price: {r['price']}\n  stock: {r['stock']}" for r in rows),
        "markdown": "| part | price | stock |\n| --- | --- | --- |\n"
        + "\n".join(f"| {r['part']} | {r['price']} | {r['stock']} |" for r in rows),
        "json": json.dumps(rows, indent=1),
        "toon": f"parts[{len(rows)}]{{part,price,stock}}:\n"
        + "\n".join(f"  {r['part']},{r['price']},{r['stock']}" for r in rows),
    }


def _described(layout: PromptFormat) -> str:
    return repr(layout.fields([("Question", "...")]) + layout.field_space + layout.options(["a", "b"]))
