"""The dashboard in a real browser, against a running gateway."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Gateway, start

pytestmark = pytest.mark.loopback

QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here; Debian: apt-get install chromium")
    return found


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
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_page_draws_the_front_and_says_who_would_answer(browser: str, gateway: Gateway, tmp_path: Path) -> None:
    page = seen(browser, f"{gateway.url}/dashboard?pool=openai/gpt-4*&policy=best&prompt=Hello", tmp_path)
    answer = re.search(r'<p id="answer".*?<strong>(openai/gpt-4[^<]*)</strong>', page)
    assert answer is not None
    assert page.count('class="dot chosen"') == 1
    assert page.count("<circle") > 3
    assert 'class="stair"' in page


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
    assert "<h2>qwen/qwen3-32b</h2>" in page
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
