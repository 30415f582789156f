import numpy as np

from eval.contenders import references
from tests.eval.tables import specialists

TABLE = specialists(20)
ABACUS, BARD, SAGE = range(3)


def test_the_best_single_model_is_the_one_that_is_right_on_both() -> None:
    assert set(references.best_single(TABLE, TABLE)) == {SAGE}


def test_it_is_chosen_on_training_prompts_alone() -> None:
    poems = TABLE.take(TABLE.benchmark == "poem")
    maths = TABLE.take(TABLE.benchmark == "maths")
    assert set(references.best_single(maths, poems)) == {ABACUS}  # as good as sage on maths, and named first


def test_the_domain_rule_knows_who_is_good_at_what() -> None:
    choice = references.per_domain_best(TABLE, TABLE)
    assert TABLE.score[np.arange(len(TABLE)), choice].mean() == 1


def test_the_oracle_takes_the_cheapest_of_those_who_are_right() -> None:
    choice = references.oracle(TABLE)
    assert choice.tolist() == [ABACUS] * 20 + [BARD] * 20
    assert references.cheapest_oracle(TABLE).tolist() == choice.tolist()


def test_dearest_and_cheapest_go_by_mean_cost() -> None:
    assert set(references.dearest_single(TABLE, TABLE)) == {SAGE}
    assert set(references.cheapest_single(TABLE, TABLE)) <= {ABACUS, BARD}


def test_long_prompts_go_to_the_best_model() -> None:
    choice = references.length_threshold(TABLE, TABLE, long_share=0.25)
    lengths = np.array([len(p) for p in TABLE.prompt])
    assert lengths[choice == SAGE].min() > lengths[choice != SAGE].max()


def test_a_model_that_was_not_tried_never_answers() -> None:
    TABLE.score[0, SAGE] = np.nan
    try:
        assert references.best_single(TABLE, TABLE)[0] != SAGE
        draws = [references.random_choice(TABLE, np.random.default_rng(s))[0] for s in range(30)]
        assert set(draws) == {ABACUS, BARD}
    finally:
        TABLE.score[0, SAGE] = 1.0
