"""`paretogate tools`: measure retrieval on labelled requests, and try it on a question.

`eval`, `search` and `synthesize`, one function each; they read files, call `eval.tools.retrieval` or
`predictors.tools`, and print. What stands below them is shared: outputs checked beforehand, encoders by name,
registries by folder.
"""

import json
import os
import sys
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog import ParetoGateError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictors.encoders import Encoder
    from predictors.tools import ToolRegistry, ToolRetriever

    from .retrieval import RegistryResult
    from .tables import LabelledRegistry

__all__ = ["tools"]

tools = typer.Typer(help="Find the tools that a request needs.", no_args_is_help=True, add_completion=False)

_DATA_VARIABLE = "PARETOGATE_DATA"
_DEFAULT_DATA = "../shared/data"
_DEFAULT_METHODS = ("bm25", "dense", "unused", "tool2vec", "smoothed", "hybrid", "best")
_PAGE_WIDTH = 200  # of tables that go to a file or a pipe
_CACHED_TEXTS = 400_000  # every method reads the same texts


class ToolEncoder(StrEnum):
    """Encoders that the command line can make; `auto` is MiniLM where it is installed, else the static one."""

    AUTO = "auto"
    STATIC = "static"
    MINILM = "minilm"
    BOTH = "both"


@tools.command("eval")
def evaluate_registries(
    *,
    registry: Annotated[Path | None, typer.Option(help="Tools (Parquet: tool_id, name, description, ...).")] = None,
    train: Annotated[Path | None, typer.Option(help="Requests to learn from (Parquet: query, tool_ids).")] = None,
    test: Annotated[Path | None, typer.Option(help="Requests to judge on; the same file is split by `split`.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help=f"Measure all public registries; here: ${_DATA_VARIABLE}, else {_DEFAULT_DATA}."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Of the public registries, this one; repeatable.")] = None,
    method: Annotated[
        list[str] | None, typer.Option(help=f"Repeatable; {' '.join(_DEFAULT_METHODS)} where left out.")
    ] = None,
    encoder: Annotated[ToolEncoder, typer.Option(help="What reads texts.")] = ToolEncoder.AUTO,
    rankings: Annotated[
        Path | None, typer.Option(help="Write the last method's top 20 per request to this Parquet file.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the last method's fitted retriever in this folder.")] = None,
    load: Annotated[
        Path | None, typer.Option(help='Measure the retriever of this folder too, as the method "loaded".')
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Write recall against usage examples per tool (SVG).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Fit on train, rank test: recall, nDCG and completeness, seen and cold apart, with bootstrap intervals."""
    from predictors.tools import load_retriever  # noqa: PLC0415

    from .report import json_report, terminal_report, write_rankings  # noqa: PLC0415 - polars is heavy

    methods = tuple(method or _DEFAULT_METHODS)
    _check_outputs(files=(rankings, chart), folders=(save,))
    try:
        reader = _encoder(encoder)
        results = []
        fitted = {} if load is None else {"loaded": load_retriever(load, reader)}
        single = rankings or chart or save or load
        for labelled in _registries(registry, train, test, data=data, only=only, single=single):
            results.append(_measured(labelled, methods, reader, fitted=fitted, save=save))
            if not as_json:
                _print(*terminal_report(results[-1]))
            if rankings is not None:
                row = next(row for row in results[-1].methods if row.method == methods[-1])
                write_rankings(rankings, labelled, row)
            if chart is not None:
                _write_chart(chart, labelled, reader)
        if as_json:
            sys.stdout.write(json.dumps(json_report(results, encoder=reader.name), indent=1) + "\n")
    except ParetoGateError as exc:
        typer.echo(f"error: {printable(str(exc))}", err=True)
        raise typer.Exit(1) from exc


@tools.command()
def search(
    request: Annotated[str, typer.Argument(help="What the tools should help with.")],
    *,
    registry: Annotated[Path | None, typer.Option(help="Tools: Parquet, or JSON with an OpenAI `tools` array.")] = None,
    usage: Annotated[Path | None, typer.Option(help="Past requests (Parquet: query, tool_ids).")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the fitted retriever in this folder.")] = None,
    load: Annotated[
        Path | None, typer.Option(help="Ask the retriever of this folder; --registry then replaces its tools.")
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="How many tools.")] = 5,
    method: Annotated[str, typer.Option(help="How to look for them.")] = "best",
    encoder: Annotated[ToolEncoder, typer.Option(help="What reads texts.")] = ToolEncoder.AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """The best tools of a registry for one request."""
    from rich.table import Table  # noqa: PLC0415

    from predictors.tools import save_retriever  # noqa: PLC0415

    _check_outputs(folders=(save,))
    try:
        retriever, offered = _retriever(registry, usage, load=load, method=method, encoder=encoder)
        if save is not None:
            save_retriever(retriever, save)
        found = retriever.rank([request], top_k)[0]
    except ParetoGateError as exc:
        typer.echo(f"error: {printable(str(exc))}", err=True)
        raise typer.Exit(1) from exc
    pairs = [
        (offered.tools[offered.row(tool_id)], float(score))
        for tool_id, score in zip(found.tool_ids, found.scores, strict=True)
    ]
    if as_json:
        rows = [{"tool_id": t.tool_id, "name": t.name, "description": t.description, "score": s} for t, s in pairs]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return
    table = Table("score", "tool", "description")
    for tool, score in pairs:
        table.add_row(f"{score:.3f}", tool.name or tool.tool_id, tool.description[:120])
    _print(table)


@tools.command()
def synthesize(
    *,
    registry: Annotated[Path, typer.Option(help="Tools: Parquet, or JSON with an OpenAI `tools` array.")],
    usage: Annotated[Path, typer.Option(help="A few real requests as examples (Parquet: query, tool_ids).")],
    out: Annotated[Path, typer.Option(help="File to append to (JSONL); what is in it is gone on with.")],
    base_url: Annotated[str, typer.Option(help="OpenAI-compatible endpoint, such as http://127.0.0.1:8080/v1.")],
    model: Annotated[str, typer.Option(help="Model to ask.")] = "auto",
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the key.")] = None,
    calls: Annotated[int, typer.Option(min=2, help="Budget: calls of the model.")] = 100,
    recipe: Annotated[
        str, typer.Option(help="toolbank-1: choose among tools, write, rewrite; single-2: one tool, for small models.")
    ] = "toolbank-1",
    check: Annotated[bool, typer.Option(help="Keep only requests whose tools are found again.")] = True,
    seed: Annotated[int, typer.Option(help="Of the tools on offer.")] = 0,
    timeout_s: Annotated[float, typer.Option(help="For one answer.")] = 120.0,
) -> None:
    """Make up requests for tools that nobody has used, with any chat model."""
    import httpx  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    from predictors.tools import ToolUsage, build_retriever  # noqa: PLC0415
    from predictors.tools.synthesis import SINGLE, SynthesisTally  # noqa: PLC0415
    from predictors.tools.synthesis import synthesize as make_up  # noqa: PLC0415

    from .synthesis import http_chat, read_made, write_made  # noqa: PLC0415
    from .tables import read_registry, read_usage  # noqa: PLC0415

    key = os.environ.get(api_key_env, "") if api_key_env else ""
    tally = SynthesisTally()
    try:
        offered, already = read_registry(registry), read_made(out)
        past = read_usage(usage).within(offered)
        names = {tool.tool_id: tool.name for tool in offered}
        examples = [(q, [names[t] for t in ids]) for q, ids in zip(past.queries, past.tool_ids, strict=True)]
        finder = build_retriever("hybrid", _encoder(ToolEncoder.STATIC)).fit(offered, ToolUsage()) if check else None
        headers = {"authorization": f"Bearer {key}"} if key else {}
        with httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s) as client:
            for made in make_up(
                offered,
                http_chat(client, model=model, one_line=recipe == SINGLE),
                model=model,
                examples=examples,
                rng=np.random.default_rng((seed, len(already))),
                max_calls=calls,
                already=already,
                check=finder,
                tally=tally,
                recipe=recipe,
            ):
                write_made(out, made)
                typer.echo(f"{tally.kept} kept of {tally.calls} calls: {made.query[:80]}", err=True)
    except ParetoGateError as exc:
        typer.echo(f"error: {printable(str(exc))}", err=True)
        raise typer.Exit(1) from exc
    sys.stdout.write(json.dumps(asdict(tally)) + "\n")


def _check_outputs(*, files: "Sequence[Path | None]" = (), folders: "Sequence[Path | None]") -> None:
    """Refuse what cannot be written to, before minutes are spent on what would be written."""
    for path in filter(None, files):
        if not path.parent.is_dir():
            raise typer.BadParameter(f"{path.parent} is no folder, so {path.name} cannot be written there")
    for path in filter(None, folders):
        if path.exists() and not path.is_dir():
            raise typer.BadParameter(f"--save {path}: that is a file; name a folder")


def _retriever(
    registry: Path | None, usage: Path | None, *, load: Path | None, method: str, encoder: ToolEncoder
) -> "tuple[ToolRetriever, ToolRegistry]":
    """Fitted from files, or loaded, with the registry it serves."""
    from predictors.tools import build_retriever, load_retriever  # noqa: PLC0415

    from .tables import read_registry, read_usage  # noqa: PLC0415

    if load is None:
        if registry is None:
            raise typer.BadParameter("--registry is needed, or --load with a folder that --save wrote")
        offered = read_registry(registry)
        return build_retriever(method, _encoder(encoder)).fit(offered, read_usage(usage)), offered
    if usage is not None:
        raise typer.BadParameter("--usage is learned from when fitting; leave out --load to fit anew")
    loaded = load_retriever(load, _encoder(encoder))
    if registry is None:
        return loaded, loaded.evidence_.registry
    offered = read_registry(registry)
    return loaded.update(offered), offered


def _encoder(name: ToolEncoder) -> "Encoder":
    from predictors.encoders import CachedEncoder, JointEncoder, StaticEncoder  # noqa: PLC0415
    from predictors.encoders.onnx_minilm import OnnxMiniLmEncoder  # noqa: PLC0415
    from predictors.errors import EncoderUnavailableError  # noqa: PLC0415

    static = StaticEncoder.load()
    if name is ToolEncoder.STATIC:
        return CachedEncoder(static, max_entries=_CACHED_TEXTS)
    try:
        minilm = OnnxMiniLmEncoder.load()
    except EncoderUnavailableError as exc:
        if name is not ToolEncoder.AUTO:
            raise
        typer.echo(f"reading texts by the static encoder: {exc}", err=True)
        return CachedEncoder(static, max_entries=_CACHED_TEXTS)
    made: Encoder = JointEncoder(minilm, static) if name is ToolEncoder.BOTH else minilm
    return CachedEncoder(made, max_entries=_CACHED_TEXTS)


def _registries(
    registry: Path | None,
    train: Path | None,
    test: Path | None,
    *,
    data: Path | None,
    only: list[str] | None,
    single: Path | None,
) -> "list[LabelledRegistry]":
    from .tables import public_registries, read_labelled  # noqa: PLC0415

    given = (registry, train, test)
    if registry is not None and train is not None and test is not None:
        return [read_labelled(registry, train, test)]
    if any(path is not None for path in given):
        raise typer.BadParameter("--registry, --train and --test belong together")
    folders = list(public_registries(data or Path(os.environ.get(_DATA_VARIABLE, _DEFAULT_DATA))))
    names = [folder.name for folder in folders]
    for name in only or ():
        if name not in names:
            raise typer.BadParameter(f"--only {name}: the registries are {', '.join(names)}")
    chosen = [folder for folder in folders if not only or folder.name in only]
    if single is not None and len(chosen) != 1:
        raise typer.BadParameter("--rankings, --save, --load and --chart are of one registry; name it by --only")
    return [read_labelled(f / "tools.parquet", f / "queries.parquet", f / "queries.parquet") for f in chosen]


def _measured(
    labelled: "LabelledRegistry",
    methods: "Sequence[str]",
    reader: "Encoder",
    *,
    fitted: "Mapping[str, ToolRetriever]",
    save: Path | None,
) -> "RegistryResult":
    """All methods on one registry, with talk on the way; the last one is kept in the folder `save`."""
    from predictors.tools import save_retriever  # noqa: PLC0415

    from .retrieval import evaluate  # noqa: PLC0415 - polars is heavy

    def show(step: str) -> None:
        typer.echo(f"{labelled.name}: {step}", err=True)

    def keep(name: str, retriever: "ToolRetriever") -> None:
        if save is not None and name == methods[-1]:
            show(f"saved {save_retriever(retriever, save)[:12]}")

    return evaluate(labelled, methods, reader, clock=time.perf_counter, progress=show, fitted=fitted, keep=keep)


def _write_chart(path: Path, labelled: "LabelledRegistry", encoder: "Encoder") -> None:
    from .chart import usage_chart  # noqa: PLC0415
    from .retrieval import recall_by_usage  # noqa: PLC0415

    curves = recall_by_usage(
        labelled,
        ("dense", "tool2vec", "smoothed", "best"),
        encoder,
        progress=lambda step: typer.echo(f"{labelled.name}: {step}", err=True),
    )
    path.write_text(usage_chart(f"{labelled.name}: recall by usage", curves), encoding="utf-8")


def _print(*lines: object) -> None:
    from eval.screen import screen  # noqa: PLC0415

    console = screen(page_width=_PAGE_WIDTH)
    for line in lines:
        console.print(line)
