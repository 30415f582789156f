"""What the procedures find of models that are known through and through."""

import math
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from catalog import ModelProfile, Trust
from catalog.importers.overlay import read_overlay
from eval.probing import PROCEDURES, Asking, Budget, Ledger, ProbeResult, Subject
from eval.probing.bank import make_questions
from eval.probing.endpoint import TokenScore
from eval.probing.habits import verify_canaries
from eval.probing.overlay_file import write_overlay
from eval.probing.procedures import shares
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.quality import QualityModel

from .answering import Answering

QUESTIONS = make_questions(120)
RIGHT = {question.prompt(): question for question in QUESTIONS}


@pytest.fixture(scope="module")
def subject() -> Subject:
    quality = QualityModel.load()
    return Subject(
        profile=ModelProfile(id="huggingfacetb/smollm2-135m-instruct", name="x", params_total_b=0.135),
        questions=QUESTIONS,
        quality=quality,
        features=Features.named(quality.features_name, open_encoder("static")),
        texts=("a text",),
    )


def run(
    name: str, subject: Subject, endpoint: Answering, tmp_path: Path, *, calls: int = 60, budget: int = 500
) -> ProbeResult:
    with Ledger(tmp_path / f"{name}-{id(endpoint)}.jsonl") as ledger:
        asking = Asking(endpoint, ledger, Budget(calls=budget), model="m")
        return PROCEDURES[name](subject, asking, calls=calls)


def knowing(prompt: str) -> str:
    question = RIGHT.get(prompt)
    return "ABCD"[question.right] if question else "no idea"


def test_a_model_that_is_always_right_is_placed_above_one_that_never_is(subject: Subject, tmp_path: Path) -> None:
    strong = run("quality", subject, Answering(knowing), tmp_path)
    weak = run("quality", subject, Answering(lambda _: "none of them"), tmp_path)
    assert strong.facts[0].value == 1.0
    assert weak.facts[0].value == 0.0
    assert strong.ability is not None
    assert weak.ability is not None
    assert strong.ability.mean > weak.ability.mean + 1.0


def test_a_budget_that_ends_leaves_what_was_found_so_far(subject: Subject, tmp_path: Path) -> None:
    found = run("quality", subject, Answering(knowing), tmp_path, budget=7)
    assert not found.complete
    assert found.facts[0].n == 7


def test_a_favourite_position_is_found_and_so_is_a_yes_to_everything(subject: Subject, tmp_path: Path) -> None:
    found = run("bias", subject, Answering(lambda p: "Yes." if "Is that true" in p else "A"), tmp_path)
    by = {fact.name: fact.value for fact in found.facts}
    assert by["position_bias"] == pytest.approx(0.75)  # one of four, always
    assert by["position_consistency"] == 0.0
    assert by["yes_bias"] == pytest.approx(0.5)
    assert by["yes_contradictions"] == 1.0


def test_times_are_recovered_from_whole_answers(subject: Subject, tmp_path: Path) -> None:
    found = run("latency", subject, Answering(lambda _: "once"), tmp_path, calls=24)
    by = {fact.name: fact.value for fact in found.facts}
    assert by["tokens_per_s"] == pytest.approx(50.0, rel=1e-6)  # 20 ms each
    assert 0.1 < by["ttft_s"] < 0.5


def test_bits_per_token_come_from_log_probabilities(subject: Subject, tmp_path: Path) -> None:
    score = TokenScore(log_probability=(math.log(0.5), math.log(0.25)), text_bytes=(4, 2))
    found = run("capacity", subject, Answering(lambda _: "", score=score), tmp_path)
    by = {fact.name: fact.value for fact in found.facts}
    assert by["nll_bits"] == pytest.approx(1.5)  # one bit and two
    assert by["text_size_bits"] == 24.0  # three bytes
    assert by["bits_per_byte"] == pytest.approx(0.5)


def test_a_backend_without_log_probabilities_is_said_to_be_unmeasured(subject: Subject, tmp_path: Path) -> None:
    found = run("capacity", subject, Answering(lambda _: ""), tmp_path)
    assert found.facts == ()
    assert "gives no log-probabilities" in found.note


def test_a_layout_that_a_model_cannot_read_shows_as_spread(subject: Subject, tmp_path: Path) -> None:
    def only_plain(prompt: str) -> str:
        asked = next((q for q in QUESTIONS if q.text in prompt), None)
        return asked.options[asked.right] if asked and "QUESTION" not in prompt else "?"

    found = run("format", subject, Answering(only_plain), tmp_path, calls=200)
    by = {fact.name: fact.value for fact in found.facts}
    assert by["format_best"] > by["format_worst"]
    assert by["format_spread"] == pytest.approx(by["format_best"] - by["format_worst"])


def test_the_form_of_data_that_a_model_reads_is_found(subject: Subject, tmp_path: Path) -> None:
    def reads_json(prompt: str) -> str:
        return "12" if '"price"' in prompt and "price of the bolt" in prompt else "0"

    found = run("context", subject, Answering(reads_json), tmp_path, calls=8)
    by = {fact.name: fact.value for fact in found.facts}
    assert by["context_json"] == 0.5  # of bolt's price and stock
    assert by["context_yaml"] == 0.0


@pytest.mark.parametrize(("now", "rejected"), [(str.upper, False), (lambda _: "something else", True)])
def test_canaries_know_the_model_again_and_another_one_too(
    now: Callable[[str], str], rejected: bool, subject: Subject, tmp_path: Path
) -> None:
    found = run("canary", subject, Answering(str.upper), tmp_path)
    assert len(found.canaries) == 30
    assert found.self_mismatch == 0.05
    with Ledger(tmp_path / "again.jsonl") as ledger:
        asking = Asking(Answering(now), ledger, Budget(calls=50), model="m")
        verdict = verify_canaries(found.canaries, asking, self_mismatch=found.self_mismatch or 1.0)
    assert verdict.rejected is rejected


def test_what_is_found_reads_back_as_a_catalog_overlay(subject: Subject, tmp_path: Path) -> None:
    quality = run("quality", subject, Answering(knowing), tmp_path)
    latency = run("latency", subject, Answering(lambda _: "once"), tmp_path)
    file = tmp_path / "overlay.toml"
    write_overlay(file, subject.profile.id, [quality, latency], today=date(2026, 11, 24))
    (profile,) = read_overlay(file)
    assert quality.ability is not None
    assert profile.ability["general"].mean == pytest.approx(quality.ability.mean, abs=1e-3)
    assert profile.tokens_per_s == pytest.approx(50.0)
    assert profile.provenance["ability"].trust is Trust.MEASURED
    assert profile.provenance["tokens_per_s"].recorded == date(2026, 11, 24)
    assert profile.measured["probe_score"].value == 1.0


def test_shares_never_exceed_the_budget() -> None:
    assert sum(shares(list(PROCEDURES), 200).values()) <= 200
    assert shares(["capacity"], 3) == {"capacity": 3}
