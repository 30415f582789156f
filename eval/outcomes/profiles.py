"""Which catalog profile an outcome's model goes by, at the prices of its own table."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from catalog import ModelProfile
from catalog.registry import Catalog
from predictors.profiles import profile_of_outcome

__all__ = ["catalog_profiles"]


def catalog_profiles(
    models: Iterable[str], *, dataset: str, catalog: Catalog, listed: Mapping[str, ModelProfile]
) -> dict[str, ModelProfile]:
    """Profiles by the names that the outcomes use, as `paretogate train` names them.

    Args:
        models: the names.
        dataset: the public dataset, or the name of the user's table.
        catalog: where abilities, sizes and dates come from.
        listed: what the table itself says of its models: its price wins, since its costs were computed with it.
    """
    return {name: _priced(profile_of_outcome(catalog, dataset=dataset, name=name), listed.get(name)) for name in models}


def _priced(profile: ModelProfile, listed: ModelProfile | None) -> ModelProfile:
    if listed is None:
        return profile
    return replace(
        profile,
        price=listed.price or profile.price,
        params_total_b=profile.params_total_b or listed.params_total_b,
    )
