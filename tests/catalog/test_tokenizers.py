import pytest

from catalog import Catalog
from catalog.tokenizers import tokenizer_of, tokenizers


def test_llama_3_reads_english_as_cl100k_does_and_chinese_better() -> None:
    llama, reference = tokenizers()["llama-3"], tokenizers()["cl100k"]
    assert llama.bytes_per_token["english"] == reference.bytes_per_token["english"]  # its first 100k tokens are those
    assert llama.bytes_per_token["chinese"] > 1.3 * reference.bytes_per_token["chinese"]


def test_digits_one_by_one_cost_tokens() -> None:
    assert tokenizers()["qwen"].bytes_per_token["maths"] < tokenizers()["llama-3"].bytes_per_token["maths"]


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("meta-llama/llama-3.1-8b-instruct", "llama-3"),
        ("qwen/qwen3-8b", "qwen"),
        ("deepseek/deepseek-r1-distill-llama-70b", "llama-3"),
        ("deepseek/deepseek-v3", "deepseek-v3"),
        ("openai/gpt-4-0613", "cl100k"),
    ],
)
def test_a_family_has_its_tokenizer(model_id: str, name: str) -> None:
    found = tokenizer_of(model_id)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "model_id",
    ["openai/gpt-4o", "openai/gpt-4.1-mini", "openai/gpt-5", "anthropic/claude-opus-4.5", "qwen/qwen3.5-27b"],
)
def test_a_tokenizer_that_was_not_measured_is_not_guessed(model_id: str) -> None:
    assert tokenizer_of(model_id) is None


def test_shipped_profiles_hold_the_ratio_that_forecasts_of_cost_use() -> None:
    assert Catalog.load()["qwen/qwen3-8b"].tokens_per_char == pytest.approx(0.25 * 1.0382, abs=1e-4)
