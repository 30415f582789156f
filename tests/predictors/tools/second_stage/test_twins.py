import numpy as np
import pytest

from predictors.tools import Tool, ToolRegistry, ToolUsage
from predictors.tools.evidence import Evidence
from predictors.tools.second_stage.twins import Twins
from tests.predictors.tools.toys import CountedWords

RAIN, CITY, MONEY = "Will it rain, and what weather?", "The weather, and the rain, will it?", "Exchange a dollar"
REGISTRY = ToolRegistry(
    tools=tuple(Tool(tool_id=str(n), name="", description=text) for n, text in enumerate((RAIN, CITY, MONEY)))
)
TWINS = Twins(Evidence.gather(REGISTRY, ToolUsage(), CountedWords()))
SHARES = np.array([0.6, 0.3, 0.1])


def test_the_lower_of_two_twins_sees_the_higher_and_both_see_what_the_other_has() -> None:
    described = TWINS.describe(np.array([0, 2, 1]), SHARES)  # rain, money, rain again
    nearest_above, twins_above, shared = described.T
    assert nearest_above == pytest.approx([0.0, 0.0, 1.0], abs=0.02)
    assert twins_above == pytest.approx([0.0, 0.0, np.log(2)])
    assert shared == pytest.approx([0.1, 0.0, 0.6])


def test_a_lone_candidate_has_no_twins() -> None:
    assert not TWINS.describe(np.array([1]), np.ones(1)).any()
