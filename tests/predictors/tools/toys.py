"""A registry small enough to reckon by hand, and an encoder whose vectors are counted words."""

from collections.abc import Sequence

import numpy as np

from predictors.encoders.protocol import Vectors
from predictors.tools import Tool, ToolRegistry, ToolUsage
from predictors.tools.text.words import words_of

__all__ = ["WEATHER_AND_MONEY", "CountedWords", "crowded_registry", "past_use"]


_WORDS = """
weather rain temperature forecast city convert currency dollar euro exchange
flight book hotel room music song play alarm wake morning
"""


class CountedWords:
    """One axis per known word; cosines are shares of common words."""

    name = "counted-words"
    WORDS = tuple(_WORDS.split())
    dim = 24

    def encode(self, texts: Sequence[str]) -> Vectors:
        known = {words_of(word)[0]: place for place, word in enumerate(self.WORDS)}
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in words_of(text):
                vectors[row, known.get(word, self.dim - 1)] += 1.0
            vectors[row, self.dim - 2] += 1e-3  # no text is nothing
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


WEATHER_AND_MONEY = ToolRegistry(
    name="toy",
    tools=(
        Tool(tool_id="weather", name="getWeather", description="Weather forecast for a city."),
        Tool(tool_id="convert", name="convert_currency", description="Convert dollar to euro."),
        Tool(tool_id="flight", name="book-flight", description="Book a flight to a city."),
        Tool(tool_id="mystery", name="xq7", description="", parameters='{"properties": {"song": {"type": "string"}}}'),
    ),
)


def past_use() -> ToolUsage:
    """Requests in words that no description has: rain is weather, exchange is convert."""
    return ToolUsage.of(
        ["will there be rain", "rain in the morning", "exchange euro", "play a song", "book a hotel room"],
        [["weather"], ["weather"], ["convert"], ["mystery"], ["flight"]],
    )


def crowded_registry(n_tools: int, *, seed: int = 0, n_queries: int = 200) -> tuple[ToolRegistry, ToolUsage]:
    """Tools named by pairs of known words, and requests that say one of the two words and a rarer third."""
    rng = np.random.default_rng(seed)
    words = CountedWords.WORDS
    pairs = [(a, b) for a in words for b in words if a < b][:: max(1, 190 // n_tools)][:n_tools]
    tools = tuple(
        Tool(tool_id=f"t{i}", name=f"{a}_{b}", description=f"Does {a} with {b}.") for i, (a, b) in enumerate(pairs)
    )
    queries, used = [], []
    for _ in range(n_queries):
        chosen = int(rng.integers(len(tools)))
        a, b = pairs[chosen]
        queries.append(f"{a if rng.random() < 0.5 else b} please {a} number {int(rng.integers(50))}")
        used.append([f"t{chosen}"])
    return ToolRegistry(name="crowded", tools=tools), ToolUsage.of(queries, used)
