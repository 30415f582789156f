"""A caller's values: the right type, or an error that names the key."""

from collections.abc import Callable
from datetime import date

import pytest

from router.errors import InvalidRoutingError
from router.vocabulary.values import boolean, choice, day, known_keys, mapping, names, number, strings, text


def test_what_is_right_is_taken_as_it_is() -> None:
    assert number(2, "x") == 2.0
    assert boolean(False, "x") is False
    assert text("  a ", "x") == "a"
    assert choice("any", "x", ("any", "local")) == "any"
    assert strings("one", "x") == ("one",)
    assert names(["a", "b"], "x") == {"a", "b"}
    assert day("2024-06-01", "x") == date(2024, 6, 1)
    assert mapping({}, "x") == {}


@pytest.mark.parametrize(
    "read",
    [
        lambda: number(True, "x"),
        lambda: number("2", "x"),
        lambda: number(float("nan"), "x"),
        lambda: number(-1, "x"),
        lambda: number(1.5, "x", most=1.0),
        lambda: boolean(1, "x"),
        lambda: text(" ", "x"),
        lambda: choice("some", "x", ("any",)),
        lambda: strings(3, "x"),
        lambda: names([], "x"),
        lambda: day("June", "x"),
        lambda: mapping([], "x"),
    ],
)
def test_what_is_wrong_is_refused_under_its_key(read: Callable[[], object]) -> None:
    with pytest.raises(InvalidRoutingError) as refused:
        read()
    assert refused.value.field == "x"


def test_one_wrong_item_of_a_list_is_named_by_its_place() -> None:
    with pytest.raises(InvalidRoutingError) as refused:
        names(["a", "z"], "x", {"a", "b"})
    assert refused.value.field == "x[1]"


def test_a_misspelt_key_is_named_with_the_object_that_it_is_in() -> None:
    with pytest.raises(InvalidRoutingError) as refused:
        known_keys({"max_cots_usd": 1}, "require", ("max_cost_usd",))
    assert refused.value.field == "require.max_cots_usd"
