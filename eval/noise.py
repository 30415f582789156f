"""Changes to a prompt that do not change its meaning: what a steady router should not notice.

Letter case, white space, a typing slip, the separators of its format. Source of the last kind: the format grammar of
Sclar et al., FormatSpread, arXiv 2310.11324.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from predictors import Query
from router import Router, RoutingOptions

from .contenders import Contender
from .folds import Folds
from .table import ReplayTable

__all__ = ["PERTURBATIONS", "Perturbation", "flip_rates"]

Perturbation = Callable[[str, np.random.Generator], str]


def _first_letter(text: str, _rng: np.random.Generator) -> str:
    return text[:1].lower() + text[1:] if text[:1].isupper() else text[:1].upper() + text[1:]


def _white_space(text: str, _rng: np.random.Generator) -> str:
    return "  " + text.replace("\n", "\n\n") + " \n"


def _typing_slip(text: str, rng: np.random.Generator) -> str:
    """Two neighbouring letters of one longer word change places."""
    words = list(re.finditer(r"[A-Za-z]{5,}", text))
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    at = word.start() + 1 + int(rng.integers(len(word.group()) - 3))
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _separators(text: str, _rng: np.random.Generator) -> str:
    """Options and fields marked otherwise: `A. x` becomes `(A) x`, `Name: x` becomes `Name - x`."""
    text = re.sub(r"(?m)^(\s*)\(?([A-J])[.):]\s+", r"\1(\2) ", text)
    return re.sub(r"(?m)^([A-Z][a-z]+):\s", r"\1 - ", text)


PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
    {
        "first letter's case": _first_letter,
        "white space": _white_space,
        "typing slip": _typing_slip,
        "separators": _separators,
    }
)


def flip_rates(
    contender: Contender,
    table: ReplayTable,
    folds: Folds,
    options: RoutingOptions,
    *,
    seed: int = 0,
    max_prompts: int = 1_000,
) -> dict[str, float]:
    """Share of decisions that change with the prompt's look, by kind of change; only prompts that it changes count.

    Args:
        contender: forecasts for prompts, whole or changed, are made by one fit per fold.
        table: where the prompts come from.
        folds: which prompts may be learned from.
        options: how the router is asked.
        seed: of the sample of prompts and of the slips.
        max_prompts: how many are tried in all.
    """
    rng = np.random.default_rng(seed)
    changed, flipped = (dict.fromkeys(PERTURBATIONS, 0) for _ in range(2))
    for train, test in folds:
        sample = rng.permutation(test)[: -(-max_prompts // len(folds))]
        prompts = [table.prompt[row] for row in sample]
        noisy = {kind: [change(p, rng) for p in prompts] for kind, change in PERTURBATIONS.items()}
        asked = tuple(prompts) + tuple(p for texts in noisy.values() for p in texts)
        repeated = table.take(np.tile(sample, 1 + len(noisy)))
        router = Router(contender.source(table.take(train), replace(repeated, prompt=asked)), explore=0.0)

        def choice(prompt: str, router: Router = router) -> int:
            return router.decide(Query.from_prompt(prompt), options, rng=rng).ranking[0]

        calm = [choice(p) for p in prompts]
        for kind, texts in noisy.items():
            differs = [(text, before) for text, p, before in zip(texts, prompts, calm, strict=True) if text != p]
            changed[kind] += len(differs)
            flipped[kind] += sum(choice(text) != before for text, before in differs)
    return {kind: flipped[kind] / changed[kind] if changed[kind] else float("nan") for kind in PERTURBATIONS}
