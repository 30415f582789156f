"""What a model's profile says where sources differ: the best source that states a fact has it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from types import MappingProxyType
from typing import Any

from catalog.identity import family_of
from catalog.importers.litellm_prices import SOURCE
from catalog.profiles.chat import special_task
from catalog.profiles.list_price import MAKERS, makers_offers, makers_price, middle_price
from catalog.profiles.offer import Offer
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust

from .from_name import NAMED
from .rows import Row, capabilities_of, is_hosts, is_makers, price_of, source_of

__all__ = ["settled_profile"]

_ROUNDED = 0.03  # limits nearer than this are one limit, some of them rounded
_CLOSED = re.compile(  # whose makers publish no weights of them
    r"(?!.*(?:gemma|alpaca))(?:anthropic/|google/(?:gemini|palm|text-bison)|openai/(?:gpt-(?:3\.5|4|5)|chatgpt|o\d)|"
    r"x-ai/grok-(?:[3-9]|code)|perplexity/sonar)"
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


def settled_profile(
    key: str, owner: str, rows: Sequence[Row], sold: Sequence[Offer], *, aliases: Sequence[str]
) -> ModelProfile:
    """The profile of one model, each fact with its source.

    Args:
        key: the name by which all sources are joined.
        owner: who made it.
        rows: what the tables say of it, the best source first.
        sold: what providers ask for it.
        aliases: other keys of the same weights.
    """
    stated = _Stated()
    _state_from_rows(stated, rows)
    stated.state("family", family_of(key), NAMED)
    _state_from_offers(stated, owner, sold)
    _state_capabilities(stated, owner, rows, sold)
    _agree_on_senses(key, stated.facts, stated.sources)
    _drop_answers_beyond_context(stated)
    _state_closed(stated, f"{owner}/{key}")
    name = next((row["name"] for row in rows if row["name"] and not is_hosts(row)), None) or key
    provenance = {field: source for field, source in stated.sources.items() if stated.facts.get(field) is not None}
    return ModelProfile(
        id=f"{owner}/{key}",
        name=name,
        aliases=tuple(aliases),
        provenance=MappingProxyType(provenance),
        **stated.facts,
    )


@dataclass(slots=True)
class _Stated:
    """Facts and their sources while they are gathered: whoever states a fact first has it."""

    facts: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Provenance] = field(default_factory=dict)

    def state(self, name: str, value: Any, source: Provenance) -> None:  # noqa: ANN401 - the facts differ in kind
        if value is not None and name not in self.facts:
            self.facts[name], self.sources[name] = value, source


def _state_from_rows(stated: _Stated, rows: Sequence[Row]) -> None:
    for row in rows:
        source = source_of(row)
        if not is_hosts(row):
            stated.state("license", _LICENSES.get(row["licence"] or ""), source)
        stated.state("family", row["family"] if row["source"] == "models.dev" else None, source)
        stated.state("open_weights", row["open_weights"] or None, source)
        stated.state("list_price", price_of(row) if is_makers(row) else None, source)
        if not is_hosts(row):
            stated.state("context_tokens", row["context"] or None, source)
            stated.state("max_output_tokens", row["max_output"] or None, source)
        for senses in ("modalities_in", "modalities_out"):
            stated.state(senses, frozenset(row[senses].split(",")) if row[senses] else None, source)
    for row in rows:  # that weights are closed counts only where nobody says otherwise
        stated.state("open_weights", None if is_hosts(row) else row["open_weights"], source_of(row))
    _state_limits_of_hosts(stated, rows)


def _state_closed(stated: _Stated, model_id: str) -> None:
    """Closed weights have no other licence: registries enter their own page's there."""
    if "open_weights" not in stated.facts and _CLOSED.match(model_id):
        stated.facts["open_weights"], stated.sources["open_weights"] = False, NAMED
    if stated.facts.get("open_weights") is False:
        stated.facts["license"], stated.sources["license"] = "proprietary", stated.sources["open_weights"]


def _drop_answers_beyond_context(stated: _Stated) -> None:
    """No answer is longer than the context; whoever says so cuts the one or overstates the other."""
    context, longest = stated.facts.get("context_tokens"), stated.facts.get("max_output_tokens")
    if context is not None and longest is not None and longest > context:
        del stated.facts["max_output_tokens"], stated.sources["max_output_tokens"]


def _state_limits_of_hosts(stated: _Stated, rows: Sequence[Row]) -> None:
    """Hosts cut limits as they like, and round: what most of them state, of equals the middle, unrounded."""
    for name, column in (("context_tokens", "context"), ("max_output_tokens", "max_output")):
        stated_by_hosts = [int(row[column]) for row in rows if is_hosts(row) and row[column]]
        if stated_by_hosts:
            middle = median(stated_by_hosts)
            near = {v: [other for other in stated_by_hosts if abs(other / v - 1) <= _ROUNDED] for v in stated_by_hosts}
            about = max(near.values(), key=lambda values: (len(values), -abs(median(values) - middle), median(values)))
            limit = max(about, key=lambda value: (about.count(value), value))
            source = next(source_of(row) for row in rows if is_hosts(row) and row[column] == limit)
            stated.state(name, limit, source)


def _state_from_offers(stated: _Stated, owner: str, sold: Sequence[Offer]) -> None:
    """The price its maker asks, else the one it lists, else the middle of its hosts'; limits likewise."""
    listed = (
        [(stated.facts.pop("list_price"), stated.sources.pop("list_price"))] if "list_price" in stated.facts else []
    )
    for found in (makers_price(owner, sold), *listed, middle_price(sold)):
        if found is not None:
            stated.state("price", *found)
    source = Provenance(source=SOURCE, trust=Trust.LINKED)
    for offer in makers_offers(owner, sold) or sold:
        stated.state("context_tokens", offer.context_tokens, source)
        stated.state("max_output_tokens", offer.max_output_tokens, source)


def _state_capabilities(stated: _Stated, owner: str, rows: Sequence[Row], sold: Sequence[Offer]) -> None:
    """What its maker says it can do; where only hosts speak, what most of them say."""
    near = [row for row in rows if is_makers(row) and row["source"] == "models.dev"]
    own = [offer for offer in sold if offer.provider in MAKERS.get(owner, ()) and offer.source == SOURCE]
    said = {"streaming", *capabilities_of(near), *(ability for offer in own for ability in offer.capabilities)}
    if near or own:
        source = source_of(near[0]) if near else Provenance(source=SOURCE, trust=Trust.LINKED)
        stated.state("capabilities", frozenset(said), source)
        return
    votes = [capabilities_of([row]) for row in rows if row["source"] == "models.dev"] + [
        set(o.capabilities) for o in sold
    ]
    if votes:
        agreed = {a for vote in votes for a in vote if 2 * sum(a in v for v in votes) >= len(votes)}
        stated.state(
            "capabilities",
            frozenset({"streaming", *agreed}),
            Provenance(source="most hosts", trust=Trust.SELF_REPORTED),
        )


def _agree_on_senses(key: str, facts: dict[str, Any], sources: dict[str, Provenance]) -> None:
    """What a model takes in and what it can do must tell the same: sources state one, the other, or both."""
    if task := special_task(key):
        facts.update(modalities_in=task.modalities_in, modalities_out=task.modalities_out)
        senses = {"vision": "image", "audio": "audio"}
        blind = {ability for ability, sense in senses.items() if sense not in task.modalities_in}
        facts["capabilities"] = frozenset(facts.get("capabilities", {"streaming"})) - blind
        sources.update(modalities_in=NAMED, modalities_out=NAMED)
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
