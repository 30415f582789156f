import json
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken
from tiktoken.load import load_tiktoken_bpe

from catalog import Catalog
from catalog.compiled import SHIPPED
from catalog.structure.tokenizers import tokenizer_of, tokenizers


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
        ("openai/gpt-4-turbo", "cl100k"),
        ("openai/gpt-4o-mini", "o200k"),
        ("openai/gpt-4.1-nano", "o200k"),
        ("openai/gpt-5.2-codex", "o200k"),
        ("openai/o3-mini", "o200k"),
        ("openai/gpt-oss-120b", "o200k"),
        ("anthropic/claude-2.1", "claude-2"),
    ],
)
def test_a_family_has_its_tokenizer(model_id: str, name: str) -> None:
    found = tokenizer_of(model_id)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "model_id",
    ["anthropic/claude-3.5-sonnet", "anthropic/claude-opus-4.5", "google/gemini-2.5-pro", "qwen/qwen3.5-27b"],
)
def test_a_tokenizer_that_was_not_measured_is_not_guessed(model_id: str) -> None:
    assert tokenizer_of(model_id) is None


def test_shipped_profiles_hold_the_ratio_that_forecasts_of_cost_use() -> None:
    assert Catalog.load()["qwen/qwen3-8b"].tokens_per_char == pytest.approx(0.25 * 1.0382, abs=1e-4)


def test_o200k_is_counted_as_openais_own_library_counts_it() -> None:
    files = Path(find_spec("litellm").origin or "").parent / "litellm_core_utils" / "tokenizers"  # type: ignore[union-attr]
    ranks = load_tiktoken_bpe(str(files / "fb374d419588a4632f3f557e76b4b70aebbca790"))
    pattern = tomllib.loads((SHIPPED.parent / "tokenizers.toml").read_text(encoding="utf-8"))["o200k"]["pattern"]
    encoding = tiktoken.Encoding(name="o200k", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    hindi = json.loads((SHIPPED.parent / "tokenizer_text.json").read_text(encoding="utf-8"))["hindi"]
    counted = len(hindi.encode()) / len(encoding.encode_ordinary(hindi))
    assert tokenizers()["o200k"].bytes_per_token["hindi"] == pytest.approx(counted, abs=1e-4)


def test_the_newer_tokenizer_of_openai_reads_hindi_at_a_third_of_the_olds_tokens() -> None:
    new, old = tokenizers()["o200k"], tokenizers()["cl100k"]
    assert new.bytes_per_token["hindi"] > 3 * old.bytes_per_token["hindi"]
    assert new.tokens_of_reference == pytest.approx(1.0, abs=0.01)  # of English, code, maths and JSON they make as many
