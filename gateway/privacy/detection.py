"""Personal data that can be told by its shape and its check digits.

E-mail addresses, phone numbers (`phonenumbers`, Google's rules per country), payment cards (Luhn), bank accounts
(IBAN), US social security numbers (`python-stdnum`) and IP addresses. Names, postal addresses and anything said in
other words are not found: that takes a language model, which this is not. Images and audio are not looked at.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

__all__ = ["Finding", "find_personal"]

# Ends are told by ASCII alone: Chinese and Japanese write no spaces, and their letters stand right beside.
_EMAIL = re.compile(
    r"[A-Za-z0-9\u00C0-\u024F.!#$%&'*+/=?^_`{|}~-]{1,64}(?:@|%40)"  # the latter in addresses of the web
    r"(?:[A-Za-z0-9\u00C0-\u024F-]{1,63}\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}|[A-Za-z]{2,24})(?![A-Za-z0-9])"
)
_GAP = r"[ \u00A0\u2009\u202F\u2010\u2011-]?"  # between digits: spaces and hyphens, those that break no line too
# What follows an account or a card is often as much like it as its own end: a BIC, a date of expiry. Each is looked for
# within the longest run, and wherever one may begin.
_IBAN = re.compile(rf"(?<![A-Za-z0-9])(?=([A-Za-z]{{2}}\d{{2}}(?:{_GAP}[A-Za-z0-9]){{11,30}}))", re.ASCII)
_DIGITS_RUN = re.compile(rf"(?<!\d)(?<!\d\.)\d(?:{_GAP}\d){{12,}}+(?!\.\d)", re.ASCII)
_ALNUM = re.compile(r"[A-Za-z0-9]")
_DIGITS = re.compile(r"\d+", re.ASCII)
_CARD_GROUPS = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4)} | {(n,) for n in range(13, 20)}
_MOST_GROUPS = max(map(len, _CARD_GROUPS))
_LONGEST_CARD = 19
_CARD_BEGINS = "23456"  # ISO/IEC 7812: travel, banking, merchandising
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b", re.ASCII)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)", re.ASCII)  # a port may follow
_IPV6 = re.compile(
    r"(?<![\w.:])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39}(?![\w:]|\.\d)",
    re.ASCII,
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
    from phonenumbers import PhoneNumberMatcher  # noqa: PLC0415 - only where personal data is looked for

    valid = _validity()
    yield from (Finding(found.start(), found.end(), "EMAIL") for found in _EMAIL.finditer(text))
    yield from _ibans(text, valid["IBAN"])
    for run in _DIGITS_RUN.finditer(text):
        yield from _cards(run, valid["CARD"])
    for kind, shape in (("SSN", _SSN), ("IP", _IPV4), ("IP", _IPV6)):
        yield from (Finding(f.start(), f.end(), kind) for f in shape.finditer(text) if valid[kind](f[0]))
    # By default it gives up after 65,535 numbers that are none, and the next one that is would leave unseen.
    for match in PhoneNumberMatcher(text, region, max_tries=len(text)):
        yield Finding(match.start, match.end, "PHONE")


def _ibans(text: str, is_valid: Callable[[str], bool]) -> Iterator[Finding]:
    for found in _IBAN.finditer(text):
        for end in _iban_ends(found[1]):
            stop = found.start(1) + end
            if _ALNUM.match(text, stop) is None and is_valid(re.sub(_GAP, "", found[1][:end])):
                yield Finding(found.start(1), stop, "IBAN")
                break


def _iban_ends(run: str) -> Iterator[int]:
    """Where the check digits of ISO 7064 allow an account to end."""
    country, check = (int(letter, 36) for letter in run[:2]), int(run[2:4])
    first, second = country
    rest = 0
    for at, letter in enumerate(run[4:], start=5):
        if not letter.isalnum():
            continue
        value = int(letter, 36)
        rest = (rest * (10 if value < 10 else 100) + value) % 97
        if at >= 15 and (rest * 1_000_000 + first * 10_000 + second * 100 + check) % 97 == 1:
            yield at


def _cards(run: re.Match[str], is_valid: Callable[[str], bool]) -> Iterator[Finding]:
    """The whole run, or else what of it is grouped as cards are."""
    groups = [(found.start(), found.end()) for found in _DIGITS.finditer(run[0])]
    if sum(end - start for start, end in groups) <= _LONGEST_CARD and is_valid(run[0]):
        yield Finding(run.start(), run.end(), "CARD")
        return
    at = 0
    while at < len(groups):
        start, taken = groups[at][0], 1
        for n in range(min(_MOST_GROUPS, len(groups) - at), 0, -1):
            end = groups[at + n - 1][1]
            is_grouped = tuple(e - s for s, e in groups[at : at + n]) in _CARD_GROUPS
            if is_grouped and run[0][start] in _CARD_BEGINS and is_valid(run[0][start:end]):
                yield Finding(run.start() + start, run.start() + end, "CARD")
                taken = n
                break
        at += taken


@lru_cache(maxsize=1)
def _validity() -> Mapping[str, Callable[[str], bool]]:
    from stdnum import iban, luhn  # noqa: PLC0415 - as above
    from stdnum.us import ssn  # noqa: PLC0415

    def card(number: str) -> bool:
        return bool(luhn.is_valid(re.sub(_GAP, "", number)))

    return {"IBAN": iban.is_valid, "CARD": card, "SSN": ssn.is_valid, "IP": _is_ip}


def _is_ip(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
