"""How completely a model card documents its model: the weighted share of the published sections that say something.

Source of the sections: Mitchell et al., Model Cards for Model Reporting, arXiv 1810.03993; that most cards leave
evaluation (15 % filled) and limitations (17 %) out: arXiv 2402.05160. The weights are ours.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["SECTIONS", "completeness", "filled_sections"]

SECTIONS: Mapping[str, tuple[float, str]] = MappingProxyType(
    {  # section -> weight, words of its heading
        "details": (1.0, r"model (?:details|description|summary|overview|information)|introduction|highlights"),
        "use": (
            1.5,
            r"intended use|(?:direct|downstream|out-of-scope) use|^uses?$|usage|how to (?:use|get)|quick ?start",
        ),
        "factors": (0.5, r"factors|demographic|languages?$"),
        "metrics": (1.0, r"metrics"),
        "evaluation": (3.0, r"evaluation|results|benchmarks?|performance"),
        "training": (1.5, r"training"),
        "environment": (0.5, r"environmental|carbon|emissions"),
        "ethics": (1.0, r"ethic|bias|risks?|safety|responsib"),
        "limitations": (2.0, r"limitation|caveat|recommendations|known issues"),
    }
)
_HEADING = re.compile(r"^#{1,6}[ \t]+([^\n]{1,200})$", re.MULTILINE)
_EMPTY = re.compile(r"\[?more information needed\]?|\btodo\b|\btba\b|<!--.*?-->|[#*|_\-\s]+", re.IGNORECASE | re.DOTALL)
_ENOUGH = 40  # characters that say something


def filled_sections(text: str) -> frozenset[str]:
    """The sections of a card's text that are there and not empty."""
    headings = list(_HEADING.finditer(text))
    found: set[str] = set()
    for at, heading in enumerate(headings):
        end = headings[at + 1].start() if at + 1 < len(headings) else len(text)
        title = heading[1].strip(" *:#").casefold()
        if len(_EMPTY.sub("", text[heading.end() : end][:20_000])) >= _ENOUGH:
            found |= {name for name, (_, words) in SECTIONS.items() if re.search(words, title)}
    return frozenset(found)


def completeness(filled: frozenset[str]) -> float:
    """Weighted share of the sections that are filled, 0 to 1."""
    return sum(weight for name, (weight, _) in SECTIONS.items() if name in filled) / sum(
        weight for weight, _ in SECTIONS.values()
    )
