"""Build the catalog that ships, from litellm's price map and tables of public metadata and benchmark scores.

    python -m catalog.compile --data DIR

DIR holds `catalog/{models,benchmarks,routing_names}.parquet` and `routing/*/models.parquet`. Only sources whose
licence allows it are read; `SOURCES` names them. The same input gives the same bytes.
"""

import argparse
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .capability.ability import Score, estimate_abilities
from .chat import special_task
from .compiled import SHIPPED, pack
from .derived import with_derived
from .errors import ParetoGateError
from .finding import Finding
from .identity import family_of, owner_of
from .importers.litellm_prices import SOURCE, PriceMap, read_price_map
from .importers.overlay import read_overlay
from .list_price import MAKERS, makers_offers, makers_price, middle_price
from .merge import merge_profiles
from .offer import Offer
from .price import Price
from .profile import Ability, ModelProfile
from .provenance import Provenance, Trust
from .sizes import NamedSize, settled_size
from .tokenizers import tokenizer_of

__all__ = ["ABILITY_LEFT_OUT", "ABILITY_SOURCES", "SOURCES", "Compilation", "compile_catalog", "main", "read_scores"]

SOURCES = (
    "models.dev",
    "llm-stats",
    "helm",
    "inspect_ai",
    "epoch",
)  # of metadata; MIT, CC BY 4.0, Apache-2.0, MIT, MIT
ABILITY_SOURCES = ("epoch", "llm-stats", "bfcl", "aider", "wildbench", "arena_hard", "models.dev", "every_eval_ever/*")
ABILITY_LEFT_OUT = (  # aggregates of tests that count by themselves, tests of sight, of judging, and of refusing
    "*_overall", "*mean_score", "*mean_win_rate", "*index*", "reward_bench_*", "*_relevance", "*_irrelevance",
    "*civilcomments", "*imdb", "*ms_marco*", "*xsum", "*cnn_dailymail", "wildbench_*reward*", "mmmu*", "chartqa",
    "docvqa", "ai2d", "textvqa", "mathvista", "*vpct", "livebench", "*lambada", "*balrog", "*metr",
)  # fmt: skip
_PERMISSIVE_ROUTING = ("routellm", "mmlu_pro", "zeroeval", "llmrouter", "arena_bench_v1")
_MAKER_PROVIDERS = {
    "openai": "openai", "anthropic": "anthropic", "google": "google", "mistral": "mistralai", "xai": "x-ai",
    "deepseek": "deepseek", "alibaba": "qwen", "moonshotai": "moonshotai", "zai": "z-ai", "minimax": "minimax",
    "cohere": "cohere", "perplexity": "perplexity", "llama": "meta-llama", "nvidia": "nvidia", "xiaomi": "xiaomi",
    "inception": "inception", "upstage": "upstage", "stepfun": "stepfun",
}  # fmt: skip
_OUR_PROVIDER = {
    "openrouter": "openrouter", "groq": "groq", "cerebras": "cerebras", "togetherai": "together_ai",
    "fireworks-ai": "fireworks_ai", "google": "gemini", "xai": "xai", "mistral": "mistral", "deepseek": "deepseek",
    "deepinfra": "deepinfra", "nebius": "nebius", "novita-ai": "novita", "moonshotai": "moonshot", "zai": "zai",
    "minimax": "minimax", "anthropic": "anthropic", "perplexity": "perplexity",
    "cohere": "cohere", "amazon-bedrock": "bedrock", "azure": "azure", "google-vertex": "vertex_ai",
}  # fmt: skip
_NOT_CHAT = re.compile(
    r"embed|rerank|whisper|tts|image|imagen|veo|lyria|dall-e|sora|flux|moderation|transcribe|realtime|-ocr|ocr-|"
    r"speech|audio|guard|safeguard|-live|stable-diffusion|deep-research|search-preview|search-api|nemoretriever|"
    r"-dspy-|-reward|parakeet|music|video|voxtral|wan2|kling|robotics|computer-use"
)
_LICENSES = {
    "apache_2_0": "Apache-2.0", "mit": "MIT", "MIT": "MIT", "proprietary": "proprietary", "gemma": "Gemma",
    "llama_3_1_community_license": "Llama-3.1", "llama_3_2_community_license": "Llama-3.2", "llama3_2": "Llama-3.2",
    "llama_3_3_community_license_agreement": "Llama-3.3", "llama_4_community_license_agreement": "Llama-4",
    "deepseek": "DeepSeek", "mistral_research_license": "MRL", "tongyi_qianwen": "Qwen", "qwen": "Qwen",
    "cc_by_nc": "CC-BY-NC-4.0", "creative_commons_attribution_4_0_license": "CC-BY-4.0",
    "jamba_open_model_license": "Jamba-Open", "nvidia_open_model_license_agreement": "NVIDIA-Open-Model",
    "mit_+_model_license_(commercial_use_allowed)": "MIT", "mnpl_0_1": "MNPL-0.1",
}  # fmt: skip
_REFERENCE_TOKENS_PER_CHAR = 0.25  # of cl100k, which the predictors' own count imitates
_ONE_SNAPSHOT = timedelta(days=60)
_NAMED = Provenance(source="estimated from the words of the name", trust=Trust.INFERRED)
_ABILITY = Provenance(source="our factor model over public benchmarks", trust=Trust.INFERRED)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """Everything a compiled catalog holds, before it is packed."""

    profiles: tuple[ModelProfile, ...]
    offers: Mapping[str, tuple[Offer, ...]]  # by profile id
    routing: Mapping[str, Mapping[str, str]]
    findings: tuple[Finding, ...] = ()  # what sources stated and was not believed


def compile_catalog(
    data: Path,
    *,
    prices: PriceMap,
    curated: Iterable[ModelProfile] = (),
    exclude: Sequence[str] = (),
    ability_sources: Sequence[str] = ABILITY_SOURCES,
) -> Compilation:
    """Join every source into one catalog.

    Args:
        data: the folder of the tables.
        prices: litellm's price map.
        curated: profiles stated by hand, above every table.
        exclude: patterns of benchmarks that abilities must not have seen, for whoever predicts these.
        ability_sources: whose scores abilities are computed from; more than the default must not ship.

    Raises:
        ImportFailedError: a table is absent.
    """
    routing_rows = _routing_rows(data)
    sizes = _routing_sizes(data)
    rows = _rows_by_key(data, wanted={row["model_key"] for row in routing_rows})
    same = _same_weights(rows)
    joined = _joined(rows, same)
    scores = read_scores(data, sources=ability_sources)
    abilities = estimate_abilities(
        [replace(score, model=same.get(score.model, score.model)) for score in scores],
        exclude=(*ABILITY_LEFT_OUT, *exclude),
    )
    siblings = _siblings(data)
    for row in routing_rows:
        joined.setdefault(str(same.get(row["model_key"], row["model_key"])), [])
    keys = sorted({*joined, *(k for k in prices.offers if _sold_by_its_maker(prices.offers[k]) and k not in same)})
    profiles: dict[str, ModelProfile] = {}
    offers: dict[str, tuple[Offer, ...]] = {}
    ids: dict[str, str] = {}
    refused: list[Finding] = []
    bases = _bases(data)
    spellings = _spellings(same)
    for key in keys:
        owner = owner_of(key) or _stated_owner(joined.get(key, ()))
        sold = _offers(key, joined.get(key, ()), prices, spellings.get(key, ()), owner=owner or "community")
        if owner is None and not any(row["model_key"] == key for row in routing_rows):
            continue
        profile = _profile(key, owner or "community", joined.get(key, ()), sold, aliases=spellings.get(key, ()))
        profile = _with_tokenizer(_with_size(profile, joined.get(key, ()), sizes.get(key), refused))
        profiles[profile.id] = _with_ability(profile, abilities.get(_best_measured(key, abilities, siblings), {}))
        offers[profile.id] = sold
        ids[key] = profile.id
    for profile in curated:
        known = profiles.get(profile.id)
        profiles[profile.id] = merge_profiles(known, profile) if known else profile
    routing: dict[str, dict[str, str]] = {}
    for row in routing_rows:
        key = str(same.get(row["model_key"], row["model_key"]))
        if key in ids:
            routing.setdefault(row["dataset"], {})[row["model"]] = ids[key]
    linked = [_with_lineage(profile, bases, profiles.keys()) for profile in profiles.values()]
    return Compilation(
        profiles=with_derived(linked, as_of=_newest(joined)), offers=offers, routing=routing, findings=tuple(refused)
    )


def read_scores(data: Path, *, sources: Sequence[str] = ABILITY_SOURCES) -> list[Score]:
    """The benchmark scores that abilities may be computed from, models by key."""
    import polars as pl  # noqa: PLC0415 - only the compile step reads tables

    table = pl.read_parquet(data / "catalog" / "benchmarks.parquet").filter(
        (
            pl.col("source").is_in([s for s in sources if "*" not in s])
            | pl.col("source").str.starts_with("every_eval_ever/")
        )
        & ~pl.col("metric").str.contains("elo")
        & pl.col("score").is_between(0, 1)
    )
    return [
        Score(model=key, benchmark=benchmark, score=score, n=n, self_reported=bool(claimed))
        for key, benchmark, score, n, claimed in table.select(
            "model_key", "benchmark", "score", "n", "self_reported"
        ).rows()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Rebuild the shipped catalog."""
    parser = argparse.ArgumentParser(prog="python -m catalog.compile", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with catalog/ and routing/")
    parser.add_argument("--prices", type=Path, help="a litellm price map; default: the installed litellm's")
    parser.add_argument("--out", type=Path, default=SHIPPED, help=f"default: {SHIPPED.name} inside the package")
    parser.add_argument("--exclude", nargs="*", default=[], help="patterns of benchmarks that abilities must not see")
    args = parser.parse_args(argv)
    try:
        prices = read_price_map(args.prices)
        built = compile_catalog(args.data, prices=prices, curated=_curated(), exclude=args.exclude)
    except ParetoGateError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    for finding in (*prices.findings, *built.findings):
        sys.stderr.write(f"left out: {finding}\n")
    args.out.write_bytes(pack(built.profiles, offers=built.offers, routing=built.routing))
    priced = sum(profile.price is not None for profile in built.profiles)
    able = sum(bool(profile.ability) for profile in built.profiles)
    sys.stderr.write(f"{len(built.profiles)} models, {priced} priced, {able} with an ability, to {args.out}\n")
    return 0


def _curated() -> tuple[ModelProfile, ...]:
    """What is stated by hand, each value from the model's own card."""
    card = Provenance(source="the model's own card", trust=Trust.LINKED)
    return tuple(
        replace(
            profile,
            provenance=MappingProxyType(
                {
                    name: Provenance(source="runs on the user's own machine", trust=Trust.OPERATOR)
                    if name == "price"
                    else card
                    for name in profile.provenance
                }
            ),
        )
        for profile in read_overlay(SHIPPED.parent / "curated.toml")
    )


def _routing_rows(data: Path) -> list[Row]:
    import polars as pl  # noqa: PLC0415

    table = pl.read_parquet(data / "catalog" / "routing_names.parquet")
    return [
        row
        for row in table.sort("dataset", "model").to_dicts()
        if row["dataset"] in _PERMISSIVE_ROUTING or row["has_params"] or row["has_price"]
    ]


def _routing_sizes(data: Path) -> dict[str, float]:
    import polars as pl  # noqa: PLC0415

    names = pl.read_parquet(data / "catalog" / "routing_names.parquet").select("dataset", "model", "model_key").rows()
    key_of = {(dataset, model): key for dataset, model, key in names}
    sizes: dict[str, float] = {}
    for dataset in _PERMISSIVE_ROUTING:
        path = data / "routing" / dataset / "models.parquet"
        for model, params_b in pl.read_parquet(path).select("model", "params_b").rows():
            if params_b and (dataset, model) in key_of:
                sizes.setdefault(key_of[dataset, model], float(params_b))
    return sizes


def _rows_by_key(data: Path, *, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the allowed sources, best source first, for the chat models worth a profile."""
    import polars as pl  # noqa: PLC0415

    table = pl.read_parquet(data / "catalog" / "models.parquet").filter(pl.col("source").is_in(SOURCES))
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in table.sort("source", "provider", "model_id").to_dicts():
        text_out = row["modalities_out"] is None or "text" in row["modalities_out"].split(",")
        if row["model_key"] and text_out and not _NOT_CHAT.search(row["model_key"]):
            grouped.setdefault(row["model_key"], []).append(row)
    for rows in grouped.values():
        rows.sort(key=_rank)
    return {key: rows for key, rows in grouped.items() if key in wanted or _notable(rows)}


def _rank(row: Row) -> int:
    if row["source"] != "models.dev":
        return 2 + SOURCES.index(row["source"])
    if row["provider"].startswith("(base)/"):
        return 0
    return 1 if row["provider"] in _MAKER_PROVIDERS else 9


def _notable(rows: Sequence[Row]) -> bool:
    """Listed by its maker or by a registry; or sold by two hosts, so that it is no one-off."""
    return any(_rank(row) < 9 for row in rows) or len({row["provider"] for row in rows}) >= 2


def _same_weights(rows: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Dated key -> undated key, where the undated name has had one snapshot: all dates within two months."""
    dated: dict[str, dict[str, date]] = {}
    for key in rows:
        base, _, day = key.rpartition("-")
        if re.fullmatch(r"20\d{6}", day) and base in rows:
            snapshot = _day(f"{day[:4]}-{day[4:6]}-{day[6:]}")
            if snapshot is not None:
                dated.setdefault(base, {})[key] = snapshot
    return {
        key: base
        for base, snapshots in dated.items()
        if max(snapshots.values()) - min(snapshots.values()) <= _ONE_SNAPSHOT
        for key in snapshots
    }


def _joined(rows: Mapping[str, Sequence[Row]], same: Mapping[str, str]) -> dict[str, list[Row]]:
    joined: dict[str, list[Row]] = {}
    for key, found in rows.items():
        joined.setdefault(same.get(key, key), []).extend(found)
    for found in joined.values():
        found.sort(key=_rank)
    return joined


def _spellings(same: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    spellings: dict[str, tuple[str, ...]] = {}
    for dated, base in same.items():
        spellings[base] = (*spellings.get(base, ()), dated)
    return spellings


def _sold_by_its_maker(offers: Sequence[Offer]) -> bool:
    return any(
        offer.provider in MAKERS.get(offer.profile_id.partition("/")[0], ())
        and not _NOT_CHAT.search(offer.profile_id)
        and offer.price is not None
        for offer in offers
    )


def _stated_owner(rows: Sequence[Row]) -> str | None:
    """The owner in the names by which routers sell it: `owner/name`."""
    for row in rows:
        if row["source"] == "models.dev" and row["provider"] in {"openrouter", "vercel", "kilo"}:
            owner = str(row["model_id"]).casefold().partition("/")[0]
            if owner and owner != row["model_id"].casefold():
                return owner.lstrip("~")
    return None


def _offers(key: str, rows: Sequence[Row], prices: PriceMap, others: Sequence[str], *, owner: str) -> tuple[Offer, ...]:
    found: dict[tuple[str, str], Offer] = {}
    for spelling in (key, *others):
        for offer in prices.offers.get(spelling, ()):
            if offer.price is not None:
                found.setdefault((offer.provider, offer.model_name), offer)
    for row in rows:
        provider = _OUR_PROVIDER.get(row["provider"]) if row["source"] == "models.dev" else None
        price = _row_price(row)
        if (
            provider is None
            or price is None
            or (provider, row["model_id"]) in found
            or row["model_id"][0] == "~"
            or ":" in row["model_id"]
        ):
            continue
        found[provider, row["model_id"]] = Offer(
            profile_id="",
            provider=provider,
            model_name=row["model_id"],
            price=price,
            context_tokens=row["context"] or None,
            max_output_tokens=row["max_output"] or None,
            capabilities=frozenset({"streaming", *_can([row])}),
            retires=_day(row["source_date"]) if row["status"] == "deprecated" else None,
            source="models.dev",
        )
    return tuple(replace(found[at], profile_id=f"{owner}/{key}") for at in sorted(found))


def _profile(
    key: str, owner: str, rows: Sequence[Row], sold: Sequence[Offer], *, aliases: Sequence[str]
) -> ModelProfile:
    model_id = f"{owner}/{key}"
    facts: dict[str, Any] = {}
    sources: dict[str, Provenance] = {}

    def state(field: str, value: Any, source: Provenance) -> None:  # noqa: ANN401 - the fields differ in kind
        if value is not None and field not in facts:
            facts[field], sources[field] = value, source

    for row in rows:
        source = _source(row)
        trusted = _rank(row) < 9
        if trusted:
            state("released", _day(row["release_date"]), source)
            state("knowledge_cutoff", _day(row["knowledge_cutoff"]), source)
            state("license", _LICENSES.get(row["licence"] or ""), source)
        state("family", row["family"] if row["source"] == "models.dev" else None, source)
        state("open_weights", row["open_weights"] or None, source)
        state("list_price", _row_price(row) if _rank(row) < 2 else None, source)
        state("context_tokens", row["context"] or None, source)
        state("max_output_tokens", row["max_output"] or None, source)
        state("modalities_in", frozenset(row["modalities_in"].split(",")) if row["modalities_in"] else None, source)
        state("modalities_out", frozenset(row["modalities_out"].split(",")) if row["modalities_out"] else None, source)
    for row in rows:
        state("open_weights", row["open_weights"] if _rank(row) < 9 else None, _source(row))
        state("released", _day(row["release_date"]), _source(row))
    state("family", family_of(key), _NAMED)
    listed, listed_by = facts.pop("list_price", None), sources.pop("list_price", None)
    _state_from_offers(state, owner, sold, listed=(listed, listed_by))
    _state_capabilities(state, owner, rows, sold)
    _agree_on_senses(key, facts, sources)
    if facts.get("open_weights") is False:
        state("license", "proprietary", sources["open_weights"])
    name = next((row["name"] for row in rows if row["name"] and _rank(row) < 9), None) or key
    provenance = {field: source for field, source in sources.items() if facts.get(field) is not None}
    return ModelProfile(
        id=model_id, name=name, aliases=tuple(aliases), provenance=MappingProxyType(provenance), **facts
    )


def _state_from_offers(
    state: Any,  # noqa: ANN401 - a closure of _profile
    owner: str,
    sold: Sequence[Offer],
    *,
    listed: tuple[Price | None, Provenance | None],
) -> None:
    for found in (makers_price(owner, sold), listed, middle_price(sold)):
        if found is not None:
            state("price", *found)
    source = Provenance(source=SOURCE, trust=Trust.LINKED)
    for offer in makers_offers(owner, sold) or sold:
        state("context_tokens", offer.context_tokens, source)
        state("max_output_tokens", offer.max_output_tokens, source)


def _state_capabilities(state: Any, owner: str, rows: Sequence[Row], sold: Sequence[Offer]) -> None:  # noqa: ANN401
    """What its maker says it can do; where only hosts speak, what most of them say."""
    near = [row for row in rows if _rank(row) < 2 and row["source"] == "models.dev"]
    own = [offer for offer in sold if offer.provider in MAKERS.get(owner, ()) and offer.source == SOURCE]
    said = {"streaming", *_can(near), *(ability for offer in own for ability in offer.capabilities)}
    if near or own:
        source = _source(near[0]) if near else Provenance(source=SOURCE, trust=Trust.LINKED)
        state("capabilities", frozenset(said), source)
        return
    votes = [_can([row]) for row in rows if row["source"] == "models.dev"] + [set(o.capabilities) for o in sold]
    if votes:
        agreed = {a for vote in votes for a in vote if 2 * sum(a in v for v in votes) >= len(votes)}
        state(
            "capabilities",
            frozenset({"streaming", *agreed}),
            Provenance(source="most hosts", trust=Trust.SELF_REPORTED),
        )


def _can(rows: Iterable[Row]) -> set[str]:
    can: set[str] = set()
    for row in rows:
        modalities = (row["modalities_in"] or "").split(",")
        told = {
            "tools": row["tool_call"],
            "reasoning": row["reasoning"],
            "json_schema": row["structured_output"],
            "vision": "image" in modalities,
            "audio": "audio" in modalities,
        }
        can |= {ability for ability, yes in told.items() if yes}
    return can


def _newest(joined: Mapping[str, Sequence[Row]]) -> date | None:
    """The day of the newest source: the `today` of what ships."""
    days = (_day(row["source_date"]) for rows in joined.values() for row in rows)
    return max((day for day in days if day), default=None)


def _siblings(data: Path) -> dict[str, tuple[str, ...]]:
    """Key -> keys of the same base: other dates and previews of one model."""
    import polars as pl  # noqa: PLC0415

    table = pl.read_parquet(data / "catalog" / "benchmarks.parquet").select("model_key", "model_base").unique()
    of_base: dict[str, list[str]] = {}
    for key, base in sorted(table.rows()):
        of_base.setdefault(base, []).append(key)
    siblings = {key: tuple(keys) for keys in of_base.values() for key in keys}
    return siblings | {base: tuple(keys) for base, keys in of_base.items()}


def _best_measured(
    key: str, abilities: Mapping[str, Mapping[str, Ability]], siblings: Mapping[str, Sequence[str]]
) -> str:
    """The key itself where it has benchmarks of its own; else the snapshot or preview of it that has the most.

    A dated snapshot never borrows: people name it because it differs.
    """
    if re.search(r"-\d{4,8}$", key):
        return key
    measured = [sibling for sibling in (key, *siblings.get(key, ())) if sibling in abilities]
    if key in abilities and abilities[key]["general"].n_benchmarks >= 5:
        return key
    return max(measured, key=lambda k: (abilities[k]["general"].n_benchmarks, k), default=key)


def _with_size(
    profile: ModelProfile, rows: Sequence[Row], params_b: float | None, refused: list[Finding]
) -> ModelProfile:
    """The profile with a settled size; what sources stated and was not believed becomes a finding."""
    stated = [row for row in rows if row["params_source"] == "source" and _rank(row) < 9]
    total = [(size, _source(row)) for row in stated if (size := _positive(row["params_total_b"]))]
    if params_b is not None:
        total.append((params_b, Provenance(source="routing data: models table", trust=Trust.SELF_REPORTED)))
    active = [(size, _source(row)) for row in stated if (size := _positive(row["params_active_b"]))]
    key = profile.id.partition("/")[2]
    settled = settled_size(key, total=total, active=active, read_elsewhere=_read_off(rows))
    problem = (
        f"; taken as {settled.total_b:g}B, {settled.total_from.source}"
        if settled.total_b and settled.total_from
        else ""
    )
    refused.extend(
        Finding(file="models.parquet", entry=profile.id, field="params_total_b", problem=claim + problem)
        for claim in dict.fromkeys(settled.refused)
    )
    sources = {"params_total_b": settled.total_from, "params_active_b": settled.active_from}
    known = {name: source for name, source in sources.items() if source is not None}
    return replace(
        profile,
        params_total_b=settled.total_b,
        params_active_b=settled.active_b,
        provenance=MappingProxyType({**profile.provenance, **known}),
    )


def _read_off(rows: Sequence[Row]) -> NamedSize | None:
    read = [row for row in rows if row["params_source"] == "name"]
    total = next((size for row in read if (size := _positive(row["params_total_b"]))), None)
    active = next((size for row in read if (size := _positive(row["params_active_b"]))), None)
    return NamedSize(total_b=total, active_b=active) if total or active else None


def _with_tokenizer(profile: ModelProfile) -> ModelProfile:
    tokenizer = tokenizer_of(profile.id)
    if tokenizer is None:
        return profile
    source = Provenance(source=f"files of {tokenizer.measured_from}, by family", trust=Trust.INFERRED)
    return replace(
        profile,
        tokenizer=tokenizer.name,
        tokens_per_char=round(tokenizer.tokens_of_reference * _REFERENCE_TOKENS_PER_CHAR, 4),
        provenance=MappingProxyType({**profile.provenance, "tokenizer": source, "tokens_per_char": source}),
    )


def _with_lineage(profile: ModelProfile, bases: Mapping[str, str], known: Collection[str]) -> ModelProfile:
    """A dated release or a preview, linked to the undated name that it was released under where that has a profile."""
    base = f"{profile.owner}/{bases.get(profile.id.partition('/')[2], '')}"
    if base == profile.id or base not in known:
        return profile
    return replace(
        profile, snapshot_of=base, provenance=MappingProxyType({**profile.provenance, "snapshot_of": _NAMED})
    )


def _bases(data: Path) -> dict[str, str]:
    """Key -> the same without its date, as the tables have it."""
    import polars as pl  # noqa: PLC0415

    bases: dict[str, str] = {}
    for table in ("benchmarks", "models", "routing_names"):
        rows = pl.read_parquet(data / "catalog" / f"{table}.parquet").select("model_key", "model_base").unique()
        bases |= {key: base for key, base in sorted(rows.drop_nulls().rows()) if key != base}
    return bases


def _agree_on_senses(key: str, facts: dict[str, Any], sources: dict[str, Provenance]) -> None:
    """What a model takes in and what it can do must tell the same: sources state one, the other, or both."""
    if task := special_task(key):
        facts.update(modalities_in=task.modalities_in, modalities_out=task.modalities_out)
        sources.update(modalities_in=_NAMED, modalities_out=_NAMED)
        return
    takes = set(facts.get("modalities_in", {"text"}))
    can = set(facts.get("capabilities", {"streaming"}))
    for ability, sense in (("vision", "image"), ("audio", "audio")):
        if ability in can and sense not in takes:
            takes.add(sense)
            sources["modalities_in"] = sources["capabilities"]
        elif sense in takes and ability not in can:
            can.add(ability)
            sources["capabilities"] = sources["modalities_in"]
    facts.update(modalities_in=frozenset(takes), capabilities=frozenset(can))


def _with_ability(profile: ModelProfile, ability: Mapping[str, Ability]) -> ModelProfile:
    if not ability:
        return profile
    provenance = MappingProxyType({**profile.provenance, "ability": _ABILITY})
    return replace(profile, ability=MappingProxyType(dict(ability)), provenance=provenance)


def _source(row: Row) -> Provenance:
    told = f"{row['source']}: {row['provider']}" if row["source"] == "models.dev" else str(row["source"])
    trust = Trust.LINKED if _rank(row) < 9 else Trust.SELF_REPORTED
    return Provenance(source=told, trust=trust, recorded=_day(row["source_date"]))


def _row_price(row: Row) -> Price | None:
    given, asked = row["price_in_usd_per_mtok"], row["price_out_usd_per_mtok"]
    if given is None or asked is None or (given == 0 and asked == 0):
        return None
    special = {
        "cached_input_usd_per_mtok": row["price_cached_in_usd_per_mtok"],
        "cache_write_usd_per_mtok": row["price_cache_write_usd_per_mtok"],
    }
    return Price(
        input_usd_per_mtok=_money(given),
        output_usd_per_mtok=_money(asked),
        **{field: _money(rate) for field, rate in special.items() if rate},
    )


def _money(rate: float) -> Decimal:
    return Decimal(f"{rate:.6f}".rstrip("0").rstrip("."))


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _day(text: str | None) -> date | None:
    """A date as sources write it; a bare month or year stands for its first day."""
    if not text or not (found := re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", text)):
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main())
