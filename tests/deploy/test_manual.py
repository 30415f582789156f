"""The manual says what there is: commands, settings and their defaults, metrics and their labels, events, panels."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel, SecretStr

from gateway.cli import main
from gateway.governance import sessions
from gateway.settings import Settings
from gateway.settings.backends import LimitSettings
from gateway.telemetry import Telemetry
from gateway.tools.metrics import ToolMetrics

from .queries import BOARD

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TOOLS = (ROOT / "docs" / "tools-in-the-gateway.md").read_text(encoding="utf-8")
GROUPS = {"catalog", "journal", "keys", "tools"}  # commands that have commands of their own
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def table(page: str, *, first: str) -> Iterator[list[str]]:
    """The cells of every row of the tables whose first heading begins so."""
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        heading, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines())
        if heading[0].startswith(first):
            yield from rows


def settings_of(page: str) -> list[tuple[str, str]]:
    return [(row[0].strip("`"), row[1].strip("`")) for row in table(page, first="setting")]


def shown(value: Any) -> str:
    """A default as the manual writes it."""
    if value in (None, (), {}):
        return "none"
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:,.10g}".removesuffix(".0") if value >= 1 or value == 0 else f"{value:.10f}".rstrip("0")
        case SecretStr():
            return value.get_secret_value()
        case _:
            return str(value)


@pytest.mark.parametrize(("name", "said"), [*settings_of(MANUAL), *settings_of(TOOLS)])
def test_a_setting_has_the_default_that_the_manual_says(name: str, said: str) -> None:
    section, _, key = name.partition(".")
    here = LimitSettings() if section == "limits" else getattr(Settings(), section)
    assert shown(getattr(here, key)).replace(",", "") == said.replace(",", "")  # a port has none


def settings_within(section: type[BaseModel], *above: str) -> Iterator[tuple[str, ...]]:
    for name, field in section.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None or inner is section:  # prices within prices
            yield (*above, name)
        else:
            yield from settings_within(inner, *above, name)


def blocks_of_settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """The TOML of the manual that is about the gateway, not about a leaderboard's columns."""
    for page in PAGES:
        for block in re.findall(r"^ *```toml\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            if set(values := tomllib.loads(block)) <= set(Settings.model_fields):
                yield page.name, values


def test_every_setting_is_in_the_manual() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown_in_toml = {
        (top, key)
        for _, values in blocks_of_settings()
        for top, table in values.items()
        for key in (table if isinstance(table, dict) else ())
    }
    of_backends = MANUAL.partition("One of `[[backends]]` has")[2].partition("What is asked of servers")[0]
    untold = []
    for path in settings_within(Settings):
        told = f"`{'.'.join(path[-2:])}`" in pages or path in shown_in_toml
        if not told and not (path[0] in {"backends", "policies"} and f"`{path[-1]}`" in of_backends):
            untold.append(".".join(path))
    assert untold == []


@pytest.mark.parametrize(("page", "values"), [*blocks_of_settings()])
def test_a_configuration_of_the_manual_is_one(page: str, values: dict[str, Any]) -> None:
    assert Settings(**values), page


def test_the_manual_names_every_header_that_says_which_conversation_it_is() -> None:
    told = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert [name for name in (*sessions._HEADERS, sessions._LAST_HEADER) if f"`{name}`" not in told] == []


def test_every_option_of_a_new_key_is_in_the_manual(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["keys", "create", "--help"]) == 0
    options = set(re.findall(r"(?<= )--(?!no-)[a-z-]+", capsys.readouterr().out))
    options -= {"--help", "--json", "--config", "--name"}
    assert len(options) > 15
    assert {option for option in options if option not in told} == set()


def test_every_setting_of_tools_is_in_the_table_of_its_page() -> None:
    assert [name.removeprefix("tools.") for name, _ in settings_of(TOOLS)] == list(type(Settings().tools).model_fields)


def labels_by_metric() -> dict[str, set[str]]:
    telemetry = Telemetry()
    ToolMetrics(telemetry.registry)
    found = {}
    for metric in {*telemetry.registry._collector_to_names}:
        assert isinstance(metric, MetricWrapperBase)
        (family,) = metric.describe()
        ending = "_total" if family.type == "counter" else ""
        found[family.name.removeprefix("paretogate_") + ending] = set(metric._labelnames)
    return found


def test_the_table_of_metrics_has_every_metric_with_its_labels() -> None:
    told = {
        row[0].strip("`"): {label for label in row[1].split(", ") if label} for row in table(MANUAL, first="metric")
    }
    assert told == labels_by_metric()


def test_every_event_of_the_manual_is_one_that_the_code_logs() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "gateway").rglob("*.py")))
    told = {event for row in table(MANUAL, first="event") for event in re.findall(r"`(\w+)`", row[0])}
    told |= set(re.findall(r"`(\w+)`(?:, `\w+`)*(?: or `\w+`)? in (?:the|its) log", MANUAL))
    assert "journal_store_failed" in told
    assert {event for event in told if f'"{event}"' not in code} == set()


def test_every_panel_that_the_runbook_names_is_on_the_board() -> None:
    runbook = MANUAL.partition("### Runbook")[2].partition("\n## ")[0]
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", runbook))
    panels = {panel["title"] for panel in json.loads(BOARD.read_text(encoding="utf-8"))["panels"]}
    assert named
    assert named - panels == set()


def commands_of(page: Path) -> set[str]:
    """What stands in code and begins with `paretogate`, up to a remark or another command."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
    found = [*re.findall(r"`paretogate ([^`\n]+)`", text), *re.findall(r"(?:^|\s)paretogate (.*)", blocks)]
    return {re.split(r"\s(?:#|&&|\||>)|;", line)[0] for line in found}


def names_in(command: str) -> tuple[str, ...]:
    """Of the command and, where it has some, of its own."""
    words = re.match(r"(?:[a-z-]+(?: |$))*", command)
    names = words[0].split() if words else []
    return tuple(names[: 2 if names and names[0] in GROUPS else 1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_there_with_its_options(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    unknown = []
    for command in sorted(commands_of(page)):
        if not (names := names_in(command)):
            continue  # a set of commands, or a placeholder
        done = main([*names, "--help"])
        options = re.findall(r"(?<= )--[a-z-]+", command)
        said = capsys.readouterr().out
        if done or any(not re.search(rf"{option}\b", said) for option in options):
            unknown.append(command)
    assert unknown == []


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not link.startswith("http") and (
            not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))
        ):
            lost.append(link)
    assert lost == []
