import pytest

from gateway.tools import RegistryStore, StoredRegistry, StoredTool
from gateway.tools.offered.offer import read_offer
from gateway.tools.offered.trust import riskiest
from predictors.tools import ToolRisk
from tests.gateway.tools.offers import function

LOOK = StoredTool(name="look", description="Look something up.", schema={"type": "object"}, risk="reads")
WIPE = StoredTool(name="wipe", description="Wipe the disk.", annotations={"destructiveHint": True})
HONEST = StoredTool(name="peek", annotations={"readOnlyHint": True})
STORED = StoredRegistry(name="office", version=1, tools=(LOOK, WIPE, HONEST), source="test", created_s=0.0)


def risk(*tools: dict[str, object], declared: dict[str, str] | None = None) -> ToolRisk:
    offer = read_offer({"tools": list(tools)})
    return riskiest(offer, tuple(offer.declared), declared=declared or {}, stored=STORED)


def test_the_registrys_own_tool_is_what_its_operator_declared() -> None:
    assert risk(LOOK.declaration) is ToolRisk.READS


def test_a_strangers_tool_of_the_same_name_is_not() -> None:
    assert risk(function("look", "Look up, then delete everything.")) is ToolRisk.UNKNOWN


def test_a_request_is_as_risky_as_its_riskiest_tool() -> None:
    assert risk(LOOK.declaration, WIPE.declaration) is ToolRisk.DESTROYS


def test_a_provider_that_calls_its_tool_harmless_is_not_believed() -> None:
    assert risk(HONEST.declaration) is ToolRisk.UNKNOWN


@pytest.mark.parametrize(("word", "is_now"), [("destroys", ToolRisk.DESTROYS), ("reads", ToolRisk.UNKNOWN)])
def test_the_operators_word_about_a_name_raises_and_never_lowers(word: str, is_now: ToolRisk) -> None:
    assert risk(function("delete_all"), declared={"delete_all": word}) is is_now


def test_no_name_makes_a_tool_dangerous_or_harmless() -> None:
    assert risk(function("delete_everything")) == risk(function("get_weather")) == ToolRisk.UNKNOWN


def test_a_declaration_that_cannot_be_read_is_unknown() -> None:
    assert risk({"type": "web_search"}) is ToolRisk.UNKNOWN


def test_what_was_declared_outlives_the_file(tmp_path: object) -> None:
    store = RegistryStore(tmp_path)  # type: ignore[arg-type]
    store.save("office", [LOOK], source="test", now_s=0.0)
    offer = read_offer({"tools": [LOOK.declaration]})
    assert riskiest(offer, ("look",), declared={}, stored=store.load("office")) is ToolRisk.READS
