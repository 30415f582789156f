"""Personal data that can be told by its shape and its check digits.

E-mail addresses, phone numbers (`phonenumbers`, Google's rules per country), payment cards (Luhn), bank accounts
(IBAN), US social security numbers (`python-stdnum`) and IP addresses. Names, postal addresses and anything said in
other words are not found: that takes a language model, which this is not. Images and audio are not looked at.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

__all__ = ["Finding", "find_personal"]

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]\d)")
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")
_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39})(?![\w:]|\.\d)"
)
_ANY_DIGITS = re.compile(r"\d{2}")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Where in the text, and of which kind."""

    start: int
    end: int
    kind: str


def find_personal(text: str, *, region: str | None = None) -> list[Finding]:
    """Every finding, in order and without overlap; of overlapping ones, the surer kind.

    Args:
        text: any.
        region: the country, such as `DE`, of phone numbers that are written without its code; None finds only those
            with one.
    """
    if "@" not in text and not _ANY_DIGITS.search(text) and "::" not in text:
        return []
    kept: list[Finding] = []  # in order, and apart
    for finding in _candidates(text, region):
        at = bisect_left(kept, finding)
        apart_from_last = at == 0 or kept[at - 1].end <= finding.start
        if apart_from_last and (at == len(kept) or finding.end <= kept[at].start):
            kept.insert(at, finding)
    return kept


def _candidates(text: str, region: str | None) -> Iterator[Finding]:
    """The surest first."""
    checks = _checks()
    for kind, shape in (("EMAIL", _EMAIL), ("IBAN", _IBAN), ("CARD", _CARD), ("SSN", _SSN), ("IP", _IP)):
        for found in shape.finditer(text):
            if kind not in checks or checks[kind](found[0]):
                yield Finding(found.start(), found.end(), kind)
    from phonenumbers import PhoneNumberMatcher  # noqa: PLC0415 - only where personal data is looked for

    # By default it gives up after 65,535 numbers that are none, and the next one that is would leave unseen.
    for match in PhoneNumberMatcher(text, region, max_tries=len(text)):
        yield Finding(match.start, match.end, "PHONE")


@lru_cache(maxsize=1)
def _checks() -> dict[str, Any]:
    from stdnum import iban, luhn  # noqa: PLC0415 - as above
    from stdnum.us import ssn  # noqa: PLC0415

    def card(number: str) -> bool:
        return bool(luhn.is_valid(re.sub(r"[ -]", "", number)))

    return {"IBAN": iban.is_valid, "CARD": card, "SSN": ssn.is_valid, "IP": _is_ip}


def _is_ip(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
