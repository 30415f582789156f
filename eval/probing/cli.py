"""`paretogate probe`: parse, run the procedures, write the overlay, print."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog import InvalidMeasurementError, ModelProfile, ParetoGateError, UnknownModelError, printable, read_text

if TYPE_CHECKING:
    from .asking import Asking, Budget
    from .results import ProbeResult, Subject

__all__ = ["probe"]

_WHAT = "quality,format,context,bias,canary,latency,capacity"
_GATEWAY = "http://127.0.0.1:8321/v1"
_KEY_VARIABLE = "PARETOGATE_PROBE_KEY"


def probe(
    model: Annotated[str, typer.Argument(help="The model's name at the endpoint; its catalog id, unless --profile.")],
    *,
    budget: Annotated[int, typer.Option(min=1, help="Calls in all, those of earlier runs included.")] = 200,
    what: Annotated[str, typer.Option(help="Procedures, by comma.")] = _WHAT,
    base_url: Annotated[str, typer.Option(help="An OpenAI-compatible endpoint; default: the gateway here.")] = _GATEWAY,
    backend: Annotated[
        str | None, typer.Option(help="`local`: the embedded model, or --gguf, without a server.")
    ] = None,
    gguf: Annotated[Path | None, typer.Option(help="The file of a local model.")] = None,
    profile: Annotated[str | None, typer.Option(help="Catalog id, where the endpoint has another name for it.")] = None,
    max_usd: Annotated[float | None, typer.Option(help="Dollars in all, by the catalog's price.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens in all.")] = None,
    questions: Annotated[Path | None, typer.Option(help="Your own: JSON lines of question, options, right.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the answers, the overlay and the canaries.")] = Path("probes"),
    sibling: Annotated[list[Path] | None, typer.Option(help="Canaries of another model; repeatable.")] = None,
    canaries: Annotated[
        Path | None, typer.Option(help="Verify the recorded canaries of this file instead; exit 1 on another model.")
    ] = None,
    key_env: Annotated[str, typer.Option(help="Environment variable that holds the API key.")] = _KEY_VARIABLE,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Measure a model behind an endpoint within a budget; stopped at any moment, the same command goes on."""
    from .asking import Budget  # noqa: PLC0415 - help must not wait for the libraries below

    limits = Budget(calls=budget, tokens=max_tokens, usd=max_usd)
    try:
        known = _profile(profile or model)
        with _endpoint_url(backend, gguf, model, base_url) as url:
            if canaries is not None:
                _verify(canaries, url, model, known, limits, os.environ.get(key_env), as_json=as_json)
                return
            names = _procedures(what)
            subject = _subject(known, questions, sibling or [])
            folder = out / model.replace("/", "--")
            report = _probe(names, subject, url, model, limits, folder, os.environ.get(key_env))
    except ParetoGateError as exc:
        typer.echo(f"error: {printable(str(exc))}", err=True)
        raise typer.Exit(1) from exc
    if as_json:
        sys.stdout.write(json.dumps(report, indent=1, default=str) + "\n")
    else:
        _print(report)


def _probe(  # noqa: PLR0917  # private, and named at its one call
    names: list[str], subject: "Subject", url: str, model: str, budget: "Budget", folder: Path, key: str | None
) -> dict[str, Any]:
    from catalog.capability.canary_file import Fingerprint, write_fingerprint  # noqa: PLC0415

    from .overlay_file import write_overlay  # noqa: PLC0415
    from .procedures import run_procedure, shares  # noqa: PLC0415

    parts = shares(names, budget.calls)
    found: list[ProbeResult] = []
    today = datetime.now(tz=UTC).date()
    with _asking(url, model, subject.profile, budget, folder / "answers.jsonl", key) as asking:
        for name in names:
            typer.echo(f"{name}: up to {parts[name]} calls, {asking.calls} made", err=True)
            found.append(run_procedure(name, subject, asking, calls=parts[name]))
            write_overlay(folder / "overlay.toml", subject.profile.id, found, today=today)
        spent = {"calls": asking.calls, "tokens": asking.tokens, "usd": asking.usd}
    for one in found:
        if one.canaries:
            kept = Fingerprint(
                model=subject.profile.id,
                recorded=today.isoformat(),
                self_mismatch=one.self_mismatch if one.self_mismatch is not None else 1.0,
                canaries=one.canaries,
            )
            write_fingerprint(folder / "canaries.json", kept)
    return {
        "model": subject.profile.id,
        "spent": spent,
        "overlay": str(folder / "overlay.toml"),
        "found": [asdict(one) for one in found],
    }


def _verify(  # noqa: PLR0917  # private, and named at its one call
    path: Path, url: str, model: str, profile: ModelProfile, budget: "Budget", key: str | None, *, as_json: bool
) -> None:
    from catalog.capability.canary_file import read_fingerprint  # noqa: PLC0415

    from .habits import verify_canaries  # noqa: PLC0415

    try:
        recorded = read_fingerprint(path)
    except InvalidMeasurementError as exc:
        raise typer.BadParameter(str(exc), param_hint="--canaries") from exc
    stamp = datetime.now(tz=UTC).strftime("%Y%m%dT%H%M%SZ")
    ledger = path.with_name(f"verified-{stamp}.jsonl")  # asked anew each time
    with _asking(url, model, profile, budget, ledger, key) as asking:
        verdict = verify_canaries(
            recorded.canaries, asking, self_mismatch=recorded.self_mismatch, max_tokens=recorded.max_tokens
        )
    if as_json:
        sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
    else:
        said = "not the model that was recorded" if verdict.rejected else "the model that was recorded"
        sys.stdout.write(
            f"{profile.id}: {said}; {verdict.mismatches} of {verdict.n} canaries differ, p = {verdict.p_value:.3g}\n"
        )
    if verdict.rejected:
        raise typer.Exit(1)


@contextmanager
def _asking(  # noqa: PLR0917  # private, and named at its one call
    url: str, model: str, profile: ModelProfile, budget: "Budget", ledger: Path, key: str | None
) -> Iterator["Asking"]:
    from eval.screen import progress_bar  # noqa: PLC0415

    from .asking import Asking  # noqa: PLC0415
    from .endpoint import HttpEndpoint  # noqa: PLC0415
    from .ledger import Ledger  # noqa: PLC0415

    endpoint = HttpEndpoint(base_url=url, model=model, api_key=key)
    try:
        with progress_bar() as bar, Ledger(ledger) as memory:
            task = bar.add_task("asking", total=budget.calls, completed=len(memory))
            yield Asking(
                endpoint,
                memory,
                budget,
                model=model,
                price=profile.price,
                progress=lambda: bar.update(task, advance=1),
            )
    finally:
        endpoint.close()


@contextmanager
def _endpoint_url(backend: str | None, gguf: Path | None, model: str, base_url: str) -> Iterator[str]:
    from .local_model import local_model  # noqa: PLC0415

    if backend is None and gguf is None:
        yield base_url
        return
    if backend not in {None, "local"}:
        raise typer.BadParameter("give `local`, or name the backend's model and its --base-url", param_hint="--backend")
    with local_model(model, gguf=gguf) as url:
        yield url


def _procedures(what: str) -> list[str]:
    from .procedures import PROCEDURES  # noqa: PLC0415

    names = [name.strip() for name in what.split(",") if name.strip()]
    if unknown := sorted(set(names) - set(PROCEDURES)):
        raise typer.BadParameter(f"{unknown[0]} is unknown; choose from {', '.join(PROCEDURES)}", param_hint="--what")
    return names


def _profile(model: str) -> ModelProfile:
    from catalog.registry import Catalog  # noqa: PLC0415

    try:
        return Catalog.load().resolve(model)
    except UnknownModelError:
        typer.echo(f"{model} is not in the catalog; it is placed as an unknown model", err=True)
        return ModelProfile(id=model if "/" in model else f"unlisted/{model}", name=model)


def _subject(profile: ModelProfile, questions: Path | None, siblings: list[Path]) -> "Subject":
    from predictors.encoders import open_encoder  # noqa: PLC0415
    from predictors.features import Features  # noqa: PLC0415
    from predictors.quality import QualityModel  # noqa: PLC0415

    from .bank import make_questions, read_questions  # noqa: PLC0415
    from .habits import CANARY_PROMPTS  # noqa: PLC0415
    from .results import Subject  # noqa: PLC0415
    from .texts import TEXTS  # noqa: PLC0415

    told: dict[str, list[str]] = {}
    for path in siblings:
        recorded = json.loads(read_text(path))
        answers: Mapping[str, str] = {one["prompt"]: one["answer"] for one in recorded["canaries"]}
        told[recorded["model"]] = [answers.get(prompt, "") for prompt in CANARY_PROMPTS]
    quality = QualityModel.load()
    return Subject(
        profile=replace(profile),
        questions=read_questions(questions) if questions else make_questions(400),
        quality=quality,
        features=Features.named(quality.features_name, open_encoder("static")),
        texts=TEXTS,
        siblings=told,
    )


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table  # noqa: PLC0415

    from eval.screen import screen  # noqa: PLC0415

    table = Table(title=f"{report['model']}: {report['spent']['calls']} calls, {report['spent']['tokens']} tokens")
    for column in ("procedure", "fact", "value", "error", "unit", "n"):
        table.add_column(column)
    for one in report["found"]:
        if one["ability"]:
            ability = one["ability"]
            table.add_row(one["procedure"], "ability", f"{ability['mean']:.3f}", f"{ability['se']:.3f}", "logits", "")
        for fact in one["facts"]:
            se = f"{fact['se']:.4f}" if fact["se"] is not None else ""
            table.add_row(one["procedure"], fact["name"], f"{fact['value']:.4g}", se, fact["unit"], str(fact["n"]))
        if one["note"]:
            table.add_row(one["procedure"], "note", one["note"], "", "", "")
    screen().print(table)
    typer.echo(f"overlay: {report['overlay']}", err=True)
