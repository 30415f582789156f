"""A page that shows what a decision rests on: every candidate, the Pareto front, the choice.

One file without outside assets; it asks the decision-only door, as any client could. The content security policy
names the script's and the style's digests, so that nothing that a prompt or a model's name smuggles in can run.
"""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

__all__ = ["content_security_policy", "page"]


@cache
def page() -> bytes:
    """The page, UTF-8."""
    return files(__package__).joinpath("page.html").read_bytes()


@cache
def content_security_policy() -> str:
    """The header's value that belongs to the page: its own script and style, its own server, nothing else."""
    return (
        f"default-src 'none'; script-src {_digest('script')}; style-src {_digest('style')}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _digest(tag: str) -> str:
    found = re.search(rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), page(), re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no <{tag}>")
    return f"'sha256-{b64encode(sha256(found[1]).digest()).decode()}'"
