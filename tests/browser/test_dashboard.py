"""The dashboard in a real browser, against a running gateway."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.page import QUIET, Page, chromium, opened
from tests.end_to_end.conftest import Gateway, start
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def browser() -> str:
    return chromium()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state = tmp_path_factory.mktemp("dashboard") / "state"
    running = start(state, more={"PARETOGATE_EMBEDDED__ENABLED": "off"})
    yield running
    running.stop()


def seen(browser: str, url: str, profile: Path) -> str:
    """The page as it stands once its scripts have run."""
    sandbox = ("--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}")
    command = [browser, "--headless", *sandbox, *QUIET, "--virtual-time-budget=10000", "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=AT_MOST_S).stdout


def test_the_page_draws_the_front_and_says_who_would_answer(browser: str, gateway: Gateway, tmp_path: Path) -> None:
    page = seen(browser, f"{gateway.url}/dashboard?pool=openai/gpt-4*&policy=best&prompt=Hello", tmp_path)
    answer = re.search(r'<p id="answer".*?<strong>(openai/gpt-4[^<]*)</strong>', page)
    assert answer is not None
    assert page.count('class="dot chosen"') == 1
    assert page.count("<circle") > 3
    assert 'class="stair"' in page
    assert 'on the front of <span id="objectives">quality, cost</span>' in page


def test_the_page_says_what_the_front_is_of(browser: str, gateway: Gateway, tmp_path: Path) -> None:
    page = seen(browser, f"{gateway.url}/dashboard?pool=openai/gpt-4*&policy=fast&prompt=Hello", tmp_path)
    assert 'on the front of <span id="objectives">quality, cost, latency</span>' in page


def test_an_impossible_wish_is_answered_in_words(browser: str, gateway: Gateway, tmp_path: Path) -> None:
    page = seen(browser, f"{gateway.url}/dashboard?pool=openai/gpt-4*&min_quality=1", tmp_path)
    assert re.search(r'<p id="answer"[^>]*class="error"[^>]*>no model satisfies every constraint', page)


def test_markup_in_a_prompt_stays_text(browser: str, gateway: Gateway, tmp_path: Path) -> None:
    page = seen(browser, f"{gateway.url}/dashboard?pool=%3Cimg src=x onerror=document.title=1%3E", tmp_path)
    assert "<img" not in page
    assert "<title>ParetoGate" in page


def test_the_page_of_models_shows_a_model_with_its_axes_and_its_sources(
    browser: str, gateway: Gateway, tmp_path: Path
) -> None:
    page = seen(browser, f"{gateway.url}/dashboard/models?model=qwen/qwen3-32b", tmp_path)
    assert page.count('class="dot') > 300
    assert page.count(" picked") >= 1
    assert re.search(r"<h2[^>]*>qwen/qwen3-32b</h2>", page)
    assert 'class="bar"' in page
    assert re.search(r'class="from"[^>]*title="models\.dev', page)


def test_a_search_of_the_page_of_models_narrows_its_table(browser: str, gateway: Gateway, tmp_path: Path) -> None:
    page = seen(browser, f"{gateway.url}/dashboard/models?q=smollm2-135m-instruct", tmp_path)
    rows = re.search(r'<table id="list">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert rows is not None
    assert rows[1].count("<tr") == 1


def test_what_siblings_tell_is_drawn_hollow_and_said_with_its_source(
    browser: str, gateway: Gateway, tmp_path: Path
) -> None:
    page = seen(browser, f"{gateway.url}/dashboard/models?model=qwen/qwen2.5-7b", tmp_path)
    assert re.search(r'class="dot[^"]* told', page)
    assert re.search(r"\d+ measured, \d+ told by their siblings", page)
    assert re.search(r"Not measured: inferred from qwen2\.5-32b, qwen2\.5-72b by what size is worth", page)


def test_every_inferred_number_shows_its_band_and_its_method_on_hover(
    browser: str, gateway: Gateway, tmp_path: Path
) -> None:
    page = seen(browser, f"{gateway.url}/dashboard/models?model=qwen/qwen3-32b", tmp_path)
    inferred = page.partition("Inferred, not measured")[2].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", inferred)
    assert len(rows) > 10
    for row in rows:
        assert re.search(r'class="from"[^>]*title="[^"]+', row)
        assert 'class="band"' in row or "energy class" in row
    assert "carbon per request" in inferred
    assert "R0: the maker reports none" in page


DECISIONS = "/dashboard?pool=openai/gpt-4*&policy=best&prompt=Hello"
MODEL = "/dashboard/models?model=qwen/qwen3-32b"
READY = {DECISIONS: "document.querySelector('#card tbody tr.dominated')", MODEL: "document.querySelector('#model h2')"}
# WCAG 2.2, section 1.4.3: luminance of sRGB colours, of which the lighter is this many times the darker.
CONTRAST = """(() => {
  const luminance = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const panel = luminance(getComputedStyle(document.getElementById("card")).backgroundColor);
  return [...document.querySelectorAll("#card td, #card td a")].map((cell) => luminance(getComputedStyle(cell).color))
    .map((ink) => (Math.max(ink, panel) + 0.05) / (Math.min(ink, panel) + 0.05)).reduce((a, b) => Math.min(a, b));
})()"""


@pytest.fixture
def page(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> Iterator[Page]:
    """The page of the test's parameter: its address, and how wide it is."""
    address, width = request.param
    with opened(gateway.url + address, tmp_path, width=width) as one:
        one.wait_for(READY[address])
        yield one


@pytest.mark.parametrize("page", [(DECISIONS, 1280)], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_number_of_the_table_can_be_read_on_its_ground(page: Page, scheme: str) -> None:
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    assert page.evaluate(CONTRAST) >= 4.5


@pytest.mark.parametrize("page", [(DECISIONS, 360), (MODEL, 360)], indirect=True)
def test_on_a_telephone_the_chart_is_scrolled_and_not_the_page(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth === document.documentElement.clientWidth")
    letters = "getComputedStyle(text).fontSize.slice(0, -2) * Math.hypot(matrix.a, matrix.b)"  # px on the screen
    texts = "[...document.querySelectorAll('[aria-label=Chart] text')]"
    smallest = f"Math.min(...{texts}.map((text) => [text, text.getScreenCTM()]).map(([text, matrix]) => {letters}))"
    assert page.evaluate(smallest) > 8
    assert page.evaluate("document.querySelector('main [aria-label=Chart]').tabIndex") == 0  # keys can scroll it


@pytest.mark.parametrize("page", [(MODEL, 1280)], indirect=True)
def test_who_picks_or_sorts_by_keys_stays_where_they_are(page: Page) -> None:
    focused = "document.activeElement.textContent"
    first = page.evaluate("document.querySelector('#list tbody button').focus() || " + focused)
    page.press_enter()
    page.wait_for(f"document.querySelector('#model h2').textContent === {first!r}")
    assert page.evaluate(focused) == first
    page.evaluate("document.querySelector('#list thead button').focus()")
    page.press_enter()
    assert page.evaluate(focused) == "Model ↑"


@pytest.mark.parametrize("page", [(MODEL, 1280)], indirect=True)
def test_a_link_to_another_model_leads_to_its_name(page: Page) -> None:
    other = page.evaluate("document.querySelector('#model a').focus() || document.activeElement.textContent")
    page.press_enter()
    page.wait_for(f"document.querySelector('#model h2').textContent === {other!r}")
    assert page.evaluate("document.activeElement.textContent") == other
