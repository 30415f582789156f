"""A fitted retriever on disk: what it was told and what it fitted, as arrays; the rest follows from those.

The folder is one of `predictors.persistence`: `arrays.npz`, whose digest the manifest carries, and `manifest.json`.
What takes long to build is saved, other sums are taken anew from the saved evidence, so a loaded retriever ranks as the
saved one did, to the last bit. The folder holds the text of the registry and of the past requests: keep it as private
as those.
"""

import json
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from predictors.encoders.protocol import Encoder
from predictors.errors import BadArtefactError, NotFittedError
from predictors.persistence import load_artefact, save_artefact

from .channels.bm25 import Bm25
from .channels.dense import DenseDescriptions
from .channels.mapped import MappedDescriptions
from .channels.multi_label import MultiLabelHead
from .channels.neighbours import UsageNeighbours
from .channels.smoothed import SmoothedTool2Vec
from .channels.tool2vec import Tool2Vec
from .channels.word_neighbours import WordNeighbours
from .evidence import Evidence, QueryBatch
from .protocol import Channel, ToolRetriever
from .registry import Tool, ToolRegistry
from .second_stage import SecondStage, StageChoice
from .second_stage.trees import TreeEnsemble
from .single import SingleChannelRetriever
from .stacked import StackedRetriever
from .usage import ToolUsage

__all__ = ["KIND", "load_retriever", "save_retriever"]

KIND: Final = "tool-retriever"
VERSION: Final = 8
"""Holds the lexical index and the lists of vectors; 7: neither; 6: shortlisted with little of the classifier's say;
5: by clauses; 4: otherwise; 3: no mapped requests; 2: no twins; 1: no shares of clauses."""
_REMEDY: Final = "fit it anew with `paretogate tools search --save` or `paretogate tools eval --save`"
_TRIED_CHARS: Final = 500
_ODD: Final = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What falls out of arrays and facts that nobody saved so."""
Arrays = dict[str, npt.NDArray[Any]]

_CHANNELS: Final[Mapping[str, Callable[..., Channel]]] = {
    made.__name__: made
    for made in (
        Bm25,
        DenseDescriptions,
        MappedDescriptions,
        MultiLabelHead,
        SmoothedTool2Vec,
        Tool2Vec,
        UsageNeighbours,
        WordNeighbours,
    )
}
_TREE_ARRAYS: Final = ("feature", "threshold", "mask", "value")


@runtime_checkable
class FittedChannel(Protocol):
    """A channel with something in it that evidence alone does not give back."""

    def fitted(self) -> Arrays:
        """What was fitted."""
        ...

    def restore(self, evidence: Evidence, fitted: Mapping[str, npt.NDArray[Any]]) -> Self:
        """As after `learn` on this evidence, without fitting."""
        ...


def save_retriever(retriever: ToolRetriever, folder: Path) -> str:
    """Write a fitted retriever; returns the digest of its arrays.

    Raises:
        NotFittedError: `fit` was not called.
        TypeError: it is of a class that this file does not know.
    """
    if not isinstance(retriever, StackedRetriever | SingleChannelRetriever):
        raise TypeError(f"{type(retriever).__name__} cannot be saved; only retrievers of build_retriever can")
    if not hasattr(retriever, "evidence_"):
        raise NotFittedError(retriever)
    channels = retriever.channels_ if isinstance(retriever, StackedRetriever) else [retriever.channel]
    evidence = retriever.evidence_
    arrays = _evidence_arrays(evidence)
    for number, channel in enumerate(channels):
        if isinstance(channel, FittedChannel):
            arrays |= {f"channel{number}.{name}": array for name, array in channel.fitted().items()}
    facts: dict[str, Any] = {
        "parameters": _parameters(retriever),
        "channels": [{"class": type(c).__name__, "parameters": _parameters(c)} for c in channels],
    }
    if isinstance(retriever, StackedRetriever):
        facts["stage"] = _stage_facts(retriever.stage_)
        arrays |= _stage_arrays(retriever.stage_)
        if (for_new := retriever.stage_for_new_) is not None:
            facts["stage_for_new"] = _stage_facts(for_new)
            facts["new"] = [tool_id for tool_id in retriever.ids_ if tool_id not in retriever.known_]
            arrays |= {f"new.{name}": array for name, array in _stage_arrays(for_new).items()}
        if retriever.prefilter_ is not None:
            arrays |= {"lists": retriever.prefilter_.index_.centres}
    arrays["facts"] = _as_bytes(facts)  # among the arrays, so that the digest speaks for them too
    manifest = {
        "kind": KIND,
        "version": VERSION,
        "class": type(retriever).__name__,
        "encoder": evidence.encoder.name,
        "registry": {"name": evidence.registry.name, "version": evidence.registry.version},
        "registry_digest": evidence.registry.digest,
        "n_tools": len(evidence.registry),
        "n_past_requests": len(evidence.past),
        "chosen": retriever.choice.chosen if isinstance(retriever, StackedRetriever) else None,
    }
    return save_artefact(folder, arrays, manifest)


def load_retriever(
    folder: Path, encoder: Encoder, *, fitted_on: tuple[ToolRegistry, ToolUsage] | None = None
) -> StackedRetriever | SingleChannelRetriever:
    """The retriever of a folder, ready to rank, update and learn.

    Args:
        folder: written by `save_retriever`.
        encoder: the one it was fitted with; its name is compared.
        fitted_on: what it must have been fitted on, compared word for word; None takes what it was fitted on.

    Raises:
        BadArtefactError: the folder is missing, damaged, of another version, of another encoder, or of other tools.
    """
    try:
        loaded = _load(folder, encoder, fitted_on)
        _try_out(loaded, folder)
    except BadArtefactError as exc:
        raise BadArtefactError(path=exc.path, problem=exc.problem, remedy=_REMEDY) from exc
    return loaded


def _try_out(loaded: StackedRetriever | SingleChannelRetriever, folder: Path) -> None:
    """Rank once: arrays that fit neither each other nor the registry would be noticed by the first request."""
    try:
        asked = " ".join(f"{tool.name} {tool.description}" for tool in islice(loaded.evidence_.registry, 1))
        [ranking] = loaded.rank([asked[:_TRIED_CHARS]], 1)
    except _ODD as exc:
        raise BadArtefactError(path=str(folder), problem=f"it cannot rank tools ({exc})") from exc
    if not np.isfinite(ranking.scores).all():
        raise BadArtefactError(path=str(folder), problem="its scores are no numbers")


def _load(
    folder: Path, encoder: Encoder, fitted_on: tuple[ToolRegistry, ToolUsage] | None
) -> StackedRetriever | SingleChannelRetriever:
    arrays, manifest = load_artefact(folder, kind=KIND)
    if manifest.get("version") != VERSION:
        problem = f"version {manifest.get('version')!r} is not {VERSION}"
        raise BadArtefactError(path=str(folder), problem=problem)
    if manifest.get("encoder") != encoder.name:
        problem = f"it was fitted with the encoder {manifest.get('encoder')!r}, not {encoder.name!r}"
        raise BadArtefactError(path=str(folder), problem=problem)
    try:
        facts = json.loads(arrays["facts"].tobytes())
        registry, usage = _fitted_on(arrays) if fitted_on is None else _checked(arrays, *fitted_on)
        evidence = _evidence(arrays, registry, usage, encoder)
        channels = [_channel(number, stated, evidence, arrays) for number, stated in enumerate(facts["channels"])]
        if "stage" in facts:
            stage = _stage(facts["stage"], arrays)
            retriever = StackedRetriever(encoder, **facts["parameters"])
            of_new = {name.removeprefix("new."): array for name, array in arrays.items() if name.startswith("new.")}
            return retriever.restore(
                evidence,
                channels,
                stage,
                stage_for_new=_stage(facts["stage_for_new"], of_new) if of_new else None,
                new=facts.get("new", ()),
                centres=arrays.get("lists"),
            )
        single = SingleChannelRetriever(channels[0], encoder, **facts["parameters"])
        single.evidence_ = evidence
    except _ODD as exc:
        raise BadArtefactError(path=str(folder), problem=f"its content is not that of a retriever ({exc})") from exc
    return single


def _parameters(fitted: object) -> dict[str, Any]:
    """What `__init__` stored under its own name: neither learned, nor another object."""
    return {
        name: value
        for name, value in vars(fitted).items()
        if not name.endswith("_") and (value is None or isinstance(value, bool | int | float))
    }


def _as_bytes(content: object) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(content, sort_keys=True).encode(), dtype=np.uint8)


def _evidence_arrays(evidence: Evidence) -> Arrays:
    arrays: Arrays = {
        "registry": _registry_bytes(evidence.registry),
        "usage": _usage_bytes(evidence.usage),
        "tool_vectors": evidence.tool_vectors,
        "clause_vectors": evidence.past.clause_vectors,
    }
    if evidence.observed_sums is not None and evidence.observed_counts is not None:
        arrays |= {"observed_sums": evidence.observed_sums, "observed_counts": evidence.observed_counts}
    return arrays


def _registry_bytes(registry: ToolRegistry) -> npt.NDArray[np.uint8]:
    tools = [[t.tool_id, t.name, t.description, t.parameters, t.category] for t in registry]
    return _as_bytes({"name": registry.name, "version": registry.version, "tools": tools})


def _usage_bytes(usage: ToolUsage) -> npt.NDArray[np.uint8]:
    return _as_bytes(list(zip(usage.queries, usage.tool_ids, strict=True)))


def _fitted_on(arrays: Arrays) -> tuple[ToolRegistry, ToolUsage]:
    """The saved registry and its saved usage."""
    stated = json.loads(arrays["registry"].tobytes())
    names = ("tool_id", "name", "description", "parameters", "category")
    tools = tuple(Tool(**dict(zip(names, row, strict=True))) for row in stated["tools"])
    past = json.loads(arrays["usage"].tobytes())
    usage = ToolUsage.of([query for query, _ in past], [ids for _, ids in past])
    return ToolRegistry(tools=tools, name=stated["name"], version=stated["version"]), usage


def _checked(arrays: Arrays, registry: ToolRegistry, usage: ToolUsage) -> tuple[ToolRegistry, ToolUsage]:
    """These two, with usage that concerns the registry.

    Raises:
        ValueError: the saved ones are others.
    """
    known = usage.within(registry)
    if not np.array_equal(arrays["registry"], _registry_bytes(registry)):
        raise ValueError("it was fitted on other tools")
    if not np.array_equal(arrays["usage"], _usage_bytes(known)):
        raise ValueError("it was fitted on other requests")
    return registry, known


def _evidence(arrays: Arrays, registry: ToolRegistry, usage: ToolUsage, encoder: Encoder) -> Evidence:
    return Evidence.restored(
        registry=registry,
        usage=usage,
        encoder=encoder,
        tool_vectors=arrays["tool_vectors"],
        past=QueryBatch.restored(usage.queries, arrays["clause_vectors"]),
        observed_sums=arrays.get("observed_sums"),
        observed_counts=arrays.get("observed_counts"),
    )


def _channel(number: int, stated: Mapping[str, Any], evidence: Evidence, arrays: Arrays) -> Channel:
    made = _CHANNELS[stated["class"]](**stated["parameters"])
    if not isinstance(made, FittedChannel):
        return made.learn(evidence)
    prefix = f"channel{number}."
    return made.restore(evidence, {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)})


def _stage_facts(stage: SecondStage) -> dict[str, Any]:
    return {
        "columns": list(stage.columns),
        "sees_twins": stage.sees_twins,
        "linear_share": stage.linear_share,
        "slope": stage.slope,
        "offset": stage.offset,
        "choice": {
            "chosen": stage.choice.chosen,
            "cross_validated": stage.choice.cross_validated,
            "n_queries": stage.choice.n_queries,
        },
        "trees_baseline": None if stage.trees is None else stage.trees.baseline,
    }


def _stage_arrays(stage: SecondStage) -> Arrays:
    arrays: Arrays = {"stage.weights": stage.weights}
    if stage.trees is not None:
        arrays |= {f"trees.{name}": getattr(stage.trees, name) for name in _TREE_ARRAYS}
    return arrays


def _stage(facts: Mapping[str, Any], arrays: Arrays) -> SecondStage:
    trees = None
    if facts["trees_baseline"] is not None:
        trees = TreeEnsemble(
            **{name: arrays[f"trees.{name}"] for name in _TREE_ARRAYS}, baseline=facts["trees_baseline"]
        )
    return SecondStage(
        columns=tuple(facts["columns"]),
        weights=arrays["stage.weights"],
        trees=trees,
        sees_twins=facts["sees_twins"],
        linear_share=facts["linear_share"],
        slope=facts["slope"],
        offset=facts["offset"],
        choice=StageChoice(**facts["choice"]),
    )
