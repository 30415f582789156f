import math
import random
from dataclasses import replace

import numpy as np
import pytest

from catalog import Backend, ModelProfile, Pool, PoolEntry
from gateway.refinement import BackendStatistics, CallFacts, HalfLives
from predictors import Thinking
from predictors.length.model import LengthPredictor

HOUR = 3600.0


def calls(count: int, *, at_s: float = 0.0, ttft_s: float | None = 0.5, tokens: int = 101) -> BackendStatistics:
    statistics = BackendStatistics()
    for _ in range(count):
        statistics.add(
            CallFacts(
                at_s=at_s,
                status="ok",
                output_tokens=tokens,
                input_tokens=6_000,
                estimated_tokens=5_000,
                ttft_s=ttft_s,
                latency_s=(ttft_s or 0.0) + 0.02 * (tokens - 1),
            )
        )
    return statistics


def test_streamed_calls_tell_the_first_token_apart_from_the_others() -> None:
    measured = calls(50).measured(at_s=0.0)
    assert measured.n_calls == 50
    assert measured.ttft_s == pytest.approx(0.5, rel=0.02)
    assert measured.seconds_per_output_token == pytest.approx(0.02, rel=0.02)
    assert measured.output_tokens_mean == pytest.approx(101, rel=0.02)
    assert measured.input_token_ratio == pytest.approx(1.2, rel=0.02)


def asked(*estimates: int, ratio: float, added: float, times: int = 10, seed: int = 0) -> BackendStatistics:
    """Calls whose prompts the provider counts as so many times our estimate, which errs by a tenth, and some more."""
    rng, statistics = random.Random(seed), BackendStatistics()
    for estimate in estimates * times:
        told = max(1.0, ratio * estimate * rng.gauss(1.0, 0.1) + added)
        statistics.add(CallFacts(at_s=0.0, status="ok", input_tokens=told, estimated_tokens=estimate))
    return statistics


def test_what_a_template_adds_to_short_prompts_is_not_held_against_long_ones() -> None:
    measured = asked(5, 8, 12, 20, ratio=1.1, added=30, times=50).measured(at_s=0.0)
    assert measured.input_token_ratio == pytest.approx(1.1, abs=0.25)  # the mean of their ratios is above 4
    mixed = asked(5, 8, 12, 20, 3_000, ratio=1.3, added=30, times=50).measured(at_s=0.0)
    assert mixed.input_token_ratio == pytest.approx(1.3, rel=0.05)
    assert mixed.input_tokens_added == pytest.approx(30, rel=0.1)


def test_prompts_of_one_length_tell_what_they_come_to_however_it_is_split() -> None:
    long = asked(5_000, ratio=1.5, added=300).measured(at_s=0.0)
    assert long.input_token_ratio == pytest.approx(1.5, rel=0.1)
    short = asked(10, ratio=1.0, added=30, times=40).measured(at_s=0.0)
    assert short.input_token_ratio is not None
    assert short.input_tokens_added is not None
    assert 10 * short.input_token_ratio + short.input_tokens_added == pytest.approx(40, rel=0.05)


def test_a_document_that_was_taken_for_a_few_tokens_hardly_moves_the_ratio() -> None:
    statistics = asked(400, 800, 1_600, ratio=1.0, added=10)
    statistics.add(CallFacts(at_s=0.0, status="ok", input_tokens=150_000, estimated_tokens=1_500))
    assert statistics.measured(at_s=0.0).input_token_ratio == pytest.approx(1.0, abs=0.1)


def test_statistics_from_before_the_ratio_was_a_line_are_read_without_it() -> None:
    kept = calls(20).to_json()
    del kept["input_ratio"]
    kept["sketches"]["input_ratio"] = kept["sketches"]["ttft_s"]  # type: ignore[index] # a dict
    read = BackendStatistics.from_json(kept)
    read.merge(calls(20))
    measured = read.measured(at_s=0.0)
    assert measured.n_calls == 40
    assert measured.input_token_ratio == pytest.approx(1.2, rel=0.02)


def test_whole_calls_of_different_length_tell_them_apart_too() -> None:
    statistics = BackendStatistics()
    for tokens in (10, 20, 40, 80, 160):
        statistics.add(CallFacts(at_s=0.0, status="ok", output_tokens=tokens, latency_s=0.3 + 0.01 * tokens))
    measured = statistics.measured(at_s=0.0)
    assert measured.ttft_s == pytest.approx(0.3)
    assert measured.seconds_per_output_token == pytest.approx(0.01)


def test_few_calls_stay_near_what_the_profile_states() -> None:
    profile = ModelProfile(id="a/m", name="m", ttft_s=1.0, tokens_per_s=100.0, output_tokens_mean=300.0)
    measured = calls(2).measured(at_s=0.0, profile=profile)
    # two calls at 0.5 s against a statement worth eight calls at 1.0 s
    assert measured.ttft_s == pytest.approx((2 * 0.5 + 8 * 1.0) / 10, rel=0.02)
    assert measured.output_tokens_mean == pytest.approx((2 * 101 + 8 * 300) / 10, rel=0.02)


def test_too_few_calls_without_a_profile_say_nothing() -> None:
    measured = calls(2).measured(at_s=0.0)
    assert measured.ttft_s is None
    assert measured.output_tokens_mean is None


def test_a_backend_that_got_slow_is_seen_within_the_hour() -> None:
    statistics = calls(100, at_s=0.0, ttft_s=0.2)
    for _ in range(30):
        statistics.add(CallFacts(at_s=2 * HOUR, status="ok", output_tokens=101, ttft_s=4.0, latency_s=9.0))
    measured = statistics.measured(at_s=2 * HOUR)
    # a hundred old calls weigh 25 after two half lives, thirty new ones 30
    assert measured.ttft_s == pytest.approx((25 * 0.2 + 30 * 4.0) / 55, rel=0.02)


def test_errors_are_a_share_with_a_weak_prior() -> None:
    statistics = calls(40)
    for _ in range(10):
        statistics.add(CallFacts(at_s=0.0, status="failed"))
    assert statistics.measured(at_s=0.0).error_rate == pytest.approx((10 + 0.2) / (50 + 10))


def test_replicas_add_up() -> None:
    first, second = calls(10, ttft_s=0.2), calls(30, ttft_s=0.6)
    first.merge(second)
    measured = first.measured(at_s=0.0)
    assert measured.n_calls == 40
    assert measured.ttft_s == pytest.approx((10 * 0.2 + 30 * 0.6) / 40, rel=0.02)
    assert measured.input_token_ratio == pytest.approx(1.2, rel=0.02)


def test_what_was_written_is_read_back() -> None:
    statistics = calls(5)
    statistics.half_lives = HalfLives(latency_s=60.0)
    copy = BackendStatistics.from_json(statistics.to_json())
    assert copy == statistics


def test_answers_cut_off_at_a_callers_limit_do_not_shorten_what_is_expected() -> None:
    statistics = calls(20, tokens=101)
    for _ in range(80):  # somebody classifies with a limit of eight tokens
        statistics.add(CallFacts(at_s=0.0, status="ok", output_tokens=8, cut_off=True, ttft_s=0.5, latency_s=0.6))
    measured = statistics.measured(at_s=0.0)
    assert measured.output_tokens_mean == pytest.approx(101, rel=0.02)
    again = BackendStatistics.from_json(statistics.to_json())
    assert again.measured(at_s=0.0) == measured


def test_statistics_from_before_cut_off_answers_were_told_apart_are_read() -> None:
    kept = calls(20).to_json()
    del kept["sketches"]["cut_off_tokens"]  # type: ignore[attr-defined] # a dict
    assert BackendStatistics.from_json(kept).measured(at_s=0.0).output_tokens_mean == pytest.approx(101, rel=0.02)


def test_traffic_of_short_answers_teaches_how_much_a_model_writes_and_not_twice_that_answers_are_short() -> None:
    rng, noise_sd, features = np.random.default_rng(0), 0.3, np.linspace(-2, 2, 400)[:, None]
    predictor = LengthPredictor(ridge=1e-6).fit(
        features, np.exp(5 + features[:, 0]), feature_name="one", noise_sd=noise_sd, model_sd=0.4
    )
    profile = ModelProfile(id="a/m", name="m")
    backend = Backend(id="b", profile_id="a/m", kind="fake", provider="a", model_name="m")
    bound, short, long = predictor.bind(Pool([PoolEntry(profile=profile, backend=backend)])), [[-2.0]], [[2.0]]
    statistics = BackendStatistics()
    for _ in range(500):  # a model that writes twice what others do, of which only short answers are asked
        written = 2 * math.exp(5 - 2 + noise_sd * rng.normal())
        ratio = float(bound.ratio(bound.prompt_share(np.array(short)))[0])
        statistics.add(CallFacts(at_s=0.0, status="ok", output_tokens=written, length_ratio=ratio))
    measured = replace(backend, measured=statistics.measured(at_s=0.0))
    learned = predictor.bind(Pool([PoolEntry(profile=profile, backend=measured)]))
    for asked, truth in ((short, 2 * math.exp(5 - 2)), (long, 2 * math.exp(5 + 2))):
        tokens, _ = learned.estimate(np.array(asked))
        assert tokens[0, 0] == pytest.approx(truth * math.exp(noise_sd**2 / 2), rel=0.1)


def test_calls_that_were_told_to_think_tell_of_the_same_length_as_those_that_were_told_nothing() -> None:
    claude = ModelProfile(id="anthropic/m", name="m", capabilities=frozenset({"reasoning"}))
    told, untold = BackendStatistics(), BackendStatistics()
    for _ in range(20):
        thought = Thinking(effort="medium")
        told.add(
            CallFacts(at_s=0.0, status="ok", output_tokens=1_000 * math.exp(1.7), thinking=thought), profile=claude
        )
        untold.add(CallFacts(at_s=0.0, status="ok", output_tokens=1_000), profile=claude)
    means = [statistics.measured(at_s=0.0).output_tokens_mean for statistics in (told, untold)]
    assert means == pytest.approx([1_000, 1_000], rel=0.02)


def test_speed_is_that_of_the_tokens_that_were_written() -> None:
    thinker = ModelProfile(id="a/m", name="m", capabilities=frozenset({"reasoning"}))
    statistics = BackendStatistics()
    for _ in range(20):
        call = CallFacts(
            at_s=0.0, status="ok", output_tokens=101, ttft_s=0.5, latency_s=2.5, thinking=Thinking(effort="off")
        )
        statistics.add(call, profile=thinker)
    measured = statistics.measured(at_s=0.0)
    assert measured.seconds_per_output_token == pytest.approx(0.02, rel=0.02)
    assert measured.output_tokens_mean == pytest.approx(101 * math.exp(1.7), rel=0.02)
