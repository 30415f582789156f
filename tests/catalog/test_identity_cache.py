from catalog.identity_cache import IdentityCache


def test_what_follows_from_the_same_value_is_made_once() -> None:
    made: list[str] = []
    remembered = IdentityCache(lambda value: made.append(value) or value.upper(), most=2)  # type: ignore[func-returns-value]
    first, second, third = "first", "second", "third"
    assert [remembered(first), remembered(first), remembered(second)] == ["FIRST", "FIRST", "SECOND"]
    assert made == ["first", "second"]
    remembered(third)
    remembered(first)  # forgotten for the third
    assert made == ["first", "second", "third", "first"]


def test_an_equal_value_is_another_one() -> None:
    made: list[tuple[int, ...]] = []
    remembered = IdentityCache(made.append)
    for value in (tuple([1, 2]), tuple([1, 2])):  # noqa: C409 - a literal would be one object
        remembered(value)
    assert len(made) == 2
