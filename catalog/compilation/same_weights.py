"""Dated names of the same weights, joined under the undated one where that has had a single snapshot."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from .rows import Row, day_of, rank

__all__ = ["joined_rows", "same_weights", "spellings_by_key"]

_ONE_SNAPSHOT = timedelta(days=60)


def same_weights(rows: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Dated key -> undated key, where the undated name has had one snapshot: all dates within two months."""
    dated: dict[str, dict[str, date]] = {}
    for key in rows:
        base, _, day = key.rpartition("-")
        if re.fullmatch(r"20\d{6}", day) and base in rows:
            snapshot = day_of(f"{day[:4]}-{day[4:6]}-{day[6:]}")
            if snapshot is not None:
                dated.setdefault(base, {})[key] = snapshot
    return {
        key: base
        for base, snapshots in dated.items()
        if max(snapshots.values()) - min(snapshots.values()) <= _ONE_SNAPSHOT
        for key in snapshots
    }


def joined_rows(rows: Mapping[str, Sequence[Row]], same: Mapping[str, str]) -> dict[str, list[Row]]:
    """Rows by the key that their weights go by, best source first."""
    joined: dict[str, list[Row]] = {}
    for key, found in rows.items():
        joined.setdefault(same.get(key, key), []).extend(found)
    for found in joined.values():
        found.sort(key=rank)
    return joined


def spellings_by_key(same: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Undated key -> the dated ones that mean the same weights."""
    spellings: dict[str, tuple[str, ...]] = {}
    for dated, base in same.items():
        spellings[base] = (*spellings.get(base, ()), dated)
    return spellings
