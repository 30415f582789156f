"""Which catalog profile the model of an outcome goes by: one rule for training and for replay."""

import re
from typing import Protocol

from catalog import ModelProfile, UnknownModelError

__all__ = ["KnowsModels", "profile_of_outcome"]


class KnowsModels(Protocol):
    """What is asked of a catalog (catalog.registry.Catalog)."""

    def routing_id(self, dataset: str, model: str) -> str | None:
        """The id of a model as a public dataset calls it."""
        ...

    def get(self, model_id: str) -> ModelProfile | None:
        """The profile of an id."""
        ...

    def resolve(self, name: str) -> ModelProfile:
        """The profile of an id, an alias or a name."""
        ...


def profile_of_outcome(catalog: KnowsModels, *, dataset: str | None, name: str) -> ModelProfile:
    """The profile of a model as a table of outcomes writes it; one that nobody knows gets a bare profile.

    Args:
        catalog: who is known.
        dataset: the public dataset or the table that the name is from; what a dataset means by a name comes first.
        name: the model's name there.
    """
    listed = catalog.routing_id(dataset, name) if dataset else None
    known = catalog.get(listed) if listed else None
    if known is not None:
        return known
    try:
        return catalog.resolve(name)
    except UnknownModelError:
        return ModelProfile(id=f"unlisted/{re.sub(r'[^A-Za-z0-9._@:-]+', '-', name)}", name=name)
