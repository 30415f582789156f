from xml.etree import ElementTree as ET

from eval.tools.scale_chart import ScalePoint, scale_chart

POINTS = [
    ScalePoint(n_tools=10_000, recall=1.0, latency_ms=0.2, memory_mib=10.0, build_s=0.5),
    ScalePoint(n_tools=1_000_000, recall=0.945, latency_ms=2.0, memory_mib=1_000.0, build_s=25.0),
]


def test_every_size_has_a_labelled_bar_in_each_of_four_panels() -> None:
    chart = ET.fromstring(scale_chart("an index", POINTS))
    texts = [text.text for text in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("1,000,000") == 4
    assert {"100", "94.5", "0.2", "2", "10", "1000", "0.5", "25"} <= set(texts)
    heights = [float(bar.get("height")) for bar in chart.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert heights[3] == 10 * heights[2]  # ten times the latency, ten times the bar


def test_a_title_with_signs_of_markup_stays_text() -> None:
    assert "a &lt;b&gt; c" in scale_chart("a <b> c", POINTS)
