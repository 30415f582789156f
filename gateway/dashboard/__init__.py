"""Two pages: what a decision rests on, and what is known of every model.

Each is one file without outside assets; they ask this gateway's own doors, as any client could. A content security
policy names each page's script and style by digest, so that nothing that a prompt or a model's name smuggles in can
run. The pages hold no data and are open; what they ask for needs the key that the reader enters, which stays in the
tab's session storage.
"""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal

__all__ = ["PageName", "content_security_policy", "page"]

PageName = Literal["page", "models"]


@cache
def page(name: PageName = "page") -> bytes:
    """The page, UTF-8."""
    return files(__package__).joinpath(f"{name}.html").read_bytes()


@cache
def content_security_policy(name: PageName = "page") -> str:
    """The header's value that belongs to the page: its own script and style, its own server, nothing else."""
    return (
        f"default-src 'none'; script-src {_digest(name, 'script')}; style-src {_digest(name, 'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _digest(name: PageName, tag: str) -> str:
    found = re.search(rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), page(name), re.DOTALL)
    if found is None:
        raise ValueError(f"{name}.html has no <{tag}>")
    return f"'sha256-{b64encode(sha256(found[1]).digest()).decode()}'"
