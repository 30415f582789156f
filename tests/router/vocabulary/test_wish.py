"""The canonical keys of a routing wish."""

import pytest

from router.errors import InvalidRoutingError
from router.vocabulary.wish import combined, options_of, read_require, read_routing, require_from_text, willingness


def test_a_header_and_an_object_say_the_same() -> None:
    said = require_from_text("max_cost_usd=0.002; licenses=mit, apache-2.0; max_price_usd_per_mtok.input=3", "h")
    given = {"max_cost_usd": 0.002, "licenses": ["mit", "apache-2.0"], "max_price_usd_per_mtok": {"input": 3}}
    assert said == read_require(given, "require")


@pytest.mark.parametrize("line", ["max_cost_usd", "max_cost_usd=", "max_cost_usd=cheap", "max_cots_usd=1"])
def test_a_header_that_cannot_be_read_is_refused(line: str) -> None:
    with pytest.raises(InvalidRoutingError):
        require_from_text(line, "h")


def test_a_key_given_twice_in_a_header_is_refused() -> None:
    with pytest.raises(InvalidRoutingError, match="twice"):
        require_from_text("max_ttft_s=1; max_ttft_s=2", "h")


def test_sources_of_one_rank_must_agree() -> None:
    assert combined(("a", {"policy": "best"}), ("b", {"policy": "best"})) == {"policy": "best"}
    with pytest.raises(InvalidRoutingError, match="a says 'best' and b says 'fast'"):
        combined(("a", {"policy": "best"}), ("b", {"policy": "fast"}))


def test_a_wish_becomes_options_with_its_constraints() -> None:
    options = options_of(read_routing({"policy": "fast", "require": {"max_ttft_s": 1}, "models": {"deny": ["a/*"]}}))
    assert (options.policy, options.require.max_ttft_s, options.deny) == ("fast", 1.0, ("a/*",))


@pytest.mark.parametrize(
    "routing",
    [
        {"cost_quality_tradeoff": 3, "weights": {"cost": 1}},
        {"cost_quality_tradeoff": 3, "willingness_to_pay_usd": 1},
        {"require": {"providers": ["a"], "exclude_providers": ["a"]}},
    ],
)
def test_what_contradicts_itself_is_refused(routing: dict[str, object]) -> None:
    with pytest.raises(InvalidRoutingError):
        options_of(read_routing(routing))


def test_to_pay_nothing_for_quality_is_to_ask_for_the_cheapest() -> None:
    with pytest.raises(InvalidRoutingError, match="cheap"):
        willingness(0, "willingness_to_pay")
