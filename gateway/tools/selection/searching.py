"""A search for tools that a client makes by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import InvalidRequestError
from gateway.keys import ApiKey
from gateway.settings import ToolSettings
from gateway.tools.indexes.sources import ToolSources
from gateway.tools.offered.offer import read_offer
from gateway.tools.offered.permissions import permitted
from gateway.tools.offered.wishes import wishes_of

from .choosing import nothing_chosen
from .found import ANOTHER_VERSION, ToolsFound

__all__ = ["ToolSearch"]


class ToolSearch:
    """Searches what a key may use."""

    def __init__(self, sources: ToolSources, settings: ToolSettings) -> None:
        self._sources, self._settings = sources, settings

    async def __call__(
        self,
        query: str,
        *,
        label: str | None,
        key: ApiKey | None,
        declared: Sequence[Mapping[str, Any]] | None = None,
        top_k: int = 10,
        min_score: float = 0.0,
        category: str | None = None,
    ) -> ToolsFound:
        """The tools that serve a request.

        Args:
            query: what is to be done.
            label: the registry to search, NAME or NAME@VERSION; None takes the deployment's.
            key: who asks.
            declared: tools to search in place of a registry's.
            top_k: how many at most.
            min_score: of each.
            category: of the registry's tools, to search no others.

        Raises:
            InvalidRequestError: neither a registry nor tools are named.
            UnknownRegistryError: there is no such registry.
            OverloadedError: its index is not ready yet.
        """
        label = label or self._settings.set
        if label is None and not declared:
            raise InvalidRequestError("set: name a registry, or send tools", param="set")
        stored = await self._sources.load(label, key=key) if label is not None and not declared else None
        if declared:
            offered = await self._sources.brought({"tools": list(declared)})
        else:
            offered = await self._sources.offer_of(stored, {}) if stored else read_offer({})
        offer = await permitted(offered, wishes_of(self._settings, key, None))
        if category is not None and stored is not None:
            offer = offer.only({t.name for t in stored.tools if t.category == category})
        searched = stored.label if stored else None
        if not len(offer):
            return ToolsFound(tools=[], searched=searched)
        try:
            index = await self._sources.index_over(offer, stored)
        except TimeoutError as exc:
            raise nothing_chosen("index_not_ready") from exc
        ranking = (await index.rank_apart([query], k=max(top_k, 1)))[0]
        return ToolsFound(
            tools=[
                {**_described(offer.declared[name]), "score": round(float(score), 6), "set": searched}
                for name, score in zip(ranking.tool_ids, ranking.scores, strict=True)
                if score >= min_score
            ],
            searched=searched,
            selection=ANOTHER_VERSION if index.stands_in else None,
        )


def _described(entry: Mapping[str, Any]) -> dict[str, Any]:
    function = entry.get("function", entry.get("custom", entry))
    return {name: function[name] for name in ("name", "description", "parameters") if name in function}
