from xml.etree import ElementTree as ET

from eval.tools.chart import usage_chart


def test_a_chart_is_well_formed_and_has_one_line_per_method_and_one_place_per_number() -> None:
    svg = usage_chart("a < b", {"dense": [(0, 0.5), (1, 0.5)], "best": [(0, 0.5), (1, 0.75)]})
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}polyline")) == 2
    assert len(root.findall(f"{space}circle")) == 4
    assert root.find(f"{space}title").text == "a < b"


def test_better_is_higher() -> None:
    root = ET.fromstring(usage_chart("t", {"best": [(0, 0.2), (5, 0.9)]}))
    low, high = root.findall("{http://www.w3.org/2000/svg}circle")
    assert float(high.get("cy")) < float(low.get("cy"))
    assert float(high.get("cx")) > float(low.get("cx"))
