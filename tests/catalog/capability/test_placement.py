import math

import pytest

from catalog import Ability, Provenance, Trust
from catalog.benchmark_fact import BenchmarkFact
from catalog.capability.placement import place_models

SOURCE = Provenance(source="a board", trust=Trust.LINKED)


def fact(model: str, value: float, benchmark: str = "exam") -> BenchmarkFact:
    return BenchmarkFact(model=model, benchmark=benchmark, metric="accuracy", value=value, provenance=SOURCE)


def share(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


ANCHORS = {f"m{k}": Ability(mean=0.5 * k - 2.0, se=0.1, n_benchmarks=9) for k in range(9)}
BOARD = [fact(name, share(1.0 + 2.0 * told.mean)) for name, told in ANCHORS.items()]  # logit = 1 + 2 x ability
IDS = {name: name for name in (*ANCHORS, "new")}


def test_an_unknown_model_is_placed_on_the_line_of_the_known_ones() -> None:
    placed = place_models([*BOARD, fact("new", share(1.0 + 2.0 * 0.75))], ids=IDS, known=ANCHORS)
    assert placed.abilities["new"].mean == pytest.approx(0.75)
    assert placed.abilities["new"].se == 0.15  # no single leaderboard is surer


def test_two_benchmarks_are_joined_by_how_sure_they_are() -> None:
    other = [fact(name, share(0.5 * told.mean), "quiz") for name, told in ANCHORS.items()]
    rows = [*BOARD, *other, fact("new", share(1.0)), fact("new", share(0.5), "quiz")]  # abilities 0 and 1
    placed = place_models(rows, ids=IDS, known=ANCHORS).abilities["new"]
    assert (placed.mean, placed.n_benchmarks) == (pytest.approx(0.5), 2)
    assert placed.se == pytest.approx(0.15 / math.sqrt(2))


def test_a_benchmark_that_knows_nobody_or_turns_the_other_way_is_left_out_with_the_reason() -> None:
    few = place_models([fact("m1", 0.5), fact("new", 0.6)], ids=IDS, known=ANCHORS)
    assert few.unused == {"exam": "1 of its models have an ability here, 8 are needed"}
    backwards = [fact(name, share(-told.mean)) for name, told in ANCHORS.items()]
    assert "does not rise" in place_models(backwards, ids=IDS, known=ANCHORS).unused["exam"]
