"""The models that may answer, as one table of columns: what the router screens and ranks at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from catalog.profiles.price import Price
from catalog.profiles.profile import ModelProfile

from .backend import Backend

__all__ = ["Floats", "Pool", "PoolEntry"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEntry:
    """One candidate: a model, and the backend that would serve it (None: decided about, but not callable here)."""

    profile: ModelProfile
    backend: Backend | None = None
    called: str | None = None  # what outcomes of it may call it; None: by the backend's id

    @property
    def name(self) -> str:
        """What tells this candidate from others of the same profile, as far as anything does."""
        return self.called or (self.backend.id if self.backend is not None else self.profile.id)

    @property
    def price(self) -> Price | None:
        """What a call costs here: the backend's price, else the maker's list price."""
        if self.backend is not None and self.backend.price is not None:
            return self.backend.price
        return self.profile.price

    @property
    def context_tokens(self) -> int | None:
        """The context window that holds here."""
        if self.backend is not None and self.backend.context_tokens is not None:
            return self.backend.context_tokens
        return self.profile.context_tokens


class Pool:
    """Candidates in a fixed order. A column is an array of shape (n_candidates,); an unknown fact in it is NaN."""

    def __init__(self, entries: Iterable[PoolEntry]) -> None:
        self.entries: tuple[PoolEntry, ...] = tuple(entries)

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Catalog ids, one per candidate; a model served by two backends appears twice."""
        return tuple(entry.profile.id for entry in self.entries)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What outcomes may call each candidate."""
        return tuple(entry.name for entry in self.entries)

    @cached_property
    def backend_ids(self) -> tuple[str | None, ...]:
        """Backend ids, None where the candidate cannot be called here."""
        return tuple(entry.backend.id if entry.backend else None for entry in self.entries)

    @cached_property
    def input_usd_per_token(self) -> Floats:
        """Price of a plain input token, US dollars."""
        return _column([float(e.price.input_usd_per_mtok) / 1e6 if e.price else None for e in self.entries])

    @cached_property
    def output_usd_per_token(self) -> Floats:
        """Price of an output token, US dollars."""
        return _column([float(e.price.output_usd_per_mtok) / 1e6 if e.price else None for e in self.entries])

    @cached_property
    def cached_input_usd_per_token(self) -> Floats:
        """Price of an input token read from the provider's prompt cache; the plain price where none is published."""
        cached = _column(
            [
                float(e.price.cached_input_usd_per_mtok) / 1e6
                if e.price and e.price.cached_input_usd_per_mtok is not None
                else None
                for e in self.entries
            ]
        )
        return np.where(np.isnan(cached), self.input_usd_per_token, cached)

    @cached_property
    def params_b(self) -> Floats:
        """Total parameters, billions."""
        return _column([e.profile.params_total_b for e in self.entries])

    @cached_property
    def active_params_b(self) -> Floats:
        """Parameters active per token, billions; the total where the model is not known to be sparse."""
        return _column([e.profile.params_active_b or e.profile.params_total_b for e in self.entries])

    @cached_property
    def released_day(self) -> Floats:
        """Release date as a proleptic ordinal (`date.toordinal`)."""
        return _column([e.profile.released.toordinal() if e.profile.released else None for e in self.entries])

    @cached_property
    def knowledge_day(self) -> Floats:
        """Knowledge cutoff as a proleptic ordinal."""
        return _column(
            [e.profile.knowledge_cutoff.toordinal() if e.profile.knowledge_cutoff else None for e in self.entries]
        )

    @cached_property
    def context_tokens(self) -> Floats:
        """Context window, tokens."""
        return _column([e.context_tokens for e in self.entries])

    @cached_property
    def energy_wh_per_mtok(self) -> Floats:
        """Energy per million generated tokens, watt-hours."""
        return _column([e.profile.energy_wh_per_mtok for e in self.entries])

    @cached_property
    def risk_cvar95(self) -> Floats:
        """Tail risk of the model's answers (CVaR95 of the log-risk)."""
        return _column([e.profile.risk_cvar95 for e in self.entries])

    @cached_property
    def agent_risk(self) -> Floats:
        """Propensity to use a harmful tool, 0 to 1."""
        return _column([e.profile.agent_risk for e in self.entries])

    def select(self, indices: Sequence[int]) -> "Pool":
        """The candidates at these positions, in this order."""
        return Pool(self.entries[i] for i in indices)


def _column(values: Sequence[float | int | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)  # (n_candidates,)
