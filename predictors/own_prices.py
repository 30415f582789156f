"""What models of one's own outcomes charge where no list says so: learned from what their calls cost."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from catalog import Floats, ModelProfile, Pool, PoolEntry, Price

from .errors import BadArtefactError
from .features import Features
from .foreign_files import read_json
from .length.model import LengthPredictor
from .tokens import estimate_tokens

if TYPE_CHECKING:
    import polars as pl

    from .outcomes import Outcomes

__all__ = ["OwnPrice", "OwnPrices"]

_FILE: Final = "prices.json"
_FORMAT: Final = 1
_OUTPUT_TO_INPUT: Final = 4.0  # of the two rates, where only the sum of a call is known
_MIN_COUNTED: Final = 20  # calls with counted tokens, from which both rates are told
_N_SAMPLE: Final = 256  # prompts of a model that expected lengths are averaged over


class OwnPrice(NamedTuple):
    """Of one model of the outcomes, in US dollars per million tokens."""

    name: str  # as the outcomes write it
    model: str  # id of its profile
    input_usd_per_mtok: float
    output_usd_per_mtok: float


class OwnPrices:
    """Prices by name and by profile, for forecasts alone: a bill is never made out by them."""

    def __init__(self, prices: Iterable[OwnPrice] = ()) -> None:
        self.prices = tuple(prices)

    @classmethod
    def fit(
        cls,
        outcomes: "Outcomes",
        *,
        model_id: Callable[[str | None, str], str],
        lengths: LengthPredictor,
        features: Features,
    ) -> Self:
        """Learn from the calls that have a cost.

        Where tokens were counted both rates follow by non-negative least squares. Else an output token is taken to cost
        four times an input token, and both what makes expected calls cost on average what the calls did.

        Args:
            outcomes: of any models; those without `cost_usd` stay unpriced.
            model_id: the profile id of (dataset, model name).
            lengths: how long answers are expected to be where nobody counted.
            features: what `lengths` reads prompts with.
        """
        import polars as pl  # noqa: PLC0415 - needed for fitting, not for using

        calls = outcomes.table.filter(pl.col("cost_usd") > 0)
        found = []
        for (dataset, name), rows in calls.group_by("dataset", "model", maintain_order=True):
            model = model_id(dataset if isinstance(dataset, str) else None, str(name))
            entry = PoolEntry(profile=ModelProfile(id=model, name=model), called=str(name))
            counted = rows.filter((pl.col("input_tokens") > 0) & (pl.col("output_tokens") > 0))
            enough = counted.height >= _MIN_COUNTED
            rates = _by_counts(counted) if enough else _by_mean(rows, entry, lengths, features)
            found.append(OwnPrice(str(name), model, *(round(rate, 6) for rate in rates)))
        return cls(sorted(found))

    def completed(self, pool: Pool) -> Pool:
        """The same candidates; those without a price have the one that was learned, if any was."""
        if not self.prices or all(entry.price is not None for entry in pool.entries):
            return pool
        return Pool(entry if entry.price is not None else self._priced(entry) for entry in pool.entries)

    def _priced(self, entry: PoolEntry) -> PoolEntry:
        named = [price for price in self.prices if price.name == entry.name]
        same = {entry.profile.id, *entry.profile.aliases}
        own = named or [price for price in self.prices if price.model in same]
        if not own:
            return entry
        price = Price(
            input_usd_per_mtok=_mean([price.input_usd_per_mtok for price in own]),
            output_usd_per_mtok=_mean([price.output_usd_per_mtok for price in own]),
        )
        return replace(entry, profile=replace(entry.profile, price=price))

    def save(self, folder: Path) -> None:
        """Write them as JSON; where there are none, take away what an earlier fit left."""
        if not self.prices:
            (folder / _FILE).unlink(missing_ok=True)
            return
        stated = {"format": _FORMAT, "prices": [price._asdict() for price in self.prices]}
        (folder / _FILE).write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; a folder without has none.

        Raises:
            BadArtefactError: the file is damaged or of another format.
        """
        path = folder / _FILE
        if not path.exists():
            return cls()
        try:
            stated: dict[str, Any] = read_json(path)
            if stated["format"] != _FORMAT:
                raise BadArtefactError(path=str(path), problem=f"format {stated['format']!r} is not {_FORMAT}")
            return cls(_checked(OwnPrice(**price)) for price in stated["prices"])
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise BadArtefactError(path=str(path), problem=f"no prices can be read ({exc})") from exc


def _checked(price: OwnPrice) -> OwnPrice:
    """Raises: TypeError, ValueError: it is none that anybody could charge."""
    rates = (price.input_usd_per_mtok, price.output_usd_per_mtok)
    if not all(math.isfinite(rate) and rate >= 0 for rate in rates):
        raise ValueError(f"{price.name[:80]!r} charges {rates}")
    return price


def _by_counts(counted: "pl.DataFrame") -> tuple[float, float]:
    from scipy.optimize import nnls  # noqa: PLC0415 - heavy, and needed only to fit

    tokens = counted.select("input_tokens", "output_tokens").to_numpy()  # (n_calls, 2)
    rates, _ = nnls(tokens / 1e6, counted["cost_usd"].to_numpy())
    return float(rates[0]), float(rates[1])


def _by_mean(
    rows: "pl.DataFrame", entry: PoolEntry, lengths: LengthPredictor, features: Features
) -> tuple[float, float]:
    prompts = rows.unique("prompt", maintain_order=True)["prompt"].to_list()
    prompts = prompts[:: max(1, len(prompts) // _N_SAMPLE)]
    read = np.array([estimate_tokens(prompt) for prompt in prompts])  # (n_prompts,)
    written: Floats = lengths.bind(Pool([entry])).estimate(features.extract(prompts))[0]  # (n_prompts, 1)
    tokens = float(read.mean()) + _OUTPUT_TO_INPUT * float(written.mean())
    per_input = 1e6 * float(rows["cost_usd"].to_numpy().mean()) / tokens
    return per_input, _OUTPUT_TO_INPUT * per_input


def _mean(rates: Sequence[float]) -> Decimal:
    return Decimal(str(sum(rates) / len(rates)))
