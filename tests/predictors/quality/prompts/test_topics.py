"""What a prompt is about."""

import numpy as np

from predictors.quality.prompts.topics import Topics, merged_domains


def test_a_rare_domain_is_merged_into_its_parent() -> None:
    domain = np.array(["d/exam/physics"] * 30 + ["d/exam/dance"] * 3 + ["d/chat"] * 25)
    merged = merged_domains(domain, min_prompts=20)
    assert sorted(set(merged.tolist())) == ["d", "d/chat", "d/exam/physics"]


def test_topics_are_told_apart_and_unclear_prompts_get_a_mixture() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(-1, 0.3, size=(60, 2)), rng.normal(1, 0.3, size=(60, 2))])
    topics = Topics().fit(features, np.array(["left"] * 60 + ["right"] * 60))
    share = topics.predict(np.array([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert share[0, 0] > 0.9
    assert 0.3 < share[1, 0] < 0.7
    assert share[2, 1] > 0.9


def test_a_single_domain_is_certain() -> None:
    topics = Topics().fit(np.zeros((5, 2)), np.full(5, "all"))
    np.testing.assert_array_equal(topics.predict(np.ones((2, 2))), [[1.0], [1.0]])
