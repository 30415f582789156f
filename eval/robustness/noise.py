"""Changes to a prompt that do not change its meaning: what a steady router should not notice.

Letter case, white space, typing slips of four kinds, and the layout of its fields and options. Source of the last: the
format grammar of Sclar et al., FormatSpread, arXiv 2310.11324.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from catalog.capability.format_spread import draw_formats
from eval.contenders.contender import Contender
from eval.outcomes.folds import Folds
from eval.outcomes.table import ReplayTable
from predictors import Query
from router import Router, RoutingOptions

__all__ = ["PERTURBATIONS", "Perturbation", "flip_rates"]

Perturbation = Callable[[str, np.random.Generator], str]


def _first_letter(text: str, _rng: np.random.Generator) -> str:
    return text[:1].lower() + text[1:] if text[:1].isupper() else text[:1].upper() + text[1:]


def _small_letters(text: str, _rng: np.random.Generator) -> str:
    return text.lower()


def _white_space(text: str, _rng: np.random.Generator) -> str:
    return "  " + text.replace("\n", "\n\n") + " \n"


def _slip(change: Callable[[str, int], str]) -> Perturbation:
    """A slip inside one word of five letters or more, after its first letter and before its last two."""

    def slipped(text: str, rng: np.random.Generator) -> str:
        words = list(re.finditer(r"[A-Za-z]{5,}", text))
        if not words:
            return text
        word = words[int(rng.integers(len(words)))]
        at = word.start() + 1 + int(rng.integers(len(word.group()) - 3))
        return text[:at] + change(text, at) + text[at + 2 :]

    return slipped


def _wrong_key(text: str, at: int) -> str:
    row = next(row for row in _KEYS if text[at].lower() in row)
    beside = row[row.index(text[at].lower()) + 1]
    return (beside.upper() if text[at].isupper() else beside) + text[at + 1]


def _separators(text: str, _rng: np.random.Generator) -> str:
    """Options and fields marked otherwise: `A. x` becomes `(A) x`, `Name: x` becomes `Name - x`."""
    text = re.sub(r"(?m)^(\s*)\(?([A-J])[.):]\s+", r"\1(\2) ", text)
    return re.sub(r"(?m)^([A-Z][a-z]+):\s", r"\1 - ", text)


def _layout(text: str, rng: np.random.Generator) -> str:
    """Options and fields laid out by a format drawn from FormatSpread's grammar."""
    drawn = draw_formats(2, rng=rng)[1]

    def options(found: re.Match[str]) -> str:
        block = found.group()
        texts = _OPTION.findall(block)
        return drawn.options(texts) + "\n" * block.endswith("\n") if len(texts) <= _MOST_OPTIONS else block

    return _FIELD.sub(lambda found: drawn.fields([found.groups()]), _OPTIONS.sub(options, text))  # type: ignore[list-item]


_KEYS = ("qwertyuiopo", "asdfghjklk", "zxcvbnmn")  # of an English keyboard, the last of each row's neighbour repeated
_OPTION = re.compile(r"(?m)^[ \t]*\(?[A-J][.):][ \t]+(.*)$")
_OPTIONS = re.compile(r"(?m)(?:^[ \t]*\(?[A-J][.):][ \t]+.*(?:\n|$)){2,}")
_MOST_OPTIONS = 12  # that the grammar has marks for
_FIELD = re.compile(r"(?m)^([A-Z][a-z]+): ?(.*)$")

PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
    {
        "first letter's case": _first_letter,
        "small letters": _small_letters,
        "white space": _white_space,
        "typing slip": _slip(lambda text, at: text[at + 1] + text[at]),
        "missing letter": _slip(lambda text, at: text[at + 1]),
        "doubled letter": _slip(lambda text, at: 2 * text[at] + text[at + 1]),
        "wrong key": _slip(_wrong_key),
        "separators": _separators,
        "layout": _layout,
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
