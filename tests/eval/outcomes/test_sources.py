import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from catalog.registry import Catalog
from eval.errors import UnknownDatasetError
from eval.outcomes.sources import read_table

DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def written(folder: Path, **columns: list[object]) -> str:
    """Two models on two prompts, without a cost."""
    rows = {
        "prompt": ["p" * 400, "p" * 400, "q" * 400, "q" * 400],
        "model": ["gpt-4o-mini", "gpt-4o", "gpt-4o-mini", "gpt-4o"],
        "score": [0.0, 1.0, 1.0, 1.0],
        **columns,
    }
    path = folder / "mine.csv"
    pl.DataFrame(rows).write_csv(path)
    return str(path)


def test_calls_without_a_cost_are_priced_by_the_catalog(tmp_path: Path, catalog: Catalog) -> None:
    table = read_table(written(tmp_path, output_tokens=[10, 10, 10, 10]), data=tmp_path, catalog=catalog)
    price = catalog["openai/gpt-4o"].price
    assert price is not None
    expected = (100 * float(price.input_usd_per_mtok) + 10 * float(price.output_usd_per_mtok)) / 1e6
    assert table.cost_usd[:, table.models.index("gpt-4o")] == pytest.approx([expected] * 2)
    assert "2 models are priced by the catalog" in table.note


def test_where_nobody_can_be_priced_every_call_counts_alike_and_the_note_says_so(
    tmp_path: Path, catalog: Catalog
) -> None:
    table = read_table(written(tmp_path, model=["ours-a", "ours-b"] * 2), data=tmp_path, catalog=catalog)
    assert table.cost_usd.tolist() == [[1, 1], [1, 1]]
    assert "every call counts as 1" in table.note


def test_models_that_cannot_be_priced_beside_others_are_named_as_left_out(tmp_path: Path, catalog: Catalog) -> None:
    path = written(
        tmp_path,
        prompt=["p", "p", "p"],
        model=["gpt-4o", "gpt-4o-mini", "ours"],
        score=[1.0, 0.0, 1.0],
    )
    table = read_table(path, data=tmp_path, catalog=catalog)
    assert table.models == ("gpt-4o", "gpt-4o-mini")
    assert table.note.endswith("1 models without any cost are left out: ours")


def test_a_stated_cost_is_kept_and_needs_no_note(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, cost_usd=[0.1, 0.2, 0.3, 0.4]), data=tmp_path)
    assert sorted(table.cost_usd.tolist()) == [[0.2, 0.1], [0.4, 0.3]]  # prompts come in the order of their ids
    assert table.note == ""


def test_what_was_not_read_or_not_tried_stands_in_the_note(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, cost=[0.1] * 4, score=[None, 1.0, 1.0, 1.0]), data=tmp_path)
    assert table.note.startswith("1 rows without a score are left out; column 'cost' is not read")
    assert "no model answered" not in table.note  # gpt-4o did
    patchy = read_table(written(tmp_path, score=[None, 1.0, 1.0, None]), data=tmp_path)
    assert patchy.note.endswith("no model answered 95% of the prompts: where it did not, another stands for it")


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "routing").is_dir(), reason="the public datasets are not here; set PARETOGATE_DATA")
def test_a_part_of_a_public_dataset_in_a_file_is_priced_and_named_as_the_whole(
    tmp_path: Path, catalog: Catalog
) -> None:
    whole = read_table("llmrouter", data=DATA, catalog=catalog)
    rows = pl.read_parquet(DATA / "routing/llmrouter/outcomes.parquet").filter(pl.col("benchmark") == "gsm8k")
    part = tmp_path / "held_out.parquet"
    rows.write_parquet(part)
    table = read_table(str(part), data=DATA, catalog=catalog)
    assert (table.name, table.models, table.pool.ids) == ("held_out", whole.models, whole.pool.ids)
    same = np.isin(whole.prompt_id, table.prompt_id)
    np.testing.assert_allclose(table.cost_usd, whole.cost_usd[same])


def test_a_name_that_is_neither_lists_the_datasets(tmp_path: Path) -> None:
    with pytest.raises(UnknownDatasetError, match="zeroeval"):
        read_table("mmlu-pro", data=tmp_path)


def test_a_journal_in_redis_is_to_be_collected_first_and_its_password_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownDatasetError, match="paretogate journal collect") as refused:
        read_table("redis://:pl4nted@redis/0", data=tmp_path)
    assert "pl4nted" not in repr(refused.value) + str(vars(refused.value))
