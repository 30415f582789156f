from xml.etree import ElementTree as ET

from eval.charts.cost_quality import Curve, Mark, cost_quality_chart


def test_the_chart_is_well_formed_and_names_everything_even_awkward_names() -> None:
    svg = cost_quality_chart(
        "a < b & c",
        [Curve(name="<ours>", points=((0.1, 0.5), (1.0, 0.8)), labels=("10", "0"))],
        [Mark(name="best & single", point=(1.0, 0.7), interval=(0.68, 0.72))],
    )
    texts = [e.text for e in ET.fromstring(svg).iter() if e.text]
    assert "a < b & c" in texts
    assert "<ours>" in texts
    assert "best & single" in texts
    assert "<ours> 10: score 0.5000, cost share 0.1" in texts


def test_a_dearer_point_lies_further_right_and_a_better_one_higher() -> None:
    svg = cost_quality_chart("t", [Curve(name="c", points=((0.1, 0.5), (1.0, 0.8)), labels=("a", "b"))], [])
    first, second = (e for e in ET.fromstring(svg).iter() if e.tag.endswith("circle"))
    assert float(first.get("cx", 0)) < float(second.get("cx", 0))
    assert float(first.get("cy", 0)) > float(second.get("cy", 0))
