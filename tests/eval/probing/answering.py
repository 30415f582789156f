"""An endpoint that answers by rule, and counts how often it was asked."""

from collections.abc import Callable

from eval.probing.endpoint import EndpointError, Reply, TokenScore


class Answering:
    def __init__(self, answer: Callable[[str], str], *, score: TokenScore | None = None) -> None:
        self.answer, self.score, self.asked = answer, score, 0

    def chat(self, prompt: str, *, max_tokens: int) -> Reply:
        self.asked += 1
        words = max_tokens if "long story" in prompt else 1
        # 0.1 s, a millisecond per input word and 20 ms per further output token
        seconds = 0.1 + 0.001 * len(prompt.split()) + 0.02 * (words - 1)
        return Reply(text=self.answer(prompt), input_tokens=len(prompt.split()), output_tokens=words, seconds=seconds)

    def score_text(self, text: str, *, max_tokens: int) -> TokenScore:
        self.asked += 1
        if self.score is None:
            raise EndpointError(url="nowhere", problem="gives no log-probabilities")
        return self.score
