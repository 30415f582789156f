"""YAML is read within bounds, and nothing that it says is lost."""

import pytest

from catalog import parse_yaml


def test_aliases_and_merges_mean_what_they_mean() -> None:
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n") == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' is said twice; leave one out"),
        ("a: {b: 1, b: 1}\n", "line 1: 'b' is said twice"),
        ("a: &a [*a, *a]\n", "it is nested too deeply"),
        ("[" * 5_000, "it is nested too deeply"),
        ("a: 2027-13-45\n", "month must be in"),
        ("a: [", "while parsing"),
        ("{[a]: 1}", "unhashable"),
    ],
)
def test_what_is_wrong_is_told(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_yaml(text)


def test_aliases_may_not_stand_for_more_than_a_memory_holds() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 12)]
    with pytest.raises(ValueError, match=r"its aliases unfold to 1\.23e\+12 values; write out what is meant"):
        parse_yaml("\n".join(lines))
