"""How much a model's score hangs on the format of the prompt, found with few evaluations.

A format is drawn from a grammar of meaningless choices: what stands between a field's name and its value, between
fields, between options and their marks, and how names are cased. Two phases of Thompson sampling then look for the
best and for the worst format; the difference of the two is the spread.

Source: FormatSpread, arXiv 2310.11324, ICLR 2024, by its paper and the grammar of its code, without the roman numerals
that Unicode has signs of their own for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from catalog.errors import InvalidMeasurementError
from catalog.pools.pool import Floats

__all__ = [
    "CASINGS",
    "FIELD_SPACES",
    "SEPARATORS",
    "FormatSpread",
    "PromptFormat",
    "Scorer",
    "draw_formats",
    "measure_spread",
    "prior",
]

Casing = Literal["as is", "Title", "UPPER", "lower"]
Numbering = Literal["1", "A", "a", "I", "i"]

SEPARATORS = ("", "::: ", ":: ", ": ", " \n\t", "\n    ", " : ", " - ", " ", "\n ", "\n\t", ":", "::", "- ", "\t")
FIELD_SPACES = ("", " ", "\n", " \n", " -- ", "  ", "; \n", " || ", " <sep> ", ", ", " \n ", " , ", "\n ", ". ", " ,  ")
OPTION_SEPARATORS = ("", " ", "  ", "\t")
CASINGS: tuple[Casing, ...] = ("as is", "Title", "UPPER", "lower")
WRAPPERS = ("({})", "{}.", "{})", "{} )", "[{}]", "<{}>")
NUMBERINGS: tuple[Numbering, ...] = ("1", "A", "a", "I", "i")
_PRIOR_B = 5.0
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFormat:
    """One way to lay out a prompt's fields and options."""

    separator: str = ": "
    field_space: str = "\n"
    option_separator: str = " "
    casing: Casing = "as is"
    wrapper: str = "({})"
    numbering: Numbering = "A"

    def __post_init__(self) -> None:
        if "\n" in self.separator and "\n" not in self.field_space:
            raise InvalidMeasurementError("a line break after a field's name needs one between fields")

    def fields(self, values: Sequence[tuple[str, str]]) -> str:
        """Names and values laid out.

        Raises:
            InvalidMeasurementError: without a separator a name would run into its value.
        """
        if not self.separator:
            raise InvalidMeasurementError("a simple field needs something between its name and its value")
        return self.field_space.join(f"{self._cased(name)}{self.separator}{value}" for name, value in values)

    def options(self, texts: Sequence[str]) -> str:
        """Options with their marks."""
        marks = (self.wrapper.format(self.mark(k)) for k in range(len(texts)))
        pairs = zip(marks, texts, strict=True)
        return self.field_space.join(f"{mark}{self.option_separator}{text}" for mark, text in pairs)

    def mark(self, position: int) -> str:
        """The mark of the option at this position, from 0, at most the twelfth."""
        if not 0 <= position < len(_ROMAN):
            raise InvalidMeasurementError(f"options are marked up to the {len(_ROMAN)}th")
        roman = _ROMAN[position]
        marks = {"1": str(position + 1), "A": chr(ord("A") + position), "a": chr(ord("a") + position)}
        return (marks | {"I": roman.upper(), "i": roman})[self.numbering]

    def _cased(self, name: str) -> str:
        return {"as is": name, "Title": name.title(), "UPPER": name.upper(), "lower": name.lower()}[self.casing]


Scorer = Callable[[PromptFormat, Sequence[int]], Sequence[float]]  # items by position -> scores in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSpread:
    """What the search found; scores are means over the items that each format was given."""

    worst: PromptFormat
    best: PromptFormat
    worst_score: float
    best_score: float
    original_score: float
    evaluations: int
    formats_tried: int

    @property
    def spread(self) -> float:
        """Best less worst."""
        return self.best_score - self.worst_score


def draw_formats(n: int, *, rng: np.random.Generator) -> tuple[PromptFormat, ...]:
    """So many different formats of the grammar, the customary one first; at most 10,000, a tenth of all there are."""
    if not 1 <= n <= 10_000:
        raise InvalidMeasurementError(f"draw between 1 and 10,000 formats, not {n}")
    found = {PromptFormat(): None}
    while len(found) < n:
        separator = SEPARATORS[rng.integers(1, len(SEPARATORS))]  # simple fields need one
        space = FIELD_SPACES[rng.integers(len(FIELD_SPACES))]
        if "\n" in separator and "\n" not in space:
            continue
        drawn = PromptFormat(
            separator=separator,
            field_space=space,
            option_separator=OPTION_SEPARATORS[rng.integers(len(OPTION_SEPARATORS))],
            casing=CASINGS[rng.integers(len(CASINGS))],
            wrapper=WRAPPERS[rng.integers(len(WRAPPERS))],
            numbering=NUMBERINGS[rng.integers(len(NUMBERINGS))],
        )
        found[drawn] = None
    return tuple(found)


def prior(original_score: float) -> tuple[float, float]:
    """The Beta prior of a format's score: b is 5, and a, at least 1.1, gives it the original format's mean."""
    odds = original_score / (1.0 - original_score) if original_score < 1 else float("inf")
    return min(max(1.1, _PRIOR_B * odds), 1e4), _PRIOR_B


def measure_spread(
    score: Scorer,
    formats: Sequence[PromptFormat],
    *,
    n_items: int,
    budget: int,
    rng: np.random.Generator,
    batch: int = 20,
) -> FormatSpread:
    """Search for the best format with half the budget and for the worst with the other half.

    Args:
        score: evaluates one format on some items; it is all that touches a model, and it may cost money.
        formats: the first is the original, which is evaluated on every item beyond the budget.
        n_items: items are numbered 0 to n_items - 1 and shuffled once.
        budget: evaluations of the search, all formats together.
        rng: decides which format is tried next.
        batch: items per step.

    Raises:
        InvalidMeasurementError: there are fewer than two formats or no items, or a score lies outside [0, 1].
    """
    if len(formats) < 2 or n_items <= 0 or batch <= 0:
        raise InvalidMeasurementError("a spread needs two formats, an item and a batch of at least one")
    search = _Search(score=score, formats=formats, order=rng.permutation(n_items), batch=batch)
    search.evaluate(0, n_items)
    a, b = prior(float(search.total[0] / n_items))
    for sign in (1.0, -1.0):
        for _ in range(budget // (2 * batch)):
            open_ = search.seen < n_items
            if not open_.any():
                break
            drawn = sign * rng.beta(a + search.total, b + search.seen - search.total)  # (n_formats,)
            search.evaluate(int(np.argmax(np.where(open_, drawn, -np.inf))), batch)
    tried = np.flatnonzero(search.seen)
    if len(tried) < 2:
        raise InvalidMeasurementError(f"a budget of {budget} tries no second format; give at least {2 * batch}")
    mean = search.total[tried] / search.seen[tried]
    best, worst = int(tried[np.argmax(mean)]), int(tried[np.argmin(mean)])
    for extreme in (best, worst):
        search.evaluate(extreme, n_items)
    final: Floats = search.total / np.maximum(search.seen, 1)
    return FormatSpread(
        worst=formats[worst],
        best=formats[best],
        worst_score=float(final[worst]),
        best_score=float(final[best]),
        original_score=float(final[0]),
        evaluations=int(search.seen.sum()),
        formats_tried=len(tried),
    )


class _Search:
    """Counts per format, and the one place that evaluates."""

    def __init__(self, *, score: Scorer, formats: Sequence[PromptFormat], order: np.ndarray, batch: int) -> None:
        self._score, self._formats, self._order, self._batch = score, formats, order, batch
        self.total = np.zeros(len(formats))
        self.seen = np.zeros(len(formats), dtype=np.int64)

    def evaluate(self, at: int, most: int) -> None:
        """Give a format its next items, at most so many."""
        items = self._order[self.seen[at] : self.seen[at] + most]
        for start in range(0, len(items), self._batch):
            part = [int(item) for item in items[start : start + self._batch]]
            scores = np.asarray(self._score(self._formats[at], part), dtype=np.float64)
            if scores.shape != (len(part),) or not ((scores >= 0) & (scores <= 1)).all():
                raise InvalidMeasurementError("the scorer must give one score in [0, 1] per item")
            self.total[at] += scores.sum()
            self.seen[at] += len(part)
