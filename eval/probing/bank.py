"""Questions with known answers, made by rule: nobody's data, so no licence, and as many as wanted.

Arithmetic, order, words, calendars, units, sequences and small programs, each from easy to hard, and a few plain
facts. Every question has options of which one is right; its place is drawn, so that a fixed letter earns chance alone.
Being made by rule they say less of knowledge than of reckoning: give your own questions where that matters.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from catalog import read_text
from catalog.capability.format_spread import PromptFormat
from eval.errors import InvalidReplayError

__all__ = ["STATEMENTS", "Question", "make_questions", "read_questions"]

_LETTERS = "ABCDEFGH"
_N_OPTIONS = 4
_CAPITALS = {
    "France": "Paris", "Japan": "Tokyo", "Egypt": "Cairo", "Canada": "Ottawa", "Kenya": "Nairobi", "Peru": "Lima",
    "Norway": "Oslo", "Australia": "Canberra", "Turkey": "Ankara", "Vietnam": "Hanoi", "Hungary": "Budapest",
    "Uruguay": "Montevideo", "Ghana": "Accra", "Mongolia": "Ulaanbaatar", "Bhutan": "Thimphu", "Latvia": "Riga",
}  # fmt: skip
_SYMBOLS = {
    "hydrogen": "H", "iron": "Fe", "gold": "Au", "sodium": "Na", "potassium": "K", "tungsten": "W", "tin": "Sn",
    "lead": "Pb", "silver": "Ag", "mercury": "Hg", "antimony": "Sb", "copper": "Cu",
}  # fmt: skip
_WORDS = ("banana", "committee", "mississippi", "assessment", "parallel", "bookkeeper", "onomatopoeia", "possession")
_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn")
_UNITS = (("kilometres", "metres", 1000), ("hours", "minutes", 60), ("dozen", "pieces", 12), ("days", "hours", 24))
# A statement and one that is true exactly where the first is false.
STATEMENTS: tuple[tuple[str, str], ...] = (
    ("Seven is larger than five.", "Seven is not larger than five."),
    ("Paris is the capital of France.", "Paris is not the capital of France."),
    ("A triangle has four sides.", "A triangle does not have four sides."),
    ("Ice is frozen water.", "Ice is not frozen water."),
    ("The sun is colder than the moon.", "The sun is not colder than the moon."),
    ("Twelve is an even number.", "Twelve is not an even number."),
    ("Cats are birds.", "Cats are not birds."),
    ("A week has eight days.", "A week does not have eight days."),
    ("Gold is a metal.", "Gold is not a metal."),
    ("Spiders have six legs.", "Spiders do not have six legs."),
    ("Tokyo is in Japan.", "Tokyo is not in Japan."),
    ("Ten divided by two is four.", "Ten divided by two is not four."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, its options, and which of them is right."""

    domain: str
    text: str
    options: tuple[str, ...]
    right: int

    def prompt(self, layout: PromptFormat | None = None) -> str:
        """As it is asked, in the customary layout or another."""
        layout = layout or PromptFormat(wrapper="{}.")
        asked = layout.fields([("Question", self.text)])
        return (
            f"{asked}{layout.field_space}{layout.options(self.options)}\n"
            f"Answer with the mark of the right option and nothing else."
        )

    def chosen(self, answer: str, layout: PromptFormat | None = None) -> int | None:
        """Which option an answer names: by its mark at the start, or else by its text; None where it names none."""
        layout = layout or PromptFormat(wrapper="{}.")
        said = answer.strip().lstrip("([<*\"'` ")
        marks = [layout.mark(at) for at in range(len(self.options))]
        for at in sorted(range(len(marks)), key=lambda k: -len(marks[k])):
            rest = said[len(marks[at]) :]
            if said.startswith(marks[at]) and not rest[:1].isalnum():
                return at
        named = [at for at, option in enumerate(self.options) if _says(answer.casefold(), option.casefold())]
        return named[0] if len(named) == 1 else None


def _says(answer: str, option: str) -> bool:
    """Whether the option stands in the answer as words of its own: `n` is not in "none"."""
    return re.search(rf"(?<!\w){re.escape(option)}(?!\w)", answer) is not None


def make_questions(n: int, *, seed: int = 0) -> tuple[Question, ...]:
    """So many questions, different ones, in turn from every rule, ever harder; the same for the same seed."""
    rng = np.random.default_rng(seed)
    made: dict[str, Question] = {}
    attempt = 0
    while len(made) < n and attempt < 50 * n:
        make = _RULES[attempt % len(_RULES)]
        question = make(rng, 1 + (attempt // len(_RULES)) % 4)
        made.setdefault(question.text, question)
        attempt += 1
    return tuple(made.values())


def read_questions(path: Path) -> tuple[Question, ...]:
    """The user's own: lines of JSON with `question`, `options`, `right` (a position from 0) and perhaps `domain`.

    Raises:
        InvalidReplayError: a line is not of this form; the message names it.
    """
    found: list[Question] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):  # JSON may hold other ends
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            options = tuple(str(option) for option in told["options"])
            right = int(told["right"])
            found.append(
                Question(
                    domain=str(told.get("domain", "own")), text=str(told["question"]), options=options, right=right
                )
            )
        except (ValueError, KeyError, TypeError) as exc:
            raise InvalidReplayError(f"{path}, line {number}: needs question, options and right ({exc!r})") from exc
        if not 0 <= right < len(options):
            raise InvalidReplayError(f"{path}, line {number}: right = {right} is no option; count from 0")
    return tuple(found)


def _ask(rng: np.random.Generator, domain: str, text: str, right: str, wrong: Sequence[str]) -> Question:
    others = list(dict.fromkeys(w for w in wrong if w != right))
    picked = [others[int(at)] for at in rng.permutation(len(others))[: _N_OPTIONS - 1]]
    at = int(rng.integers(len(picked) + 1))
    return Question(domain=domain, text=text, options=(*picked[:at], right, *picked[at:]), right=at)


def _near(rng: np.random.Generator, value: int) -> list[str]:
    steps = rng.permutation([-11, -10, -9, -3, -2, -1, 1, 2, 3, 9, 10, 11, 20, -20])
    return [str(value + int(step)) for step in steps]


def _sum(rng: np.random.Generator, level: int) -> Question:
    a, b = (int(v) for v in rng.integers(10 ** (level - 1), 10**level, size=2))
    return _ask(rng, "arithmetic", f"What is {a} + {b}?", str(a + b), _near(rng, a + b))


def _product(rng: np.random.Generator, level: int) -> Question:
    a, b = int(rng.integers(2, 4 + 6 * level**2)), int(rng.integers(2, 5 + 3 * level))
    return _ask(rng, "arithmetic", f"What is {a} times {b}?", str(a * b), _near(rng, a * b))


def _word_problem(rng: np.random.Generator, level: int) -> Question:
    boxes, each, lost = (
        int(rng.integers(2, 4 * level + 3)),
        int(rng.integers(3, 6 * level + 4)),
        int(rng.integers(1, 6)),
    )
    name = _NAMES[int(rng.integers(len(_NAMES)))]
    text = f"{name} has {boxes} boxes with {each} apples each and eats {lost} apples. How many apples are left?"
    return _ask(rng, "word problems", text, str(boxes * each - lost), _near(rng, boxes * each - lost))


def _order(rng: np.random.Generator, level: int) -> Question:
    names = [_NAMES[int(at)] for at in rng.permutation(len(_NAMES))[: level + 2]]
    facts = [f"{taller} is taller than {shorter}." for taller, shorter in pairwise(names)]
    told = " ".join(facts[int(at)] for at in rng.permutation(len(facts)))
    return _ask(rng, "logic", f"{told} Who is the tallest?", names[0], [*names[1:], *_NAMES])


def _letters(rng: np.random.Generator, level: int) -> Question:
    word = _WORDS[(int(rng.integers(len(_WORDS))) * level) % len(_WORDS)]
    letter = word[int(rng.integers(len(word)))]
    count = word.count(letter)
    return _ask(
        rng, "words", f"How many times does the letter {letter} occur in the word {word}?", str(count),
        [str(k) for k in range(1, 7)],
    )  # fmt: skip


def _weekday(rng: np.random.Generator, level: int) -> Question:
    days = [(date(2024, 1, 1) + timedelta(days=k)).strftime("%A") for k in range(7)]
    today, later = int(rng.integers(7)), int(rng.integers(1, 5 * level**2))
    text = f"Today is {days[today]}. Which day of the week is it in {later} days?"
    return _ask(rng, "calendar", text, days[(today + later) % 7], days)


def _unit(rng: np.random.Generator, level: int) -> Question:
    large, small, factor = _UNITS[int(rng.integers(len(_UNITS)))]
    amount = int(rng.integers(2, 6 * level + 3))
    wrong = [str(amount * f) for f in (10, 100, 1000, 60, 12, 24, 36) if f != factor]
    return _ask(rng, "units", f"How many {small} are {amount} {large}?", str(amount * factor), wrong)


def _sequence(rng: np.random.Generator, level: int) -> Question:
    start, step, growth = int(rng.integers(1, 10)), int(rng.integers(2, 9)), (level - 1) % 3
    terms = [start]
    for at in range(5):
        terms.append(terms[-1] + step + growth * at)
    shown = ", ".join(map(str, terms[:-1]))
    return _ask(rng, "sequences", f"Which number comes next: {shown}?", str(terms[-1]), _near(rng, terms[-1]))


def _program(rng: np.random.Generator, level: int) -> Question:
    values = [int(v) for v in rng.integers(1, 10, size=2 + level)]
    programs = (
        (f"print(sum({values}))", sum(values)),
        (f"print(max({values}) - min({values}))", max(values) - min(values)),
        (f"print(sum(x for x in {values} if x % 2 == 0))", sum(x for x in values if x % 2 == 0)),
        (f"print(sorted({values})[1])", sorted(values)[1]),
    )
    text, result = programs[int(rng.integers(min(level, len(programs)) + 1)) % len(programs)]
    return _ask(rng, "code", f"What does this Python program print?\n{text}", str(result), _near(rng, result))


def _capital(rng: np.random.Generator, _level: int) -> Question:
    land = list(_CAPITALS)[int(rng.integers(len(_CAPITALS)))]
    return _ask(rng, "facts", f"What is the capital of {land}?", _CAPITALS[land], list(_CAPITALS.values()))


def _symbol(rng: np.random.Generator, _level: int) -> Question:
    element = list(_SYMBOLS)[int(rng.integers(len(_SYMBOLS)))]
    return _ask(rng, "facts", f"What is the chemical symbol of {element}?", _SYMBOLS[element], list(_SYMBOLS.values()))


_RULES: tuple[Callable[[np.random.Generator, int], Question], ...] = (
    _sum, _product, _word_problem, _order, _letters, _weekday, _unit, _sequence, _program, _capital, _symbol,
)  # fmt: skip
