from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predictors.errors import EncoderUnavailableError, NotFittedError
from predictors.tools import Tool, ToolRegistry, ToolRetriever, ToolUsage
from predictors.tools.neural import NeuralMultiLabel, NeuralRefiner

from .toys import WEATHER_AND_MONEY, CountedWords, past_use

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CountedWords.WORDS]


@pytest.fixture
def small_bert(tmp_path: Path) -> Path:
    """A BERT of random weights, as wide as the vectors of the toy encoder."""
    pytest.importorskip("torch", reason="training needs pip install 'paretogate[encoders]'")
    transformers = pytest.importorskip("transformers", reason="training needs pip install 'paretogate[encoders]'")
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY))
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=CountedWords.dim,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    return tmp_path


NEURAL: list[Callable[[Path], ToolRetriever]] = [
    lambda folder: NeuralMultiLabel(folder, CountedWords(), n_epochs=30, learning_rate=3e-3),
    lambda folder: NeuralRefiner(folder, CountedWords(), n_epochs=100, learning_rate=1e-3),
]


@pytest.mark.parametrize("make", NEURAL)
def test_a_neural_retriever_learns_which_tool_a_word_asks_for(
    make: Callable[[Path], ToolRetriever], small_bert: Path
) -> None:
    words = {"rain": "weather", "euro": "convert", "song": "mystery", "hotel": "flight"}
    usage = ToolUsage.of([w for w in words for _ in range(8)], [[tool] for tool in words.values() for _ in range(8)])
    rankings = make(small_bert).fit(WEATHER_AND_MONEY, usage).rank(list(words), 2)
    assert [ranking.tool_ids[0] for ranking in rankings] == list(words.values())
    assert all((np.diff(ranking.scores) <= 0).all() for ranking in rankings)


@pytest.mark.parametrize("make", NEURAL)
def test_a_neural_retriever_serves_added_tools_and_forgets_removed_ones(
    make: Callable[[Path], ToolRetriever], small_bert: Path
) -> None:
    retriever = make(small_bert).fit(WEATHER_AND_MONEY, past_use())
    alarm = Tool(tool_id="alarm", name="alarm", description="Wake up by an alarm in the morning.")
    retriever.update(WEATHER_AND_MONEY.without(["weather"]).with_tools([alarm]))
    assert set(retriever.rank(["alarm"], 10)[0].tool_ids) == {"convert", "flight", "mystery", "alarm"}


@pytest.mark.parametrize("make", NEURAL)
def test_a_neural_retriever_says_what_is_missing(make: Callable[[Path], ToolRetriever], tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        make(tmp_path).rank(["x"], 1)
    with pytest.raises(EncoderUnavailableError, match=r"no transformer can be read|paretogate\[encoders\]"):
        make(tmp_path).fit(ToolRegistry(tools=WEATHER_AND_MONEY.tools), past_use())
