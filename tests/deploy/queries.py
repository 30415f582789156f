"""What the queries of rules and board speak of: metrics, their labels, and where a label is to have which value."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from .promtool import ROOT, RULES

__all__ = ["BOARD", "Selector", "board_queries", "labels_named", "rule_queries", "selectors"]

BOARD = ROOT / "deploy" / "grafana" / "paretogate.json"

_SELECTOR = re.compile(r"(?<![:\w])(paretogate_\w+)(?![:\w])(?:\{([^}]*)\})?")  # a colon is in recorded names alone
_MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|ignoring|group_left)\s*\(([^)]*)\)")
_LEGEND = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """One metric in a query, with the values that its labels are held against (alternatives apart)."""

    metric: str
    wanted: tuple[tuple[str, frozenset[str]], ...]


def selectors(query: str) -> Iterator[Selector]:
    """Every metric of ours that a query reads from a gateway; recorded ones are not."""
    for metric, matchers in _SELECTOR.findall(query):
        wanted = tuple((label, frozenset(value.split("|"))) for label, _, value in _MATCHER.findall(matchers))
        yield Selector(metric=metric, wanted=wanted)


def labels_named(query: str, legend: str = "") -> frozenset[str]:
    """Labels that a query groups by, or that its legend or description shows."""
    grouped = {label.strip() for labels in _GROUPING.findall(query) for label in labels.split(",")}
    return frozenset(grouped | set(_LEGEND.findall(legend))) - {""}


def rule_queries() -> Iterator[tuple[str, str, str]]:
    """Name, query and description of each rule."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule.get("record") or rule["alert"], rule["expr"], rule.get("annotations", {}).get("description", "")


def board_queries() -> Iterator[tuple[str, str, str]]:
    """Title, query and legend of each target of each panel, with Grafana's variables filled in."""
    for panel in json.loads(BOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
            yield panel["title"], query, target["legendFormat"]
