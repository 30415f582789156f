"""What follows from a model's stated facts by published or fitted formulas, each with its method and uncertainty.

None of it is measured on the model's backends: it is all inferred, and anything measured stands above it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

import numpy as np

from .capability.siblings import series_of
from .efficiency.density import DOUBLING_DAYS, size_needed_now
from .efficiency.emissions import energy_wh, grams_per_request
from .efficiency.flops import Shape, flops_per_token
from .efficiency.footprint import cache_bytes_per_token
from .efficiency.moe_leverage import efficiency_leverage, granularity
from .efficiency.reference_runtimes import REFERENCE_RUNTIMES, gpu_time
from .efficiency.tokenizer import price_per_megabyte
from .errors import InvalidMeasurementError, InvalidProfileError
from .identity import segments
from .profiles.derived_fact import DerivedFact
from .profiles.profile import ModelProfile
from .profiles.provenance import Provenance, Trust
from .structure.architectures import shape_for
from .structure.tokenizers import tokenizers

__all__ = ["DerivedFact", "SizeLaw", "derived_facts", "neighbours", "plateau_advice", "text_facts", "with_derived"]

_A100_W = 400.0  # the board's power limit
_TRAINING_FLOPS = 1e24  # what a mixture of today is thought to have been trained with
_LEVERAGE_FACTOR = 1.5  # the law was fitted below 1e22 operations and leverage 6: our guess of how far it holds
_FEWEST = 20  # models that a law is fitted on
_WELL_MEASURED = 5  # benchmarks
_STEP = 1.3  # sizes nearer than this are one size
_SAME_AGE_DAYS = 400  # neighbours in size should be of one generation
_PROMPT_TOKENS, _OUTPUT_TOKENS = 1_000, 300  # of the request that energy and carbon are told for
_GRID_G_PER_KWH = 480.0  # mean of the world's grids in 2023, Ember; they run from 30 to 800
_GRID_FACTOR = 2.0
_SLOWEST_HALVING_DAYS = 106.0  # 3.5 months, as the law's later edition has it


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLaw:
    """Ability = start + per_year x age of the reference date + per_decade x log10(active parameters, billions).

    Our own constants, fitted by least squares on the open models of one catalog; not those of the densing law, whose
    constants were not published and whose reference models were not run.
    """

    start: float
    per_year: float
    per_decade: float
    residual: float  # standard deviation, in ability
    reference_day: int
    n_models: int
    log_sizes: tuple[float, float]  # range that was fitted

    @classmethod
    def fit(cls, profiles: Iterable[ModelProfile]) -> "SizeLaw":
        """Fit on the open models with a size, a date and at least five benchmarks.

        Raises:
            InvalidMeasurementError: there are fewer than twenty, or size does not help them.
        """
        rows = [
            (profile.released.toordinal(), math.log10(size), profile.ability["general"].mean)
            for profile in profiles
            if profile.open_weights and profile.released and (size := _active(profile)) and _measured(profile)
        ]
        if len(rows) < _FEWEST:
            raise InvalidMeasurementError(f"a size law needs {_FEWEST} measured open models, not {len(rows)}")
        day, size, ability = np.array(rows, dtype=np.float64).T
        reference = int(np.median(day))
        design = np.stack([np.ones_like(day), (day - reference) / 365.25, size], axis=1)  # (n_models, 3)
        (start, per_year, per_decade), *_ = np.linalg.lstsq(design, ability, rcond=None)
        if per_decade <= 0:
            raise InvalidMeasurementError("in this catalog larger models are not better; no size law holds")
        residual = float(np.std(ability - design @ [start, per_year, per_decade], ddof=3))
        return cls(
            start=float(start),
            per_year=float(per_year),
            per_decade=float(per_decade),
            residual=residual,
            reference_day=reference,
            n_models=len(rows),
            log_sizes=(float(size.min()), float(size.max())),
        )

    def effective_params_b(self, ability: float) -> float | None:
        """The size at which the open models of the reference date are so able; None a decade outside the fit."""
        decades = (ability - self.start) / self.per_decade
        low, high = self.log_sizes
        return float(10.0**decades) if low - 1 <= decades <= high + 1 else None

    @property
    def halving_days(self) -> float:
        """How fast the size that an ability needs halves, by this law; the published one says 95 days."""
        return math.log10(2) * self.per_decade / self.per_year * 365.25

    @property
    def factor(self) -> float:
        """The band of an effective size."""
        return float(10.0 ** (self.residual / self.per_decade))


def derived_facts(
    profile: ModelProfile, *, as_of: date | None = None, law: SizeLaw | None = None
) -> tuple[DerivedFact, ...]:
    """Everything that can be inferred of a model; nothing for closed models, whose size nobody knows.

    Args:
        profile: the model.
        as_of: the day for which staleness is told.
        law: of the catalog that the model is in.
    """
    size = _active(profile)
    known = shape_for(profile.id.partition("/")[2])
    facts = list(text_facts(profile))
    if known is not None:
        facts.extend(_of_shape(*known, size=size))
    elif size is not None:
        method = "2 x active parameters; attention left out"
        facts.append(DerivedFact(name="flops_per_token", value=2e9 * size, unit="FLOP", method=method, factor=1.2))
    if size is None:
        return tuple(facts)
    facts.extend(_time_and_energy(size))
    if as_of is not None and profile.released is not None and as_of > profile.released:
        facts.append(_needed_now(size, (as_of - profile.released).days, as_of))
    if law is not None and _measured(profile):
        effective = law.effective_params_b(profile.ability["general"].mean)
        if effective is not None:
            day = date.fromordinal(law.reference_day)
            method = f"our fit over {law.n_models} open models, reference {day}"
            density = DerivedFact(
                name="capacity_density", value=effective / size, unit="x", method=method, factor=law.factor
            )
            facts.append(density)
    return tuple(facts)


def with_derived(profiles: Iterable[ModelProfile], *, as_of: date | None = None) -> tuple[ModelProfile, ...]:
    """The profiles with what follows from their facts, as the catalog that ships holds them.

    The energy that a router weighs is the derived one where no better source states it. Class A to E is the fifth of
    the catalog, by energy of a token, that a model is in: ours, for the published thresholds were not available.
    """
    known = tuple(profiles)
    try:
        law: SizeLaw | None = SizeLaw.fit(known)
    except InvalidMeasurementError:
        law = None
    told = [{fact.name: fact for fact in derived_facts(profile, as_of=as_of, law=law)} for profile in known]
    energies = sorted(facts["energy"].value for facts in told if "energy" in facts)
    for facts in told:
        if "energy" in facts:
            facts["energy_class"] = _energy_class(facts["energy"].value, energies)
    return tuple(_with(profile, facts) for profile, facts in zip(known, told, strict=True))


def neighbours(
    profile: ModelProfile, profiles: Iterable[ModelProfile]
) -> tuple[ModelProfile | None, ModelProfile | None]:
    """The next smaller and the next larger measured model of the family, None where there is none to compare with.

    A neighbour differs in size by 1.3 times or more and is made for the same: no coder beside a generalist. Where its
    own series (one name but for the size) has measured sizes, other generations of the family are none.
    """
    size = profile.params_total_b
    if size is None or not _measured(profile) or profile.family is None:
        return None, None
    kin = [(other.params_total_b, other) for other in profiles if other.params_total_b and _kin(profile, other)]
    series = series_of(profile)
    kin = [pair for pair in kin if series is not None and series_of(pair[1]) == series] or kin
    smaller = max((pair for pair in kin if pair[0] * _STEP <= size), key=lambda pair: pair[0], default=None)
    larger = min((pair for pair in kin if pair[0] >= size * _STEP), key=lambda pair: pair[0], default=None)
    return smaller[1] if smaller else None, larger[1] if larger else None


def _energy_class(energy: float, energies: Sequence[float]) -> DerivedFact:
    fifth = min(5 * sum(other < energy for other in energies) // len(energies), 4)
    method = f"fifth of {len(energies)} models by energy per token, 1 (A) the lowest; classes are ours"
    return DerivedFact(name="energy_class", value=float(fifth + 1), unit="1..5 = A..E", method=method)


def _with(profile: ModelProfile, facts: dict[str, DerivedFact]) -> ModelProfile:
    if "energy" not in facts or profile.energy_wh_per_mtok is not None:
        return replace(profile, derived=MappingProxyType(facts))
    source = Provenance(source=f"inferred: {facts['energy'].method}", trust=Trust.INFERRED)
    return replace(
        profile,
        derived=MappingProxyType(facts),
        energy_wh_per_mtok=float(f"{facts['energy'].value:.4g}"),
        provenance=MappingProxyType({**profile.provenance, "energy_wh_per_mtok": source}),
    )


def _needed_now(size: float, age_days: int, as_of: date) -> DerivedFact:
    """Its band is what the law's two editions differ by at that age."""
    method = (
        f"densing law, arXiv 2412.04315: halves every {DOUBLING_DAYS:.0f} days "
        f"(band: {_SLOWEST_HALVING_DAYS:.0f} days); as of {as_of}"
    )
    factor = math.pow(2.0, age_days / DOUBLING_DAYS - age_days / _SLOWEST_HALVING_DAYS)
    needed = size_needed_now(size, age_days=float(age_days))
    return DerivedFact(name="size_needed_now", value=needed, unit="B params", method=method, factor=factor)


def _of_shape(shape: Shape, source: str, *, size: float | None) -> Sequence[DerivedFact]:
    """What the dimensions tell: operations, memory, and what a mixture is worth as a dense model."""
    method = f"shape by {source}; arXiv 2511.08066, mean over 1,024 tokens, routers and norms left out"
    facts = [DerivedFact(name="flops_per_token", value=flops_per_token(shape), unit="FLOP", method=method)]
    cache = cache_bytes_per_token(shape)
    if cache is not None:
        method = f"shape by {source}; two bytes an element; an upper bound where windows slide"
        facts.append(DerivedFact(name="cache_per_token", value=float(cache), unit="bytes", method=method))
    experts = None if shape.experts is None else shape.experts + shape.shared_experts
    if experts is None or size is None:
        return facts
    try:
        leverage = efficiency_leverage(
            activation=(shape.active_experts + shape.shared_experts) / experts,
            granularity=granularity(hidden_size=shape.hidden_size, expert_size=shape.ff_size),
            training_flops=_TRAINING_FLOPS,
        )
    except InvalidProfileError:
        return facts
    method = "arXiv 2507.17702, equation 13, with 1e24 training operations assumed: extrapolated"
    worth = DerivedFact(
        name="dense_equivalent", value=leverage * size, unit="B params", method=method, factor=_LEVERAGE_FACTOR
    )
    return (*facts, worth)


def text_facts(profile: ModelProfile) -> Sequence[DerivedFact]:
    """What its tokenizer tells: text per token, and dollars per text."""
    tokenizer = tokenizers().get(profile.tokenizer or "")
    if tokenizer is None:
        return ()
    bits = tokenizer.bits_per_token
    method = (
        f"files of {tokenizer.measured_from} on our text in {len(tokenizer.bytes_per_token)} languages and notations"
    )
    spread = float(np.exp(np.std(np.log(list(tokenizer.bytes_per_token.values())))))  # between kinds of text
    facts = [DerivedFact(name="text_per_token", value=bits, unit="bits", method=method, factor=spread)]
    if profile.price is not None:
        rates = {"input": profile.price.input_usd_per_mtok, "output": profile.price.output_usd_per_mtok}
        facts.extend(
            DerivedFact(
                name=f"price_per_mb_{way}",
                value=price_per_megabyte(rate, bits_per_token=bits),
                unit="USD/MB of text",
                method=f"list price; {method}",
                factor=spread,
            )
            for way, rate in rates.items()
        )
    return facts


def plateau_advice(profile: ModelProfile, profiles: Iterable[ModelProfile]) -> str | None:
    """Prefer the next smaller of the family where it is as able: sizes often stop paying.

    The neighbours are the next smaller and the next larger measured model of the same family and owner, released
    within 400 days. Abilities count as equal where they differ by less than the standard error of the difference.

    Source: LLM-KG-Bench on model sizes, arXiv 2505.16276.
    """
    smaller, larger = neighbours(profile, profiles)
    if smaller is not None and _gain(smaller, profile) <= 0:
        return f"{smaller.id} ({smaller.params_total_b:g}B) is as able within the error: prefer it, it is smaller"
    if larger is not None and _gain(profile, larger) <= 0:
        return f"{larger.id} ({larger.params_total_b:g}B) is no abler within the error: a plateau, it gains nothing"
    if smaller is None and larger is None:
        return None
    return "its measured neighbours in size are less able below, or abler above, by more than the error"


def _time_and_energy(size: float) -> Sequence[DerivedFact]:
    time = gpu_time(size)
    outside = "; extrapolated" if time.extrapolated else ""
    method = f"fit over {len(REFERENCE_RUNTIMES)} models on A100 with Megatron, arXiv 2305.02440, batch of one{outside}"
    power = f"{method}; 400 W and PUE 1.2; not reported by the maker (R0)"
    request = f"{_PROMPT_TOKENS:,} tokens in and {_OUTPUT_TOKENS} out"
    seconds = time.request_s(prompt_tokens=_PROMPT_TOKENS, output_tokens=_OUTPUT_TOKENS)
    energy = energy_wh(runtime_s=seconds, power_w=_A100_W)
    per_mtok = energy_wh(runtime_s=time.per_output_token_s * 1e6, power_w=_A100_W)
    carbon = f"{request}; {_GRID_G_PER_KWH:g} g/kWh, the world's mean; {power}"
    factor = math.exp(math.hypot(math.log(time.factor), math.log(_GRID_FACTOR)))
    rows = (
        ("idealized_gpu_time", time.per_output_token_s * 1e3, "A100 ms/token", method, time.factor),
        ("idealized_prompt_time", time.per_prompt_token_s * 1e6, "A100 ms/k tokens read", method, time.factor),
        ("energy", per_mtok, "Wh/M tokens", power, time.factor),
        ("energy_per_request", energy, "Wh", f"{request}; {power}", time.factor),
        (
            "carbon_per_request",
            grams_per_request(energy_wh=energy, grid_grams_per_kwh=_GRID_G_PER_KWH),
            "g CO2e",
            carbon,
            factor,
        ),
    )
    return tuple(DerivedFact(name=n, value=v, unit=u, method=m, factor=f) for n, v, u, m, f in rows)


def _active(profile: ModelProfile) -> float | None:
    return profile.params_active_b or profile.params_total_b


def _measured(profile: ModelProfile) -> bool:
    return "general" in profile.ability and profile.ability["general"].n_benchmarks >= _WELL_MEASURED


def _kin(profile: ModelProfile, other: ModelProfile) -> bool:
    if other.id == profile.id or other.family != profile.family or other.owner != profile.owner:
        return False
    if _trade(other) != _trade(profile):
        return False
    if profile.released is None or other.released is None or not _measured(other):
        return False
    return abs((profile.released - other.released).days) <= _SAME_AGE_DAYS


def _trade(profile: ModelProfile) -> frozenset[str]:
    """What its name says it was made for: a coder is no neighbour of a generalist."""
    return frozenset(
        s.text.casefold() for s in segments(profile.id) if s.kind == "task" or s.text.casefold() == "distill"
    )


def _gain(smaller: ModelProfile, larger: ModelProfile) -> float:
    """How much abler the larger one is, beyond the standard error of the difference."""
    one, two = smaller.ability["general"], larger.ability["general"]
    return two.mean - one.mean - math.hypot(one.se, two.se)
