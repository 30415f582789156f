"""Which model a name means: one canonical spelling, the segments a name is made of, and what changed between two.

A bare name identifies nothing: the same name has been served by different weights. Identity is the owner, the name
and a digest of the weights (or the provider's snapshot); two identities that differ only in the digest are a silent
change.

Source of the segments and of the need for our own versions: Ajibode et al., Towards Semantic Versioning of Open
Pre-trained Language Model Releases on Hugging Face, arXiv 2409.10472.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Change",
    "Identity",
    "Release",
    "Segment",
    "SegmentKind",
    "SilentChange",
    "family_of",
    "model_key",
    "next_version",
    "owner_of",
    "segments",
    "silent_changes",
]

SegmentKind = Literal[
    "identifier",
    "base-model",
    "size",
    "training-mechanism",
    "variant-type",
    "version",
    "description",
    "language",
    "dataset",
    "task",
    "others",
    "creation-date",
]
Change = Literal["base", "tokenizer", "chat_template", "context", "weights", "docs", "config"]
_MAJOR: frozenset[Change] = frozenset({"base", "tokenizer", "chat_template", "context"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a model's name and what it tells."""

    text: str
    kind: SegmentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a model is known by: `digest` is that of its weights or a provider's snapshot, None where unknown."""

    owner: str
    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Release:
    """Our own version of a profile, MAJOR.MINOR.PATCH, whatever its maker calls it."""

    major: int = 1
    minor: int = 0
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentChange:
    """The same name now stands for other weights."""

    owner: str
    name: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name} changed silently: {self.was} became {self.now}; measure it anew"


def next_version(current: Release, changes: Sequence[Change]) -> Release:
    """The version after these changes; no change, no new version.

    MAJOR: base model, tokenizer, chat template or context. MINOR: weights. PATCH: documentation or configuration.
    """
    if _MAJOR & set(changes):
        return Release(major=current.major + 1)
    if "weights" in changes:
        return Release(major=current.major, minor=current.minor + 1)
    if changes:
        return Release(major=current.major, minor=current.minor, patch=current.patch + 1)
    return current


def silent_changes(before: Sequence[Identity], now: Sequence[Identity]) -> tuple[SilentChange, ...]:
    """Names that kept but whose digest did not; an unknown digest accuses nobody."""
    known = {(identity.owner, identity.name): identity.digest for identity in before}
    return tuple(
        SilentChange(owner=i.owner, name=i.name, was=old, now=i.digest)
        for i in now
        if (old := known.get((i.owner, i.name))) is not None and i.digest is not None and i.digest != old
    )


def segments(name: str) -> tuple[Segment, ...]:
    """The segments of a model's name in the published types, in the order they stand.

    The part behind the owner is cut at `-`, `_` and spaces. Rules decide: a number with `b` or `m` is a size, eight
    digits or a month are a date, `v2` or `3.1` a version, known words name a mechanism, a variant, a task or a
    language; a known family is the base model, and what is left is the identifier.
    """
    pieces = [piece for piece in re.split(r"[-_\s]+", name.rpartition("/")[2]) if piece]
    return tuple(Segment(text=piece, kind=_kind(piece)) for piece in pieces)


def model_key(name: str) -> str:
    """The canonical spelling of a model's name: host, region, precision and wrapping cut off, versions with dots.

    `us.anthropic.claude-3-5-sonnet-20241022-v2:0` and `anthropic/claude-3.5-sonnet-20241022` have one key. Dates,
    sizes and variants stay, for they may be other weights.
    """
    key = name.strip().casefold().rpartition("/")[2]
    for pattern, replacement in _SPELLINGS:
        key = pattern.sub(replacement, key)
    return key.strip("-.")


def family_of(key: str) -> str | None:
    """The family that a name begins with, without version and size: `qwen2.5-72b-instruct` is a `qwen`."""
    found = re.match(r"[a-z]+(?:-[a-z]+)*?(?=[-.\d]|$)", key.casefold())
    return found[0] if found else None


def owner_of(key: str) -> str | None:
    """Who makes the models of this family, as OpenRouter spells owners; None for a family we do not know."""
    return next((owner for pattern, owner in _OWNERS if pattern.match(key)), None)


_HOSTS = r"ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot\w*|nvidia|openai|qwen|writer|zai"
_DOTTED = (
    "qwen|kimi-k|glm-|minimax-m|deepseek-v|deepseek-r|gpt-|grok-|mimo-v|doubao-seed-|seed-|claude-[a-z]+-|ernie-|nova-"
)
_UNKEYED = "claude|grok|deepseek-v|glm-[45]|gemini-[23]|gpt-5"  # families whose effort or thinking is a setting
_PUBLISHERS = "openai|google|anthropic|xai|zai|xiaomi|meta|databricks|deepseek-ai"
_FAMILIES = r"gpt|o\d|gemma|gemini|claude|grok|glm|mimo|(?:meta-)?llama|deepseek"
_SPELLINGS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^(us-gov|us|eu|apac|au|jp|ca|global)\.(?=[a-z0-9]+\.)", ""),  # Bedrock's regions
        (rf"^(?:{_HOSTS})\.(?=[a-z])", ""),  # Bedrock's publishers
        (r"[\s_]+", "-"),
        (
            rf"^(?:{_PUBLISHERS})-(?={_FAMILIES})",
            "",
        ),
        (r"^meta-(?=llama)", ""),
        (r"@(?=\d{8})", "-"),  # Vertex's dates
        (r"@[a-z]+$", ""),
        (r"-v\d+:\d+(?::\d+k)?$", ""),  # Bedrock's revisions
        (r"(?<=-\d{8})-v\d$", ""),
        (r":(?=\d+(?:\.\d+)?[bm](?:-|$))", "-"),  # Ollama's sizes
        (r":[a-z0-9.]+$", ""),  # :free, :latest, :0
        (r"(?<=\d)p(?=\d)", "."),  # Fireworks' llama-v3p1
        (r"^llama-v(?=\d)", "llama-"),
        (r"-(\d{4})-(\d\d)-(\d\d)(?!\d)", r"-\1\2\3"),
        (r"^(llama|gemma)(?=\d)", r"\1-"),
        (r"^qwen-(?=\d)", "qwen"),
        (r"(?<=^llama-\d)-(?=\d-\d+b)", "."),
        (r"^claude-(\d)-(\d)-(?=[a-z])", r"claude-\1.\2-"),
        (rf"^((?:{_DOTTED})\d)-0(?=-|$)", r"\1"),
        (rf"^((?:{_DOTTED})\d)-(\d)(?=-|$)", r"\1.\2"),
        (r"-(?:fp4|fp8|fp8-throughput|bf16|nvfp4|mxfp4|int4|int8|awq|gptq|maas|tee|original|hf)$", ""),
        (r"-instruct-(?:turbo|lite|maas|fast|hf|reference)$", "-instruct"),
        (rf"^((?:{_UNKEYED}).*?)-(?:non-)?(?:thinking|reasoning)$", r"\1"),
    )
)
_OWNERS = tuple(
    (re.compile(pattern), owner)
    for pattern, owner in (
        (r"(?:gpt-|chatgpt|o[134](?:-|$)|codex|davinci|babbage|text-davinci|computer-use)", "openai"),
        (r"claude", "anthropic"),
        (r"(?:gemini|gemma|palm|bison|text-bison|codegemma|medgemma|shieldgemma|t5gemma|recurrentgemma)", "google"),
        (r"(?:code-?llama|llama-?guard|llama|muse-)(?!.*nemotron)", "meta-llama"),
        (
            r"(?:(?:open-)?mi[sx]tral|codestral|ministral|magistral|devstral|pixtral|voxtral|mathstral|leanstral)",
            "mistralai",
        ),
        (r"(?:qwen|qwq|qvq|codeqwen|tongyi)", "qwen"),
        (r"deepseek", "deepseek"),
        (r"grok", "x-ai"),
        (r"(?:kimi|moonshot|moonlight)", "moonshotai"),
        (r"(?:glm|chatglm|codegeex)", "z-ai"),
        (r"(?:minimax|abab)", "minimax"),
        (r"(?:command|c4ai|aya|north-)", "cohere"),
        (r"nova-", "amazon"),
        (r"titan-", "amazon"),
        (r"(?:phi-|mai-ds|wizardlm)", "microsoft"),
        (r".*nemotron", "nvidia"),
        (r"(?:jamba|j2-|j1-|jurassic)", "ai21"),
        (r"(?:granite)", "ibm-granite"),
        (r"(?:olmo|tulu|molmo)", "allenai"),
        (r"smollm", "huggingfacetb"),
        (r"sonar", "perplexity"),
        (r"yi-", "01-ai"),
        (r"(?:hermes|nous|openhermes|deephermes)", "nousresearch"),
        (r"internlm|intern-", "internlm"),
        (r"(?:lfm|lfm2)", "liquid"),
        (r"(?:ernie)", "baidu"),
        (r"(?:seed-|doubao|ui-tars)", "bytedance-seed"),
        (r"(?:hunyuan|hy3|hy-)", "tencent"),
        (r"mimo", "xiaomi"),
        (r"step-", "stepfun"),
        (r"(?:ling-|ring-)", "inclusionai"),
        (r"(?:mercury)", "inception"),
        (r"(?:reka)", "rekaai"),
        (r"(?:palmyra)", "writer"),
        (r"(?:solar)", "upstage"),
        (r"exaone|k-exaone", "lgai-exaone"),
        (r"falcon", "tiiuae"),
        (r"(?:starling)", "berkeley-nest"),
        (r"(?:zephyr|starchat)", "huggingfaceh4"),
        (r"(?:vicuna|fastchat|longchat)", "lmsys"),
        (r"dbrx|dolly", "databricks"),
        (r"(?:alpaca)", "tatsu-lab"),
        (r"(?:openchat)", "openchat"),
        (r"(?:athene)", "nexusflow"),
        (r"baichuan", "baichuan-inc"),
        (r"snowflake|arctic", "snowflake"),
        (r"(?:pythia|gpt-j|gpt-neox)", "eleutherai"),
        (r"mpt-", "mosaicml"),
        (r"(?:koala)", "berkeley"),
        (r"(?:stablelm|stable-|japanese-stablelm)", "stabilityai"),
        (r"(?:dolphin)", "cognitivecomputations"),
        (r"(?:guanaco)", "timdettmers"),
        (r"(?:oasst|openassistant)", "openassistant"),
        (r"(?:rwkv)", "blinkdl"),
        (r"(?:xlam)", "salesforce"),
        (r"(?:trinity|afm-|virtuoso|coder-large|maestro|spotlight)", "arcee-ai"),
        (r"(?:longcat)", "meituan"),
        (r"(?:apertus)", "swiss-ai"),
    )
)
_MECHANISMS = frozenset(
    {
        "instruct",
        "chat",
        "it",
        "sft",
        "dpo",
        "ppo",
        "rlhf",
        "orpo",
        "base",
        "pt",
        "lora",
        "distill",
        "rl",
        "kto",
        "grpo",
    }
)
_VARIANTS = frozenset(
    {
        "mini",
        "nano",
        "small",
        "medium",
        "large",
        "lite",
        "flash",
        "pro",
        "turbo",
        "haiku",
        "sonnet",
        "opus",
        "max",
        "plus",
        "ultra",
        "tiny",
        "xl",
        "xxl",
        "fast",
        "gguf",
        "awq",
        "gptq",
        "fp8",
        "int4",
        "int8",
        "quantized",
        "4bit",
        "8bit",
        "cased",
        "uncased",
    }
)
_TASKS = frozenset(
    {
        "code",
        "coder",
        "math",
        "vision",
        "vl",
        "embed",
        "embedding",
        "rerank",
        "reward",
        "guard",
        "summarization",
        "translation",
        "qa",
        "ner",
        "classification",
        "reasoning",
        "thinking",
        "audio",
        "tts",
        "ocr",
    }
)
_LANGUAGES = frozenset(
    {
        "en",
        "english",
        "zh",
        "chinese",
        "de",
        "german",
        "fr",
        "french",
        "es",
        "spanish",
        "ja",
        "japanese",
        "ko",
        "korean",
        "ar",
        "arabic",
        "ru",
        "multilingual",
    }
)
_DATASETS = frozenset(
    {
        "squad",
        "squad2",
        "alpaca",
        "ultrachat",
        "ultrafeedback",
        "mnli",
        "sst2",
        "imdb",
        "conll03",
        "wikitext",
        "c4",
        "pile",
        "slimorca",
        "gsm8k",
    }
)
_DESCRIPTIONS = frozenset(
    {"preview", "exp", "experimental", "latest", "test", "model", "finetuned", "demo", "my", "final", "beta", "alpha"}
)
_WORDS: tuple[tuple[frozenset[str], SegmentKind], ...] = (
    (_MECHANISMS, "training-mechanism"),
    (_VARIANTS, "variant-type"),
    (_TASKS, "task"),
    (_LANGUAGES, "language"),
    (_DATASETS, "dataset"),
    (_DESCRIPTIONS, "description"),
)
_FAMILY = re.compile(
    r"(?:bert|roberta|distilbert|gpt|gpt2|t5|bart|llama|codellama|mistral|mixtral|qwen|gemma|phi|falcon|bloom|opt|"
    r"claude|gemini|deepseek|grok|glm|kimi|smollm|yi|wav2vec2|whisper|vit|electra|albert|xlm|command|olmo)[\d.]*"
)
_SHAPES: tuple[tuple[re.Pattern[str], SegmentKind], ...] = (
    (re.compile(r"(?:\d+x)?a?\d+(?:[.p]\d+)?[bm]"), "size"),
    (re.compile(r"(?:19|20)\d{6}|(?:19|20)\d{4}|[01]\d[0-3]\d|2[3-9](?:0[1-9]|1[0-2])"), "creation-date"),
    (re.compile(r"v\d+(?:[._]\d+)*|\d+(?:\.\d+)+|\d"), "version"),
)


def _kind(piece: str) -> SegmentKind:
    text = piece.casefold()
    for shape, kind in _SHAPES:
        if shape.fullmatch(text):
            return kind
    for words, kind in _WORDS:
        if text in words:
            return kind
    if _FAMILY.fullmatch(text):
        return "base-model"
    return "others" if not re.search(r"[a-z]", text) else "identifier"
