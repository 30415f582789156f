import numpy as np
import pytest

from predictors.tools import ToolUsage
from predictors.tools.evidence import Evidence
from predictors.tools.second_stage.co_use import CoUse
from tests.predictors.tools.toys import WEATHER_AND_MONEY, CountedWords

USAGE = ToolUsage.of(["a", "b", "c"], [["weather", "flight"], ["weather", "flight"], ["weather"]])
CO_USE = CoUse(Evidence.gather(WEATHER_AND_MONEY, USAGE, CountedWords()))
TOOLS = np.array([0, 2, 1])  # weather, flight, convert


def test_a_likely_tool_supports_its_companions_by_how_often_they_came_along() -> None:
    support = CO_USE.support(np.array([1.0, 0.0, 0.0]), TOOLS)
    assert support == pytest.approx([0.0, 2 / (3 + 2), 0.0])  # two of weather's three requests, two imagined


def test_a_past_request_does_not_testify_for_itself() -> None:
    support = CO_USE.support(np.array([1.0, 0.0, 0.0]), TOOLS, own=np.array([0, 2]))
    assert support == pytest.approx([0.0, 1 / (2 + 2), 0.0])


def test_without_usage_nobody_supports_anybody() -> None:
    nothing = CoUse(Evidence.gather(WEATHER_AND_MONEY, ToolUsage(), CountedWords()))
    assert not nothing.support(np.ones(3), TOOLS).any()
