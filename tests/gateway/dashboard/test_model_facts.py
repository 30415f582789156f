import json
from dataclasses import replace
from datetime import date

import pytest

from catalog import Ability, Catalog, Measurement, ModelProfile, Provenance, Trust, UnknownModelError
from gateway.dashboard.model_facts import COLUMNS, model_rows, whole_model


def sized(name: str, size: float, ability: float) -> ModelProfile:
    return ModelProfile(
        id=f"maker/{name}", name=name, family="kin", params_total_b=size, released=date(2026, 1, 1),
        ability={"general": Ability(mean=ability, se=0.1, n_benchmarks=9)},
    )  # fmt: skip


KNOWN = Catalog.of([sized("small", 4.0, 0.0), sized("middle", 8.0, 0.05), sized("large", 70.0, 2.0)])


def test_a_row_has_a_value_for_every_column_and_null_where_nobody_knows() -> None:
    told = model_rows(KNOWN, served={"maker/small"})
    row = dict(zip(told["columns"], told["rows"][2], strict=True))
    assert told["columns"] == COLUMNS
    assert (row["id"], row["ability"], row["params_b"], row["price_out"], row["served"]) == (
        "maker/small", 0.0, 4.0, None, True,
    )  # fmt: skip


def test_a_model_is_told_with_its_place_its_kin_and_advice() -> None:
    told = whole_model(KNOWN, "middle", served=())
    assert told["neighbours"] == ["maker/small", "maker/large"]
    assert told["advice"].startswith("maker/small (4B) is as able within the error")
    (general,) = told["axes"]
    assert (general["lowest"], general["highest"], general["percentile"], general["of"]) == (0.0, 2.0, 67, 3)


def test_a_model_nobody_knows_is_not_found() -> None:
    with pytest.raises(UnknownModelError):
        whole_model(KNOWN, "nobody/nothing", served=())


def test_what_was_measured_and_whose_ability_is_only_told_go_to_the_page_as_plain_json() -> None:
    found = Measurement(name="yes_bias", value=-0.5, unit="share", method="m", n=22, measured=date(2026, 1, 1), se=0.1)
    siblings = Provenance(source="inferred from small", trust=Trust.INFERRED)
    probed = replace(
        sized("probed", 9.0, 0.1),
        measured={"yes_bias": found},
        ability={"general": Ability(mean=0.1, se=0.4)},
        provenance={"ability": siblings},
    )
    told = json.loads(json.dumps(whole_model(Catalog.of([probed]), "probed", served=())))
    assert told["facts"]["measured"]["yes_bias"]["se"] == 0.1
    rows = model_rows(Catalog.of([probed, sized("small", 4.0, 0.0)]), served=())
    measured = {row[0]: row[COLUMNS.index("measured")] for row in rows["rows"]}
    assert measured == {"maker/probed": False, "maker/small": True}
