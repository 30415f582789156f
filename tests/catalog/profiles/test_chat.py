import pytest

from catalog import Backend, Catalog, ModelProfile, answers_text
from catalog.profiles.chat import special_task

NOT_CHAT = {
    "qwen/qwen3-asr-flash": "speech recognition",
    "nvidia/nemotron-3-asr-streaming-0.6b": "speech recognition",
    "openai/gpt-4o-mini-tts": "speech synthesis",
    "openai/text-embedding-3-small": "embedding",
    "cohere/rerank-v3.5": "reranking",
    "meta-llama/llama-guard-4-12b": "moderation",
    "nvidia/nemotron-3-content-safety": "moderation",
    "google/gemini-2.5-flash-image": "image generation",
    "mistralai/mistral-ocr-latest": "text recognition",
    "openai/gpt-4o-realtime-preview": "realtime audio",
    "qwen/qwen-mt-plus": "translation",
}
CHAT = (
    "openai/gpt-5-mini",
    "qwen/qwen3-vl-8b-instruct",
    "acme/claudio-7b",  # holds the letters of audio
    "google/gemini-1.5-pro-001-safety-default",  # its filters at their defaults
    "nvidia/nemotron-3-nano-omni",
)


@pytest.mark.parametrize(("model_id", "task"), NOT_CHAT.items())
def test_a_model_made_for_another_task_is_known_by_the_words_of_its_name(model_id: str, task: str) -> None:
    told = special_task(model_id)
    assert told is not None
    assert told.name == task
    assert not answers_text(ModelProfile(id=model_id, name="x"))


@pytest.mark.parametrize("model_id", CHAT)
def test_a_chat_model_is_none_of_these(model_id: str) -> None:
    assert answers_text(ModelProfile(id=model_id, name="x"))


def test_stated_modalities_exclude_whatever_the_name_says() -> None:
    assert not answers_text(ModelProfile(id="a/b", name="b", modalities_in=frozenset({"audio"})))
    assert not answers_text(ModelProfile(id="a/b", name="b", modalities_out=frozenset({"image"})))


def test_a_pool_of_all_holds_only_models_that_answer_text_with_text() -> None:
    pool = Catalog.load().pool([], also=["all"])
    assert len(pool) > 1_000
    assert [i for i in pool.ids if any(f"-{word}-" in f"{i}-" for word in ("asr", "tts", "embedding", "guard"))] == []
    assert not {"qwen/qwen3-asr-flash", "nvidia/nemotron-3.5-asr-streaming-0.6b"} & set(pool.ids)


def test_whoever_spells_a_name_out_gets_that_model() -> None:
    known = Catalog.load()
    assert [p.id for p in known.match(["qwen3-asr-flash"])] == ["qwen/qwen3-asr-flash"]
    assert known.match(["qwen3-asr*"]) == ()
    assert len(known.match(["qwen3-asr*"], chat_only=False)) == 1


def test_an_operators_own_backend_stays_whatever_it_serves() -> None:
    known = Catalog.load()
    ours = Backend(id="b", profile_id="qwen/qwen3-asr-flash", kind="openai", provider="p", model_name="asr")
    assert known.pool([ours]).ids == ("qwen/qwen3-asr-flash",)
