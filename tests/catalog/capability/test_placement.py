import math

import pytest

from catalog import Ability, Provenance, Trust
from catalog.capability.placement import place_models
from catalog.profiles.benchmark_fact import BenchmarkFact

SOURCE = Provenance(source="a board", trust=Trust.LINKED)


def fact(model: str, value: float, benchmark: str = "exam", metric: str = "accuracy") -> BenchmarkFact:
    return BenchmarkFact(model=model, benchmark=benchmark, metric=metric, value=value, provenance=SOURCE)


def share(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


GENERAL = {f"m{k}": Ability(mean=0.5 * k - 2.0, se=0.1, n_benchmarks=9) for k in range(9)}
ANCHORS = {name: {"general": told} for name, told in GENERAL.items()}
BOARD = [fact(name, share(1.0 + 2.0 * told.mean)) for name, told in GENERAL.items()]  # logit = 1 + 2 x ability
IDS = {name: name for name in (*ANCHORS, "new")}


def test_an_unknown_model_is_placed_on_the_line_of_the_known_ones() -> None:
    placed = place_models([*BOARD, fact("new", share(1.0 + 2.0 * 0.75))], ids=IDS, known=ANCHORS)
    assert placed.abilities["new"]["general"].mean == pytest.approx(0.75)
    assert placed.abilities["new"]["general"].se == pytest.approx(math.hypot(0.15, 0.25))  # no leaderboard is surer


def test_two_benchmarks_are_joined_by_how_sure_they_are() -> None:
    other = [fact(name, share(0.5 * told.mean), "quiz") for name, told in GENERAL.items()]
    rows = [*BOARD, *other, fact("new", share(1.0)), fact("new", share(0.5), "quiz")]  # abilities 0 and 1
    placed = place_models(rows, ids=IDS, known=ANCHORS).abilities["new"]["general"]
    assert (placed.mean, placed.n_benchmarks) == (pytest.approx(0.5), 2)
    assert placed.se == pytest.approx(math.hypot(0.5, 0.25))  # they disagree by 1: the mean is as vague as that


def test_a_benchmark_that_knows_nobody_or_turns_the_other_way_is_left_out_with_the_reason() -> None:
    few = place_models([fact("m1", 0.5), fact("new", 0.6)], ids=IDS, known=ANCHORS)
    assert few.unused == {"exam": "1 of its models have an ability here, 8 are needed"}
    backwards = [fact(name, share(-told.mean)) for name, told in GENERAL.items()]
    assert "does not rise" in place_models(backwards, ids=IDS, known=ANCHORS).unused["exam"]


def test_ratings_find_their_scale_by_themselves() -> None:
    ratings = [fact(name, 1200.0 + 150.0 * told.mean, metric="elo") for name, told in GENERAL.items()]
    placed = place_models([*ratings, fact("new", 1350.0, metric="elo")], ids=IDS, known=ANCHORS)
    assert placed.abilities["new"]["general"].mean == pytest.approx(1.0)


def test_a_share_above_one_is_told_with_the_remedy_and_not_used() -> None:
    placed = place_models([*BOARD, fact("new", 72.5)], ids=IDS, known=ANCHORS)
    assert "set `scale`" in placed.strange["new"]
    assert "new" not in placed.abilities


def test_a_benchmark_of_an_axis_places_models_on_the_axis_too() -> None:
    on_maths = {
        name: {"general": told, "maths": Ability(mean=-told.mean, se=0.1)} for name, told in GENERAL.items()
    }  # those that are weak in general are strong here
    board = [fact(name, share(told["maths"].mean), "gsm8k_platinum") for name, told in on_maths.items()]
    placed = place_models([*board, fact("new", share(1.5), "gsm8k_platinum")], ids=IDS, known=on_maths)
    assert placed.abilities["new"]["maths"].mean == pytest.approx(1.5)
    assert "general" not in placed.abilities["new"]  # it does not rise with general ability
    assert "does not rise" in placed.unused["gsm8k_platinum"]


def test_a_mapping_may_say_what_axis_a_benchmark_belongs_to_or_that_it_belongs_to_none() -> None:
    known = {name: {"general": told, "code": told} for name, told in GENERAL.items()}
    rows = [*BOARD, fact("new", share(1.0))]
    assert set(place_models(rows, ids=IDS, known=known, axes={"exam": "code"}).abilities["new"]) == {"general", "code"}
    assert set(place_models(rows, ids=IDS, known=known).abilities["new"]) == {"general"}


def test_editions_are_not_pooled() -> None:
    second = [fact(name, share(told.mean - 3.0), "exam 2") for name, told in GENERAL.items()]  # much harder
    placed = place_models([*BOARD, *second, fact("new", share(-3.0), "exam 2")], ids=IDS, known=ANCHORS)
    assert placed.abilities["new"]["general"].mean == pytest.approx(0.0, abs=1e-6)


def test_one_model_that_was_trained_on_the_test_does_not_bend_the_line() -> None:
    cheat = [fact("m0", 0.995), *BOARD[1:]]  # the weakest, with a score of the best
    placed = place_models([*cheat, fact("new", share(1.0 + 2.0 * 0.75))], ids=IDS, known=ANCHORS)
    assert placed.abilities["new"]["general"].mean == pytest.approx(0.75, abs=0.1)
