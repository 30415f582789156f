import math
from dataclasses import replace
from datetime import date

import pytest

from catalog import Ability, Catalog, InvalidMeasurementError, ModelProfile
from catalog.capability.siblings import SiblingLaw, measured_series, series_of, with_siblings

POWER = 0.3526596


def sized(owner: str, size_b: float, *, level: float | None = None, worth: float = 3.0) -> ModelProfile:
    """A model of a series that follows the law exactly; unmeasured without a level."""
    ability = {} if level is None else {"general": Ability(mean=level - worth * size_b**-POWER, se=0.1, n_benchmarks=9)}
    return ModelProfile(
        id=f"{owner}/star-{size_b:g}b-instruct",
        name="Star",
        params_total_b=size_b,
        ability=ability,
        released=date(2025, 1, 1),
    )


LAWFUL = [sized(owner, size, level=level) for owner, level in (("a", 1.0), ("b", 0.0)) for size in (1, 2, 4, 8, 16, 32)]


def test_a_series_is_a_name_without_its_size() -> None:
    assert series_of(ModelProfile(id="meta-llama/llama-3.1-8b-instruct", name="x")) == (
        "meta-llama",
        "llama-3.1-instruct",
    )
    assert series_of(ModelProfile(id="qwen/qwen3-235b-a22b-thinking-2507", name="x")) == ("qwen", "qwen3-thinking-2507")
    assert series_of(ModelProfile(id="mistralai/mixtral-8x7b-v0.1", name="x")) == ("mistralai", "mixtral-v0.1")
    assert series_of(ModelProfile(id="openai/gpt-5-mini", name="x")) is None


def test_lawful_series_tell_what_size_is_worth_and_an_unmeasured_size() -> None:
    law = SiblingLaw.fit(LAWFUL)
    assert law.worth == pytest.approx(3.0)
    assert (law.n_models, law.n_series) == (12, 2)
    told = law.ability(sized("c", 70), [sized("c", 8, level=2.0)])
    assert told is not None
    assert told.mean == pytest.approx(2.0 - 3.0 * 70**-POWER)
    assert told.n_benchmarks == 0


def test_what_size_is_worth_to_an_owner_is_learned_from_the_others() -> None:
    steep = [sized("c", size, level=0.0, worth=9.0) for size in (1, 2, 4, 8)]
    law = SiblingLaw.fit([*LAWFUL, *steep])
    assert law.worth > 3.5
    assert law.worth_without["c"] == pytest.approx(3.0)


def test_a_sibling_far_away_in_size_tells_less_and_nothing_is_surer_than_four_percent() -> None:
    ragged = [
        replace(p, ability={"general": replace(p.ability["general"], mean=p.ability["general"].mean + shift)})
        for p, shift in zip(LAWFUL, (0.2, -0.2) * 6, strict=True)
    ]
    law = SiblingLaw.fit(ragged)
    near, far = (law.ability(sized("c", size), [sized("c", 8, level=0.7)]) for size in (10, 300))
    assert near is not None
    assert far is not None
    assert near.se < far.se
    loss = math.log1p(math.exp(-near.mean))
    assert near.se > 0.04 * loss


def test_two_sizes_agree_more_than_one() -> None:
    law = SiblingLaw.fit(LAWFUL)
    one = law.ability(sized("c", 8), [sized("c", 2, level=0.0)])
    two = law.ability(sized("c", 8), [sized("c", 2, level=0.0), sized("c", 32, level=0.0)])
    assert one is not None
    assert two is not None
    assert two.se < one.se


def test_only_models_without_an_ability_are_filled_and_the_source_names_the_siblings() -> None:
    gap = sized("a", 64)
    filled = {profile.id: profile for profile in with_siblings([*LAWFUL, gap])}
    assert all(filled[profile.id] == profile for profile in LAWFUL)
    told = filled[gap.id]
    assert told.ability["general"].mean == pytest.approx(1.0 - 3.0 * 64**-POWER)
    assert told.provenance["ability"].source.startswith("inferred from star-1b-instruct, star-2b-instruct")
    assert "arXiv 2410.11840" in told.provenance["ability"].source
    assert not told.has_measured_ability


def test_what_siblings_told_teaches_nobody() -> None:
    filled = with_siblings([*LAWFUL, sized("a", 64)])
    assert sum(map(len, measured_series(filled).values())) == len(LAWFUL)


def test_a_sibling_of_the_same_size_tells_nothing() -> None:
    law = SiblingLaw.fit(LAWFUL)
    assert law.ability(sized("c", 8), [sized("c", 8.1, level=0.0)]) is None


def test_too_few_series_give_no_law_and_leave_the_gaps() -> None:
    few = [*LAWFUL[:6], sized("a", 64)]  # one owner
    with pytest.raises(InvalidMeasurementError, match="two owners"):
        SiblingLaw.fit(few)
    assert with_siblings(few) == tuple(few)


def test_in_the_shipped_catalog_siblings_forecast_better_than_their_mean_and_the_error_is_honest() -> None:
    profiles = list(Catalog.load())
    law = SiblingLaw.fit(profiles)
    misses, means, held = [], [], []
    for members in measured_series(profiles).values():
        for profile in members:
            rest = [other for other in members if other.id != profile.id]
            told, known = law.ability(profile, rest), profile.ability["general"]
            if told is not None and known.se < 0.6:
                misses.append(abs(told.mean - known.mean))
                means.append(abs(sum(other.ability["general"].mean for other in rest) / len(rest) - known.mean))
                held.append(misses[-1] < 1.645 * math.hypot(told.se, known.se))
    assert len(misses) > 100
    assert sum(misses) < 0.6 * sum(means)
    assert 0.8 < sum(held) / len(held) < 0.98
