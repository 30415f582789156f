"""Champion and challenger on evidence whose truth is known."""

import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eval.errors import InvalidReplayError
from eval.intervals import Interval
from eval.journal.logged_decisions import LoggedDecision, read_journal
from eval.outcomes.sources import read_table
from eval.policy.difference import Change
from eval.promotion.judge import judge_predictor, objections
from eval.promotion.trials import Contest, Trial, judge_forecasts, on_journal, on_outcomes
from predictors.quality.protocol import QualityEstimate
from predictors.trained_questions import TrainedQuestions
from router.promotion import PromotionRules

SHIPPED = Path(__file__).parents[3] / "predictors" / "data" / "default"
MODELS = ("openai/gpt-3.5-turbo", "openai/gpt-5")


@pytest.fixture
def challenger(tmp_path: Path) -> Path:
    """The predictor that ships, in a folder of its own, which says that it was trained on one of the prompts."""
    folder = tmp_path / "challenger"
    folder.mkdir()
    for path in SHIPPED.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    TrainedQuestions.of([prompt(0)]).save(folder)
    return folder


def prompt(i: int) -> str:
    return f"Question {i}: which of these rivers is the longest, and why?"


def contest(challenger: Path, policy: str = "balanced") -> Contest:
    return Contest(champion=None, challenger=challenger, policy=policy, policies={})


def outcomes(folder: Path, *, n: int = 40) -> Path:
    rows = [
        {"prompt": prompt(i), "model": model, "score": score, "cost_usd": cost}
        for i in range(n)
        for model, score, cost in zip(MODELS, (float(i % 2), 1.0), (0.001, 0.02), strict=True)
    ]
    path = folder / "outcomes.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


def journal(folder: Path, *, n: int, keep: bool = True, fallback: bool = False) -> Path:
    """Choices drawn evenly; the dear model is right nine times in ten, the other half as often."""
    rng, lines = random.Random(0), []
    for i in range(n):
        chosen = rng.randrange(2)
        candidates = [
            {"id": name, "backend": f"b{k}", "quality": q, "quality_se": 0.05, "cost_usd": c, "eligible": True}
            for k, (name, q, c) in enumerate(zip(MODELS, (0.6, 0.8), (0.001, 0.02), strict=True))
        ]
        query = {"tokens": 12, "text": prompt(i)} if keep else {"tokens": 12}
        answered = f"b{1 - chosen}" if fallback else f"b{chosen}"
        lines += [
            {"decision_id": f"d{i}", "candidates": candidates, "chosen": MODELS[chosen], "backend": f"b{chosen}",
             "propensity": 0.5, "query": query},
            {"decision_id": f"d{i}", "backend": answered, "status": "ok"},
            {"decision_id": f"d{i}", "metric": "right", "value": float(rng.random() < (0.45, 0.9)[chosen])},
        ]  # fmt: skip
    path = folder / "journal.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_equals_are_told_to_be_equal_on_what_neither_was_trained_on(tmp_path: Path, challenger: Path) -> None:
    trial = on_outcomes(read_table(str(outcomes(tmp_path)), data=tmp_path), contest(challenger))
    assert (trial.n, trial.left_out, trial.changed) == (39, 1, 0.0)
    assert trial.score.difference.lower == trial.score.difference.upper == 0.0
    assert trial.flips[0].negative == 0.0
    assert trial.best_single == MODELS[1]


def test_a_journal_values_choices_by_what_was_logged(tmp_path: Path, challenger: Path) -> None:
    log = read_journal(journal(tmp_path, n=600))
    best = on_journal(log, contest(challenger, "best"))
    assert (best.n, best.left_out, best.changed) == (599, 1, 0.0)
    assert best.score.new == pytest.approx(0.9, abs=0.06)  # nearly always the dear one, whose true value is 0.9
    assert best.cost_usd is not None
    assert best.cost_usd.new > 0.019


def test_after_a_fallback_the_reward_says_nothing_of_the_choice(tmp_path: Path, challenger: Path) -> None:
    log = read_journal(journal(tmp_path, n=5, fallback=True))
    with pytest.raises(InvalidReplayError, match="feedback"):
        on_journal(log, contest(challenger))


def test_a_journal_without_prompts_is_told_how_to_keep_them(tmp_path: Path, challenger: Path) -> None:
    with pytest.raises(InvalidReplayError, match=r"journal\.prompts"):
        on_journal(read_journal(journal(tmp_path, n=5, keep=False)), contest(challenger))


def test_evidence_that_all_trained_the_challenger_judges_nothing(tmp_path: Path, challenger: Path) -> None:
    TrainedQuestions.of([prompt(i) for i in range(40)]).save(challenger)
    with pytest.raises(InvalidReplayError, match="trained the challenger"):
        on_outcomes(read_table(str(outcomes(tmp_path)), data=tmp_path), contest(challenger))
    with pytest.raises(InvalidReplayError, match="trained the challenger"):
        on_journal(read_journal(journal(tmp_path, n=40)), contest(challenger))


def test_rewards_that_the_champion_has_learned_from_do_not_judge_its_forecasts(
    tmp_path: Path, challenger: Path
) -> None:
    champion = tmp_path / "champion"
    shutil.copytree(challenger, champion)
    TrainedQuestions.of([prompt(i) for i in range(10, 30)]).save(champion)
    log = read_journal(journal(tmp_path, n=60))
    trial = on_journal(log, replace(contest(challenger), champion=champion))
    assert (trial.n, trial.left_out) == (39, 21)
    TrainedQuestions.of([prompt(i) for i in range(60)]).save(champion)
    with pytest.raises(InvalidReplayError, match="or what it is compared with"):
        on_journal(log, replace(contest(challenger), champion=champion))


def test_the_judge_objects_in_words(tmp_path: Path, challenger: Path) -> None:
    verdict = judge_predictor(
        None, challenger, str(journal(tmp_path, n=50)), rules=PromotionRules(), policies={}, data=tmp_path, seed=0
    )
    assert not verdict.passed
    assert verdict.objections == ("49 prompts are too few to judge by; at least 200 are asked for",)
    assert verdict.facts["evidence"] == str(tmp_path / "journal.jsonl")


def test_every_rule_objects_to_what_breaks_it(tmp_path: Path, challenger: Path) -> None:
    rules = PromotionRules(at_least=10)
    fine = on_outcomes(read_table(str(outcomes(tmp_path)), data=tmp_path), contest(challenger))
    fine = replace(fine, over_best_single=Interval(lower=-0.1, upper=0.1))
    assert list(objections(fine, rules)) == []

    worse = Change(old=0.8, new=0.7, difference=Interval(lower=-0.15, upper=-0.05))
    dearer = Change(old=0.001, new=0.002, difference=Interval(lower=0.0005, upper=0.0015))
    better = Change(old=0.7, new=0.8, difference=Interval(lower=0.05, upper=0.15))
    flips = (replace(fine.flips[0], negative=0.2),)
    for change, words in (
        ({"score": worse}, "the interval of the difference begins at -0.1500"),
        ({"cost_usd": dearer}, "surely more"),
        ({"flips": flips}, "20.0% of the prompts were answered rightly"),
        ({"over_best_single": Interval(lower=-0.2, upper=-0.1)}, f"always asking {MODELS[1]} is surely better"),
    ):
        [objection] = objections(replace(fine, **change), rules)
        assert words in objection
    assert list(objections(replace(fine, cost_usd=dearer, score=better), rules)) == []  # worth its price


def test_prompts_that_one_model_alone_was_tried_on_judge_nobody(tmp_path: Path, challenger: Path) -> None:
    path = outcomes(tmp_path)
    table = pl.read_csv(path)
    beyond = table.with_row_index().filter((pl.col("index") < 20) | (pl.col("index") % 2 == 0)).drop("index")
    beyond.write_csv(path)  # ten prompts put to both, thirty to the cheap model alone
    trial = on_outcomes(read_table(str(path), data=tmp_path), contest(challenger))
    assert (trial.n, trial.left_out) == (9, 1)
    alone = table.with_row_index().filter((pl.col("index") % 4).is_in([0, 3])).drop("index")  # each to one of the two
    alone.write_csv(path)
    with pytest.raises(InvalidReplayError, match="no prompt was put to two models"):
        on_outcomes(read_table(str(path), data=tmp_path), contest(challenger))


def explored_now_and_then(folder: Path, *, n: int, new_is_right: float) -> Path:
    """The dear model answers and is right nine times in ten; the cheap one is drawn once in a hundred."""
    rng, lines = random.Random(0), []
    for i in range(n):
        chosen = 0 if rng.random() < 0.01 else 1
        candidates = [
            {"id": name, "backend": f"b{k}", "quality": q, "quality_se": 0.0, "cost_usd": c, "eligible": True,
             "propensity": p}
            for k, (name, q, c, p) in enumerate(zip(MODELS, (0.85, 0.9), (0.001, 0.02), (0.01, 0.99), strict=True))
        ]  # fmt: skip
        lines += [
            {"decision_id": f"d{i}", "candidates": candidates, "chosen": MODELS[chosen], "backend": f"b{chosen}",
             "propensity": (0.01, 0.99)[chosen], "query": {"tokens": 12, "text": prompt(i)}},
            {"decision_id": f"d{i}", "metric": "right", "value": float(rng.random() < (new_is_right, 0.9)[chosen])},
        ]  # fmt: skip
    path = folder / "journal.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


class FixedScores:
    """Expected scores of the two models, in place of what a saved predictor would say."""

    def __init__(self, cheap: float, dear: float) -> None:
        self._scores = np.array([[cheap, dear]])

    def of(self, decision: LoggedDecision) -> QualityEstimate:
        del decision
        return QualityEstimate(mean=self._scores, se=np.zeros((1, 2)), familiarity=np.ones(1))


def judged(log: Sequence[LoggedDecision], challenger: Path, *, old: FixedScores, new: FixedScores) -> Trial:
    return judge_forecasts(log, (old, new), contest(challenger, "best"), left_out=0)


def test_a_challenger_of_which_few_explored_choices_tell_is_refused_and_told_what_helps(
    tmp_path: Path, challenger: Path
) -> None:
    """It would ask a worse model; a resampled interval saw no more than the few answers there were."""
    log = read_journal(explored_now_and_then(tmp_path, n=200, new_is_right=0.75))
    trial = judged(log, challenger, old=FixedScores(0.6, 0.9), new=FixedScores(0.95, 0.6))
    assert (trial.changed, trial.without_support) == (1.0, 0.0)
    assert trial.explored == sum(one.chosen == 0 for one in log) <= 8
    assert trial.score.difference.lower < 0.75 - 0.9 < trial.score.difference.upper
    [objection] = objections(trial, PromotionRules())
    assert f"; {trial.explored} explored choices tell of the 100.0% of the decisions that change" in objection
    assert "learning.explore" in objection


def test_a_change_that_the_journal_has_no_support_for_is_told_and_objected_to(tmp_path: Path, challenger: Path) -> None:
    log = read_journal(explored_now_and_then(tmp_path, n=300, new_is_right=0.9))
    certain = [replace(one, propensities=np.array([0.0, 1.0])) for one in log if one.chosen == 1]
    trial = judged(certain, challenger, old=FixedScores(0.6, 0.9), new=FixedScores(0.95, 0.6))
    assert (trial.changed, trial.without_support, trial.explored) == (1.0, 1.0, 0)
    assert trial.score.difference == Interval(lower=0.0, upper=0.0)  # no forecast is counted on
    [objection] = objections(trial, PromotionRules())
    assert "100.0% of the decisions would go to a model that the journal could not have chosen there" in objection


def test_a_conversation_that_stays_with_its_model_is_no_change(tmp_path: Path, challenger: Path) -> None:
    log = read_journal(explored_now_and_then(tmp_path, n=300, new_is_right=0.9))
    held = [replace(one, last_answered=1) for one in log if one.chosen == 1]
    trial = judged(held, challenger, old=FixedScores(0.6, 0.9), new=FixedScores(0.92, 0.9))  # a lead below the margin
    assert (trial.changed, trial.without_support, trial.other_policy) == (0.0, 0.0, 0.0)
    assert list(objections(trial, PromotionRules())) == []


def test_a_journal_of_other_policies_is_told_to_be_one(tmp_path: Path, challenger: Path) -> None:
    log = read_journal(explored_now_and_then(tmp_path, n=40, new_is_right=0.9))
    mixed = [replace(one, policy="cheap" if i % 4 == 0 else "best") for i, one in enumerate(log)]
    assert judged(mixed, challenger, old=FixedScores(0.6, 0.9), new=FixedScores(0.6, 0.9)).other_policy == 0.25


def test_a_decision_without_a_choice_judges_nobody(tmp_path: Path, challenger: Path) -> None:
    log = read_journal(journal(tmp_path, n=30))
    alone = [replace(one, eligible=np.arange(2) == one.chosen) for one in log]
    assert on_journal([*log[:20], *alone[20:]], contest(challenger)).n == 19
    with pytest.raises(InvalidReplayError, match="two models to choose from"):
        on_journal(alone, contest(challenger))
