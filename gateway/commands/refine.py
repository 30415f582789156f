"""`paretogate refine`: from the journal to measured facts, once or for as long as it runs."""

import contextlib
import os
import time
from typing import Annotated

import orjson
import typer
from rich.table import Table

from catalog import Catalog, Measured, ModelProfile, UnknownModelError
from gateway.file_locks import held
from gateway.journal.collecting import Collecting, collecting
from gateway.refinement import HalfLives, Refinement, SharedFindings
from gateway.refinement import refine as one_pass
from gateway.refinement import watch as keep_refining
from gateway.settings import Settings, load_settings
from gateway.startup import open_catalog
from gateway.tools.calls.learning import learn_tools

from .collect import warn
from .options import AsJson, ConfigFile, Termination, console, working_folder

__all__ = ["refine", "refinement_pass"]


def refine(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until interrupted.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two passes of --watch.", min=0.1)] = 10.0,
    rebuild: Annotated[bool, typer.Option(help="Forget what was learned and read the whole journal again.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Learn from the journal how fast, long and reliable backends are; a running gateway takes it up by itself.

    A journal in Redis is collected first, as `paretogate journal collect` does, and every replica that writes to it
    takes up what was learned.
    """
    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    catalog = open_catalog(settings)

    def show(done: Refinement) -> None:
        _show(done, settings, as_json=as_json)

    with contextlib.ExitStack() as stack:
        collected, shared = _collected(settings, stack), _shared(settings, stack)

        def one_pass(*, rebuild: bool = False) -> Refinement:
            if collected is not None:
                collected.all()
            done = refinement_pass(settings, catalog, rebuild=rebuild)
            if shared is not None:
                shared.publish()
            return done

        if not watch:
            show(one_pass(rebuild=rebuild))
            return
        stop = Termination()
        if rebuild:
            show(one_pass(rebuild=True))
        typer.echo(f"refining {settings.journal_path} every {every:g} s; Ctrl-C ends", err=True)
        keep_refining(
            one_pass,
            every_s=every,
            stop=stop,
            report=show,
            failed=lambda exc: typer.echo(f"error: {exc}; trying again in {every:g} s", err=True),
        )


def _collected(settings: Settings, stack: contextlib.ExitStack) -> Collecting | None:
    """What brings a journal from Redis, unless another process does so into the same file; None where a file is it."""
    if settings.journal.stream_url is None:
        return None
    return stack.enter_context(collecting(settings, patient=True, note=warn))


def _shared(settings: Settings, stack: contextlib.ExitStack) -> SharedFindings | None:
    """What tells the replicas that write to a journal in Redis; None where a file is it."""
    if settings.journal.stream_url is None:
        return None
    return stack.enter_context(contextlib.closing(SharedFindings(settings)))


def refinement_pass(settings: Settings, catalog: Catalog, *, rebuild: bool = False) -> Refinement:
    """One pass over the journal that the settings name; of two that begin at once, one waits for the other.

    Each reads what is known, adds to it and writes it: what the slower had read would come in the place of what the
    faster has learned, a `rebuild` among that.
    """

    def profile_of(model: str) -> ModelProfile | None:
        try:
            return catalog.resolve(model)
        except UnknownModelError:
            return None

    with held(settings.measured_path.with_suffix(".lock")):
        if settings.tools.learn:
            learn_tools(
                settings.journal_path,
                settings.tools_dir / "usage",
                half_life_s=settings.tools.half_life_s,
                now_s=time.time(),
                rebuild=rebuild,
            )
        return one_pass(
            settings.journal_path,
            settings.measured_path,
            profile_of=profile_of,
            now_s=time.time(),
            half_lives=HalfLives(
                latency_s=settings.learning.latency_half_life_s, length_s=settings.learning.length_half_life_s
            ),
            rebuild=rebuild,
        )


def _show(done: Refinement, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        report = {
            "new_outcomes": done.new_outcomes,
            "file": str(settings.measured_path),
            "measured": done.findings.measured,
        }
        typer.echo(orjson.dumps(report).decode())
        return
    typer.echo(f"{done.new_outcomes} new outcomes; facts in {settings.measured_path}", err=True)
    if done.findings.measured:
        console().print(_table(done.findings.measured))


def _table(measured: dict[str, Measured]) -> Table:
    table = Table(title="Measured")
    lengths = ("output tokens", "input ratio", "tokens added")
    for column in ("backend", "calls", "first token s", "tokens/s", *lengths, "errors"):
        table.add_column(column, justify="left" if column == "backend" else "right")
    for backend, facts in sorted(measured.items()):
        speed = 1 / facts.seconds_per_output_token if facts.seconds_per_output_token else None
        table.add_row(
            backend,
            str(facts.n_calls),
            _plus_minus(facts.ttft_s, facts.ttft_sd_s, ".2f"),
            _figure(speed, ".1f"),
            _plus_minus(facts.output_tokens_mean, facts.output_tokens_sd, ".0f"),
            _figure(facts.input_token_ratio, ".2f"),
            _figure(facts.input_tokens_added, ".0f"),
            _figure(facts.error_rate, ".1%"),
        )
    return table


def _figure(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)


def _plus_minus(mean: float | None, sd: float | None, form: str) -> str:
    return _figure(mean, form) + ("" if sd is None else f" ±{sd:{form}}")
