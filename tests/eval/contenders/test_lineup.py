from eval.contenders.contender import FittedContender, LearnedContender
from eval.contenders.lineup import OURS, SHIPPED, lineup
from predictors.encoders import CachedEncoder, open_encoder


def test_ours_comes_first_and_every_rival_learns_on_the_folds() -> None:
    ours, *rivals = lineup()
    assert ours.name == OURS
    assert [r.name for r in rivals] == ["factorization", "encoder_knn", "tfidf_knn", "tfidf_ridge"]
    assert all(isinstance(c, LearnedContender) for c in (ours, *rivals))


def test_a_saved_predictor_takes_the_place_of_ours_alone() -> None:
    ours, *rivals = lineup(SHIPPED)
    assert isinstance(ours, FittedContender)
    assert ours.name == OURS
    assert all(isinstance(r, LearnedContender) for r in rivals)


def test_prompts_are_read_by_the_encoder_that_was_asked_for_even_while_its_memory_is_empty() -> None:
    asked = CachedEncoder(open_encoder("static"))
    ours = lineup(encoder=asked)[0]
    assert isinstance(ours, LearnedContender)
    ours.features.extract(["What is the capital of France?"])
    assert len(asked) == 1
