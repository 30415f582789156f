"""The dashboard's pages as files: what a browser may load and run from them."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.dashboard import PageName, content_security_policy, page
from tests.waiting import AT_MOST_S

both = pytest.mark.parametrize("name", ["page", "models"])


@both
def test_a_page_loads_nothing_from_elsewhere(name: PageName) -> None:
    addresses = set(re.findall(r"""(?:src|href)=["']([^"']+)|url\(([^)]+)\)""", page(name).decode()))
    # the empty icon, so that a browser does not ask for one, and the way to the other page
    assert addresses == {("data:,", ""), ("/dashboard", ""), ("/dashboard/models", "")}


@both
def test_the_policy_admits_the_page_s_own_script_and_no_other(name: PageName) -> None:
    script = re.search(rb"<script>(.*?)</script>", page(name), re.DOTALL)
    assert script is not None
    digest = b64encode(sha256(script[1]).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in content_security_policy(name)
    assert "unsafe" not in content_security_policy(name)


@both
def test_what_a_prompt_or_a_name_says_is_shown_as_text_never_as_markup(name: PageName) -> None:
    assert not re.search(rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page(name))


@both
def test_a_key_stays_in_the_tab(name: PageName) -> None:
    text = page(name).decode()
    assert 'sessionStorage.setItem("paretogate.key"' in text
    assert "localStorage" not in text
    assert not re.search(r"searchParams\.set\(.?key|[?&]key=", text)


# What the page needs of a browser: elements that remember their listeners, and a gateway that is slow at first.
_BROWSER = """
const made = {};
const element = (id) => (made[id] ??= {
  value: "", dataset: {}, heard: {}, addEventListener(what, then) { this.heard[what] = then; },
  replaceChildren(...told) { this.told = told; }, querySelector() { return element(`${id} *`); },
  append() {}, setAttribute() {}, matches: () => true,
});
let loose = 0;
globalThis.document = {
  getElementById: element, querySelector: element,
  createElement: () => element(`loose ${++loose}`), createElementNS: () => element(`loose ${++loose}`),
};
globalThis.sessionStorage = { getItem: () => null };
globalThis.location = { search: "" };
const questions = [];
globalThis.fetch = async (_, { body }) => {
  const prompt = JSON.parse(body).messages[0].content, wait = prompt === "slow" ? 900 : 10;
  questions.push(prompt);
  await new Promise((resolve) => setTimeout(resolve, wait));
  const candidates = [{ id: `a/${prompt}`, eligible: true, on_front: true, quality: 0.5, cost_usd: 0.1 }];
  return { ok: true, status: 200, json: async () => ({ chosen: `a/${prompt}`, candidates }) };
};
const type = (text) => { element("prompt").value = text; element("ask").heard.input(); };
element("prompt").value = "first";
"""
_TYPED = """
setTimeout(() => type("s"), 100); setTimeout(() => type("slow"), 150);  // one pause, one question
setTimeout(() => type("quick"), 600);  // asked while the slow one is answered, and answered before it
setTimeout(() => console.log(JSON.stringify({ asked: questions, shown: element("answer").told[0].textContent })), 2000);
"""


def test_the_front_moves_as_one_types_and_an_answer_that_was_overtaken_is_not_shown(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here; Debian: apt-get install nodejs")
    [script] = re.findall(r"<script>(.*?)</script>", page("page").decode(), re.DOTALL)
    (tmp_path / "page.js").write_text(_BROWSER + script.replace('"use strict";', "") + _TYPED)
    done = subprocess.run([node, tmp_path / "page.js"], capture_output=True, text=True, check=True, timeout=AT_MOST_S)
    assert json.loads(done.stdout) == {"asked": ["first", "slow", "quick"], "shown": "a/quick"}
