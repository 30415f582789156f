"""What a predictor may look at: the prompt, and what answering it requires."""

from catalog import record

from .thinking import Thinking
from .tokens import estimate_tokens

__all__ = ["Query"]


@record
class Query:
    """One request, before any model saw it.

    `text` is what the encoder reads. `input_tokens` estimates the whole request (all turns, tools and schemas),
    in reference tokens; whoever needs a model's own count applies its ratio (`predictors.cost.input_token_ratio`).
    """

    text: str
    input_tokens: int
    n_turns: int = 1
    tool_names: tuple[str, ...] = ()
    max_output_tokens: int | None = None  # what the caller allows
    n_answers: int = 1  # asked for at once: `n`, `best_of`, several prompts; forecasts of length are of one of them
    cached_tokens: int = 0  # how much of the input the session's model has likely cached
    thinking: Thinking | None = None  # what the request says of it; None where it says nothing
    needs: frozenset[str] = frozenset()  # what the request itself requires: of catalog.CAPABILITIES, or of a backend

    @classmethod
    def from_prompt(cls, prompt: str, *, max_output_tokens: int | None = None) -> "Query":
        """A single user turn, as benchmarks and the command line have it."""
        return cls(
            text=prompt,
            input_tokens=max(1, round(estimate_tokens(prompt))),
            max_output_tokens=max_output_tokens,
        )
