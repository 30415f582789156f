import numpy as np
import pytest

from predictors.encoders import JointEncoder, StaticEncoder
from tests.predictors.tools.toys import CountedWords

TEXTS = ["weather in the city", "convert dollar to euro", ""]


def test_a_cosine_is_the_weighted_mean_of_both_encoders_cosines() -> None:
    words, static = CountedWords(), StaticEncoder.load()
    joint = JointEncoder(words, static, second_share=0.3)
    both = joint.encode(TEXTS)
    assert both.shape == (3, joint.dim) == (3, words.dim + static.dim)
    assert both.dtype == np.float32
    apart = [encoder.encode(TEXTS) for encoder in (words, static)]
    expected = 0.7 * (apart[0] @ apart[0].T) + 0.3 * (apart[1] @ apart[1].T)
    assert np.allclose(both @ both.T, expected, atol=1e-6)
    assert np.allclose(np.linalg.norm(both, axis=1), 1.0, atol=1e-6)


def test_its_name_tells_both_encoders_and_the_share() -> None:
    static = StaticEncoder.load()
    assert JointEncoder(CountedWords(), static, second_share=0.25).name == f"counted-words+0.25*{static.name}"


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_a_share_that_leaves_one_encoder_out_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="use one encoder alone"):
        JointEncoder(CountedWords(), CountedWords(), second_share=share)
