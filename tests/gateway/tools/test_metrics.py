from prometheus_client import CollectorRegistry

from gateway.tools.metrics import ToolMetrics
from gateway.tools.trail import ToolTrail


def test_only_what_was_sent_whole_for_want_of_a_choice_counts_as_a_failure() -> None:
    registry = CollectorRegistry()
    metrics = ToolMetrics(registry)
    for how, why in (("failed_open", "index_not_ready"), ("cut", "index_of_another_version")):
        metrics.chosen(ToolTrail(n_offered=40, sent=("rain",), how=how, why=why))

    def failures(why: str) -> float | None:
        return registry.get_sample_value("paretogate_tool_selection_failures_total", {"why": why})

    assert (failures("index_not_ready"), failures("index_of_another_version")) == (1, None)
