import json
from pathlib import Path

import numpy as np
import pytest

from predictors.encoders import StaticEncoder
from predictors.errors import BadArtefactError
from predictors.persistence import load_artefact, save_artefact
from predictors.tools import (
    StackedRetriever,
    Tool,
    ToolRegistry,
    ToolUsage,
    UsageStatistics,
    load_retriever,
    save_retriever,
)
from predictors.tools.vector_index import VectorIndex

from .toys import WEATHER_AND_MONEY, CountedWords, crowded_registry, past_use

pytestmark = pytest.mark.usefixtures("few_trees")


class OtherWords(CountedWords):
    name = "other-words"


def saved(folder: Path) -> StackedRetriever:
    retriever = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, past_use())
    save_retriever(retriever, folder)
    return retriever


def test_equal_retrievers_are_saved_under_equal_digests(tmp_path: Path) -> None:
    one = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, past_use())
    two = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, past_use())
    assert save_retriever(one, tmp_path / "one") == save_retriever(two, tmp_path / "two")


def test_the_manifest_says_what_it_was_fitted_on(tmp_path: Path) -> None:
    saved(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["kind"], manifest["version"], manifest["encoder"]) == ("tool-retriever", 8, "counted-words")
    assert (manifest["n_tools"], manifest["n_past_requests"]) == (4, 5)
    assert manifest["registry_digest"] == WEATHER_AND_MONEY.digest


def test_trees_are_saved_as_arrays(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="growing trees needs scikit-learn")
    registry, usage = crowded_registry(30)
    retriever = StackedRetriever(CountedWords(), boosted=True).fit(registry, usage)
    assert retriever.stage_.trees is not None
    save_retriever(retriever, tmp_path)
    restored = load_retriever(tmp_path, CountedWords())
    assert isinstance(restored, StackedRetriever)
    assert restored.choice == retriever.choice
    assert restored.boosted is True
    assert restored.stage_.trees is not None
    assert np.array_equal(restored.stage_.trees.threshold, retriever.stage_.trees.threshold)


def test_trees_that_look_at_twins_do_so_when_loaded(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="growing trees needs scikit-learn")
    registry, usage = crowded_registry(30, n_queries=400)
    retriever = StackedRetriever(CountedWords(), boosted=True).fit(registry, usage)
    assert retriever.stage_.sees_twins
    save_retriever(retriever, tmp_path)
    restored = load_retriever(tmp_path, CountedWords())
    asked = usage.queries[:20]
    for before, after in zip(retriever.rank(asked, 10), restored.rank(asked, 10), strict=True):
        assert before.tool_ids == after.tool_ids
        assert np.array_equal(before.scores, after.scores)


def test_calls_learned_since_the_fit_are_saved_with_it(tmp_path: Path) -> None:
    retriever = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, ToolUsage())
    seen = UsageStatistics(dim=CountedWords.dim, half_life_s=86_400.0)
    for _ in range(8):
        seen.observe("mystery", CountedWords().encode(["play music"])[0], replica="r", at_s=0.0)
    retriever.learn(seen, now_s=0.0)
    save_retriever(retriever, tmp_path)
    restored = load_retriever(tmp_path, CountedWords())
    assert restored.rank(["play music"], 1)[0].tool_ids == ("mystery",)
    assert restored.evidence_.uses.tolist() == [0, 0, 0, 8]


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    with pytest.raises(BadArtefactError, match="fitted with the encoder 'counted-words', not 'other-words'"):
        load_retriever(tmp_path, OtherWords())


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    content = bytearray((tmp_path / "arrays.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "arrays.npz").write_bytes(bytes(content))
    with pytest.raises(BadArtefactError, match=r"does not match the digest .*; fit it anew with `paretogate tools"):
        load_retriever(tmp_path, CountedWords())


def test_another_version_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "version": 1}))
    with pytest.raises(BadArtefactError, match="version 1 is not 8; fit it anew"):
        load_retriever(tmp_path, CountedWords())


def test_a_folder_that_holds_no_retriever_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BadArtefactError, match="`paretogate tools search --save`") as raised:
        load_retriever(tmp_path / "nothing", CountedWords())
    assert "paretogate train" not in str(raised.value)


def test_only_our_own_retrievers_can_be_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="only retrievers of build_retriever"):
        save_retriever(object(), tmp_path)  # type: ignore[arg-type]


def test_a_saved_retriever_is_taken_for_the_tools_and_requests_that_it_was_fitted_on(tmp_path: Path) -> None:
    retriever = saved(tmp_path)
    restored = load_retriever(tmp_path, CountedWords(), fitted_on=(WEATHER_AND_MONEY, past_use()))
    asked = ["rain in the city", "play a song"]
    for before, after in zip(retriever.rank(asked, 4), restored.rank(asked, 4), strict=True):
        assert before.tool_ids == after.tool_ids
        assert np.array_equal(before.scores, after.scores)
    other_order = ToolRegistry(name="toy", tools=WEATHER_AND_MONEY.tools[::-1])
    with pytest.raises(BadArtefactError, match="other tools"):
        load_retriever(tmp_path, CountedWords(), fitted_on=(other_order, past_use()))
    with pytest.raises(BadArtefactError, match="other requests"):
        load_retriever(tmp_path, CountedWords(), fitted_on=(WEATHER_AND_MONEY, past_use().subset([0])))


def test_what_takes_long_to_build_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = ToolRegistry(tools=tuple(Tool(tool_id=f"t{n}", name=f"w{n} w{n % 97}") for n in range(20_100)))
    retriever = StackedRetriever(StaticEncoder.load()).fit(registry, ToolUsage())
    save_retriever(retriever, tmp_path)
    for reads in ("predictors.tools.evidence.vectors_of", "predictors.tools.channels.bm25._fields"):
        monkeypatch.setattr(reads, None)
    monkeypatch.setattr(VectorIndex, "_sort_into_lists", None)
    restored = load_retriever(tmp_path, retriever.encoder)
    (before,), (after,) = retriever.rank(["w7 of w96"], 20), restored.rank(["w7 of w96"], 20)
    assert before.tool_ids == after.tool_ids
    assert np.array_equal(before.scores, after.scores)


def test_what_was_learned_for_tools_that_come_later_is_saved_and_which_they_are(tmp_path: Path) -> None:
    registry, usage = crowded_registry(40, n_queries=300)
    retriever = StackedRetriever(CountedWords(), boosted=False).fit(registry, usage)
    coming = Tool(tool_id="alarm", name="set_alarm", description="Wake me in the morning by an alarm.")
    retriever.update(registry.with_tools([coming]))
    assert retriever.new_ is not None
    save_retriever(retriever, tmp_path)
    restored = load_retriever(tmp_path, CountedWords())
    for before, after in zip(
        retriever.rank(["set an alarm", "play music"], 9), restored.rank(["set an alarm", "play music"], 9), strict=True
    ):
        assert before.tool_ids == after.tool_ids
        assert np.array_equal(before.scores, after.scores)
    assert isinstance(restored, StackedRetriever)
    assert restored.new_ is not None
    assert np.array_equal(restored.new_, retriever.new_)


@pytest.mark.parametrize("value", [np.zeros((3, 5, 2)), np.zeros(0), np.float64(3.0), np.array(["x"])])
@pytest.mark.parametrize("name", ["stage.weights", "tool_vectors", "channel0.keys", "channel0.starts"])
def test_arrays_that_cannot_rank_are_refused_when_they_are_loaded(tmp_path: Path, name: str, value: np.ndarray) -> None:
    saved(tmp_path)
    arrays, manifest = load_artefact(tmp_path, kind="tool-retriever")
    assert name in arrays
    del manifest["arrays_sha256"]
    save_artefact(tmp_path, {**arrays, name: value}, manifest)
    with pytest.raises(BadArtefactError, match="paretogate tools search --save"):
        load_retriever(tmp_path, CountedWords())


@pytest.mark.parametrize("name", ["facts", "registry", "usage"])
def test_facts_that_go_too_deep_are_refused(tmp_path: Path, name: str) -> None:
    saved(tmp_path)
    arrays, manifest = load_artefact(tmp_path, kind="tool-retriever")
    del manifest["arrays_sha256"]
    save_artefact(tmp_path, {**arrays, name: np.frombuffer(b"[" * 100_000, dtype=np.uint8)}, manifest)
    with pytest.raises(BadArtefactError, match="its content is not that of a retriever"):
        load_retriever(tmp_path, CountedWords())
