"""How a journal keeps the candidates of a decision, undone: by columns in the store, as rows for everybody else."""

from collections.abc import Mapping

__all__ = ["with_candidate_rows"]


def with_candidate_rows(record: Mapping[str, object]) -> Mapping[str, object]:
    """The record with one mapping per candidate; records that have that already, or no candidates, as they are.

    Raises:
        ValueError: no gateway wrote these columns: they are of different lengths, or none.
    """
    columns = record.get("candidates")
    if not isinstance(columns, Mapping):
        return record
    lengths = {len(column) if isinstance(column, list) else None for column in columns.values()}
    if None in lengths or len(lengths) > 1:
        raise ValueError("its candidates' columns do not fit")
    rows = zip(*columns.values(), strict=True)
    return {**record, "candidates": [dict(zip(columns, row, strict=True)) for row in rows]}
