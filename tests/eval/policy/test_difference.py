import numpy as np
import pytest

from eval.errors import InvalidReplayError
from eval.policy.difference import REFUSED, Move, Routed, difference

NOTHING = np.full(4, np.nan)
GROUP = np.array(["a", "b", "c", "d"])
TASK = ("maths", "maths", "code", "code")


def routed(chosen: tuple[str, ...], score: list[float] | None = None) -> Routed:
    return Routed(
        chosen=chosen,
        predicted_quality=np.full(4, 0.5),
        predicted_cost_usd=NOTHING,
        score=NOTHING if score is None else np.array(score),
        cost_usd=NOTHING,
    )


def test_flips_are_counted_per_task_and_moves_by_how_often_they_happen() -> None:
    old = routed(("big", "big", "big", "big"), [1.0, 1.0, 0.0, 1.0])
    new = routed(("small", "small", "big", "mid"), [1.0, 0.0, 0.0, 1.0])
    found = difference(old, new, task=TASK, group=GROUP)
    assert found.changed == 0.75
    assert found.moves == (Move(old="big", new="small", n=2), Move(old="big", new="mid", n=1))
    assert [(f.task, f.negative) for f in found.flips] == [("all", 0.25), ("code", 0.0), ("maths", 0.5)]
    assert found.score is not None
    assert (found.score.old, found.score.new) == (0.75, 0.5)
    assert found.score.difference.lower <= -0.25 <= found.score.difference.upper


def test_what_a_corpus_does_not_tell_is_none() -> None:
    found = difference(routed(("a",) * 4), routed(("a",) * 4), task=TASK, group=GROUP)
    assert (found.score, found.cost_usd, found.predicted_cost_usd, found.flips) == (None, None, None, ())
    assert found.changed == 0.0


def test_refusals_count_as_changes_of_their_own() -> None:
    old = routed(("a",) * 4, [1.0] * 4)
    new = routed(("a", "a", "a", REFUSED), [1.0, 1.0, 1.0, 0.0])
    found = difference(old, new, task=TASK, group=GROUP)
    assert found.refused == (0.0, 0.25)
    assert found.flips[0].negative == 0.25


def test_decisions_about_different_prompts_are_not_compared() -> None:
    with pytest.raises(InvalidReplayError, match="cannot be compared"):
        difference(routed(("a",) * 4), routed(("a",) * 3), task=TASK, group=GROUP)
