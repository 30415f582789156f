"""The dashboard's page as a file: what a browser may load and run from it."""

import re
from base64 import b64encode
from hashlib import sha256

from gateway.dashboard import content_security_policy, page


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = page().decode()
    addresses = set(re.findall(r"""(?:src|href)=["']([^"']+)|url\(([^)]+)\)""", text))
    assert addresses == {("data:,", "")}  # the empty icon, so that a browser does not ask for one


def test_the_policy_admits_the_page_s_own_script_and_no_other() -> None:
    script = re.search(rb"<script>(.*?)</script>", page(), re.DOTALL)
    assert script is not None
    digest = b64encode(sha256(script[1]).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in content_security_policy()
    assert "unsafe" not in content_security_policy()


def test_what_a_prompt_or_a_name_says_is_shown_as_text_never_as_markup() -> None:
    assert not re.search(rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page())
