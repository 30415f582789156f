import pytest

from catalog import Ability, Catalog, ModelProfile
from catalog.identity import Change
from catalog.updates.importing import changes_between, import_profiles

OLD = ModelProfile(
    id="a/b", name="b", digest="sha256:1", context_tokens=8_000, version="1.2.3", license="MIT",
    ability={"general": Ability(mean=1.0, se=0.2, n_benchmarks=9)},
)  # fmt: skip
KNOWN = Catalog.of([OLD])


def told(**facts: object) -> ModelProfile:
    return ModelProfile(id="a/b", name="b", **facts)  # type: ignore[arg-type]


def test_a_kept_name_with_a_new_digest_is_a_silent_change() -> None:
    done = import_profiles(KNOWN, [told(digest="sha256:2")], source="cards")
    (finding,) = done.findings
    assert str(finding) == "cards: a/b: digest: a/b changed silently: sha256:1 became sha256:2; measure it anew"
    assert done.catalog["a/b"].version == "1.3.0"  # other weights: MINOR


@pytest.mark.parametrize(
    ("facts", "change", "version"),
    [
        ({"context_tokens": 16_000}, "context", "2.0.0"),
        ({"digest": "sha256:2"}, "weights", "1.3.0"),
        ({"license": "Apache-2.0"}, "docs", "1.2.4"),
    ],
)
def test_versions_move_on_by_what_changed(facts: dict[str, object], change: Change, version: str) -> None:
    assert changes_between(OLD, told(**facts)) == (change,)
    assert import_profiles(KNOWN, [told(**facts)], source="cards").catalog["a/b"].version == version


def test_what_only_one_side_states_is_no_change() -> None:
    done = import_profiles(KNOWN, [told(tokenizer="qwen")], source="cards")
    assert (done.catalog["a/b"].version, done.findings) == ("1.2.3", ())


def test_a_card_without_an_evaluation_widens_the_error_once() -> None:
    first = import_profiles(KNOWN, [told(documentation=0.3)], source="cards", unevaluated={"a/b"}).catalog
    assert first["a/b"].ability["general"].se == pytest.approx(0.25)  # 1.25 x 0.2
    again = import_profiles(first, [told(documentation=0.3)], source="cards", unevaluated={"a/b"}).catalog
    assert again["a/b"].ability["general"].se == pytest.approx(0.25)


def test_what_is_imported_under_its_maker_s_spelling_is_merged_into_the_known_model() -> None:
    known = Catalog.of([ModelProfile(id="qwen/qwen3-8b", name="Qwen3 8B")])
    ability = {"general": Ability(mean=0.0, se=0.4)}
    card = ModelProfile(id="Qwen/Qwen3-8B", name="Qwen3-8B", ability=ability)
    found = import_profiles(known, [card], source="cards", unevaluated={"Qwen/Qwen3-8B"}).catalog
    assert found.ids == ("qwen/qwen3-8b",)
    assert found["qwen/qwen3-8b"].ability["general"].se == pytest.approx(0.5)  # wider: no evaluation section
