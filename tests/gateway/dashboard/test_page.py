"""The dashboard's pages as files: what a browser may load and run from them."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from gateway.dashboard import PageName, content_security_policy, page

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
