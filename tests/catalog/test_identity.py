import pytest

from catalog.identity import Identity, Release, model_key, next_version, owner_of, segments, silent_changes


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("anthropic/claude-3-5-sonnet-20241022", "claude-3.5-sonnet-20241022"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3.5-sonnet-20241022"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4.5-20250929"),
        ("claude-opus-4-0", "claude-opus-4"),
        ("gpt-4o-2024-08-06", "gpt-4o-20240806"),
        ("openrouter/openai/gpt-5:free", "gpt-5"),
        ("accounts/fireworks/models/llama-v3p1-70b-instruct", "llama-3.1-70b-instruct"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", "llama-3.1-70b-instruct"),
        ("meta.llama3-1-70b-instruct-v1:0", "llama-3.1-70b-instruct"),
        ("Qwen/Qwen-2.5-7B-Instruct", "qwen2.5-7b-instruct"),
        ("ministral-3:8b", "ministral-3-8b"),
        ("deepseek/DeepSeek-V3.2", "deepseek-v3.2"),
        ("grok-4-fast-non-reasoning", "grok-4-fast"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2-135m-instruct"),
    ],
)
def test_spellings_of_one_model_have_one_key(written: str, key: str) -> None:
    assert model_key(written) == key
    assert model_key(key) == key


def test_families_have_owners_and_strangers_have_none() -> None:
    assert owner_of("gpt-4o") == "openai"
    assert owner_of("qwen3-8b") == "qwen"
    assert owner_of("frobnicator-9") is None


def test_a_name_is_cut_into_the_published_kinds_of_segments() -> None:
    kinds = [(s.text, s.kind) for s in segments("meta-llama/Llama-3.1-8B-Instruct")]
    assert kinds == [
        ("Llama", "base-model"),
        ("3.1", "version"),
        ("8B", "size"),
        ("Instruct", "training-mechanism"),
    ]
    assert [s.kind for s in segments("gpt-4o-mini-20240718")] == [
        "base-model",
        "identifier",
        "variant-type",
        "creation-date",
    ]
    assert [s.kind for s in segments("someone/frob-squad2-german-v2.1")] == [
        "identifier",
        "dataset",
        "language",
        "version",
    ]


def test_a_changed_tokenizer_is_major_changed_weights_minor_and_changed_words_a_patch() -> None:
    now = Release(major=2, minor=3, patch=4)
    assert str(next_version(now, ["docs", "weights", "tokenizer"])) == "3.0.0"
    assert str(next_version(now, ["docs", "weights"])) == "2.4.0"
    assert str(next_version(now, ["config"])) == "2.3.5"
    assert next_version(now, []) == now


def test_the_same_name_with_other_weights_is_a_silent_change() -> None:
    was = [Identity(owner="acme", name="one", digest="aaa"), Identity(owner="acme", name="two")]
    now = [
        Identity(owner="acme", name="one", digest="bbb"),
        Identity(owner="acme", name="two", digest="ccc"),  # was unknown: accuses nobody
        Identity(owner="other", name="one", digest="ddd"),  # somebody else's
    ]
    (finding,) = silent_changes(was, now)
    assert (finding.was, finding.now) == ("aaa", "bbb")
    assert "acme/one changed silently" in str(finding)
