import pytest

from catalog import Provenance, Trust
from catalog.structure.sizes import NamedSize, named_size, settled_size

LISTED = Provenance(source="a registry", trust=Trust.LINKED)


@pytest.mark.parametrize(
    ("key", "total_b", "active_b"),
    [
        ("qwen3-235b-a22b", 235.0, 22.0),
        ("granite-3.0-1b-a400m-base", 1.0, 0.4),
        ("llama-4-scout-17b-16e-instruct", None, 17.0),
        ("llama-4-scout-17b-instruct", None, 17.0),
        ("olmoe-1b-7b-0125", 7.0, 1.0),
        ("mixtral-8x7b-instruct", 46.7, 12.9),
        ("gemma-3n-e4b-it", None, None),
        ("smollm2-135m-instruct", 0.135, None),
        ("qwen2.5-14b-instruct-1m", 14.0, None),
        ("deepseek-r1-distill-llama-70b", 70.0, None),
        ("hunyuan-a13b-instruct", None, 13.0),
        ("gpt-4o", None, None),
    ],
)
def test_a_name_tells_sizes_but_not_every_number_is_the_size(
    key: str, total_b: float | None, active_b: float | None
) -> None:
    assert named_size(key) == NamedSize(total_b=total_b, active_b=active_b)


def test_a_registrys_slip_does_not_survive_the_count_of_dimensions() -> None:
    size = settled_size("phi-2", total=[(13.0, LISTED)])
    assert size.total_b == pytest.approx(2.7, rel=0.03)
    assert size.total_from is not None
    assert size.total_from.trust is Trust.INFERRED
    assert size.refused == ("a registry states 13B",)


def test_a_slip_of_the_comma_does_not_survive_the_name() -> None:
    size = settled_size("nemotron-nano-9b-v2", total=[(88.9, LISTED)])
    assert size.total_b == 9.0


def test_a_stated_size_that_nothing_contradicts_stands_with_its_source() -> None:
    size = settled_size("qwen3-8b", total=[(8.19, LISTED)])
    assert (size.total_b, size.total_from, size.refused) == (8.19, LISTED, ())


def test_a_second_source_is_believed_where_the_first_cannot_be() -> None:
    size = settled_size("phi-2", total=[(13.0, LISTED), (2.78, LISTED)])
    assert (size.total_b, size.total_from) == (2.78, LISTED)


def test_nothing_known_stays_unknown() -> None:
    size = settled_size("gpt-4o", total=[])
    assert (size.total_b, size.active_b) == (None, None)


def test_a_longer_name_elsewhere_is_the_last_resort() -> None:
    size = settled_size("qwen3-coder", total=[], read_elsewhere=NamedSize(total_b=480.0, active_b=35.0))
    assert (size.total_b, size.active_b) == (480.0, 35.0)
