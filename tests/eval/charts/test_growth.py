"""A chart of cost against size."""

from xml.etree import ElementTree as ET

from eval.charts.growth import scale_chart

SVG = "{http://www.w3.org/2000/svg}"


def test_a_tenfold_size_at_a_tenfold_cost_is_a_straight_line_over_the_whole_square() -> None:
    drawn = ET.fromstring(scale_chart("t", {"a <b>": [(10, 1), (100, 10)]}, x_label="n", y_label="s"))
    line = drawn.find(f"{SVG}polyline")
    assert line is not None
    assert line.get("points") == "72.0,332.0 450.0,40.0"
    assert "a <b>" in [text.text for text in drawn.iter(f"{SVG}text")]
