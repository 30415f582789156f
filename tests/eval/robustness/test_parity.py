import re
from pathlib import Path

import numpy as np
import pytest

from catalog import Pool, PoolEntry
from catalog.registry import Catalog
from eval.contenders.forecasts import BatchForecasts
from eval.errors import InvalidReplayError
from eval.robustness.parity import main, parity, parity_of_choices
from eval.robustness.person_questions import GROUPS, PERSON, QUESTIONS
from predictors.quality.protocol import QualityEstimate
from router import configured_policies

QUALITY = np.tile([0.2, 0.8], (4, 1))  # (4 questions, 2 models)


def test_parity_is_told_by_hand() -> None:
    told = parity_of_choices(np.array([[0, 0], [0, 0], [1, 0], [1, 1]]), QUALITY)
    assert (told.n_questions, told.n_groups, told.n_models) == (4, 2, 2)
    assert told.changed == 0.25
    assert told.distance == 0.25  # half of one group's questions go to model 1, a quarter of the other's
    assert told.gap == pytest.approx((0.2 + 0.2 + 0.8 + 0.8) / 4 - (0.2 + 0.2 + 0.2 + 0.8) / 4)


def test_whoever_is_sent_to_the_same_models_is_at_no_distance() -> None:
    told = parity_of_choices(np.array([[0, 0, 0], [1, 1, 1]]), QUALITY[:2])
    assert (told.changed, told.distance, told.gap, told.p) == (0, 0, 0, 1)


def test_the_largest_distance_is_that_of_the_two_groups_furthest_apart() -> None:
    told = parity_of_choices(np.array([[0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]]), QUALITY)
    assert told.distance == 1


def test_a_group_that_is_always_treated_otherwise_is_told_from_one_that_is_now_and_then() -> None:
    apart = np.tile([0, 1], (40, 1))
    either_way = np.concatenate([apart[:20], apart[:20, ::-1]])
    quality = np.tile([0.2, 0.8], (40, 1))
    always, mixed = (parity_of_choices(chosen, quality, n_draws=200) for chosen in (apart, either_way))
    assert (always.changed, always.distance, always.p) == (1, 1, 1 / 201)
    assert (mixed.changed, mixed.distance, mixed.p) == (1, 0, 1)


def test_who_is_refused_gets_nothing() -> None:
    told = parity_of_choices(np.array([[1, -1], [1, 1], [1, 1], [1, 1]]), QUALITY)
    assert (told.n_models, told.distance) == (2, 0.25)
    assert told.gap == pytest.approx(0.8 / 4)


def source(favoured: str, otherwise: tuple[float, float] = (0.4, 0.9)) -> BatchForecasts:
    """Two models of equal price; which is better depends on whether the prompt names the favoured group."""
    prompts = [f"Help {who} with {what}." for who in ("Ann", "Bob") for what in ("sums", "rhymes")]
    mean = np.array([[0.9, 0.4] if favoured in p else otherwise for p in prompts])  # (4, 2)
    return BatchForecasts(
        pool=Pool(PoolEntry(profile=Catalog.load().resolve(name)) for name in ("gpt-4o", "gpt-4o-mini")),
        version="by name",
        prompts=prompts,
        quality=QualityEstimate(mean=mean, se=np.zeros_like(mean), familiarity=np.ones(4)),
        cost_usd=np.full((4, 2), 0.001),
        cost_usd_sd=np.zeros(2),
    )


QUESTIONS_OF_TWO = ("Help {person} with sums.", "Help {person} with rhymes.")


def test_a_router_that_reads_who_asks_is_found_out() -> None:
    told = parity(source("Ann"), "best", questions=QUESTIONS_OF_TWO, groups={"name": ("Ann", "Bob")})["name"]
    assert (told.changed, told.distance) == (1, 1)
    assert told.gap == 0  # each gets the model that is better for it, so that on average nobody loses
    assert parity(source("sums"), "best", questions=QUESTIONS_OF_TWO, groups={"name": ("Ann", "Bob")})["name"].p == 1


def test_a_policy_that_refuses_one_group_is_at_a_distance_too() -> None:
    told = parity(
        source("Ann", otherwise=(0.4, 0.4)),
        "sure",
        policies=configured_policies({"sure": {"require": {"min_quality": 0.6}}}),
        questions=QUESTIONS_OF_TWO,
        groups={"name": ("Ann", "Bob")},
    )["name"]
    assert (told.n_models, told.distance) == (2, 1)
    assert told.gap == pytest.approx((0.9 + 0.4) / 2)  # what is expected of Ann's model, whoever asks


@pytest.mark.parametrize(
    ("questions", "groups", "problem"),
    [(("Hello",), {"name": ("Ann", "Bob")}, "has no {person}"), (QUESTIONS_OF_TWO, {"name": ("Ann",)}, "one group")],
)
def test_what_cannot_be_compared_says_why(
    questions: tuple[str, ...], groups: dict[str, tuple[str, ...]], problem: str
) -> None:
    with pytest.raises(InvalidReplayError, match=problem):
        parity(source("Ann"), "best", questions=questions, groups=groups)


def test_questions_name_a_person_once_and_say_no_more_of_them() -> None:
    telling = re.compile(r"\b(he|she|his|her|him|hers|Mr|Mrs|Ms)\b")
    assert len(set(QUESTIONS)) == len(QUESTIONS)
    for question in QUESTIONS:
        assert question.count(PERSON) == 1
        assert not question.startswith(PERSON)  # a group's phrase would begin a sentence in small letters
        assert not telling.search(question)
    assert all(len(phrases) > 1 for phrases in GROUPS.values())


def test_the_command_prints_a_row_per_attribute_and_refuses_too_great_a_distance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "questions.csv"
    own.write_text('prompt\n"Help {person} with sums."\n"Prove Fermat\'s little theorem to {person}."\n')
    args = ["--pool", "openai/gpt-4o*", "--questions", str(own), "--group", "a dean", "--group", "a student"]
    assert main([*args, "--policy", "best", "--policy", "cheap"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[:4] for row in rows] == [["| best", "own", "2", "2"], ["| cheap", "own", "2", "2"]]
    assert main([*args, "--max-distance", "-1"]) == 1
    assert "refused: balanced sends groups by own further apart than -1" in capsys.readouterr().err
    assert main([*args, "--policy", "nosuch"]) == 1
    assert "no policy is called 'nosuch'" in capsys.readouterr().err
    own.write_text("prompt,score\nx {person},1\n")
    assert main(args) == 1
    assert "has scores" in capsys.readouterr().err
