"""What clients said of answers, read from a journal: which pieces of feedback count, and for which decision."""

import math
from collections import Counter
from collections.abc import Mapping

__all__ = ["Judgements"]

_STRAY = 0.01  # share of a metric's values that may lie outside [0, 1] by mistake


class Judgements:
    """Feedback, kept until all records are read: it may name a response, and come before anything else.

    What counts is a number in [0, 1] (true is 1), once for each idempotency key, by whoever's answer it was: another
    tenant's word counts for nothing. A tenant's metric that has other numbers, too, is on another scale (thumbs of -1
    and 1, stars), of which 1 would be taken for the best and the rest for nothing said: then none of it counts.
    """

    def __init__(self, *, metric: str | None = None) -> None:
        """`metric`: the one that counts; None takes all."""
        self._metric = metric
        self._said: list[tuple[str | None, str | None, str | None, str, float]] = []
        self._keys: set[str] = set()
        self._decision_of: dict[str, str] = {}  # by response
        self._tenant_of: dict[str, str] = {}  # of decisions that are somebody's
        self._known: dict[str | None, str | None] = {None: None}  # tenants and metrics, each once

    def decided(self, record: Mapping[str, object]) -> None:
        """A decision, which feedback may be about."""
        tenant = record.get("tenant")
        if tenant is not None:
            self._tenant_of[str(record.get("decision_id"))] = self._once(tenant) or ""

    def answered(self, record: Mapping[str, object]) -> None:
        """An outcome, whose response feedback may be about."""
        response = record.get("response_id")
        if response is not None:
            self._decision_of[str(response)] = str(record.get("decision_id"))

    def said(self, record: Mapping[str, object]) -> None:
        """A piece of feedback."""
        value, metric, key = record.get("value"), record.get("metric"), record.get("idempotency_key")
        if not isinstance(value, int | float) or not math.isfinite(value) or self._metric not in (None, metric):
            return
        if key is not None:
            if str(key) in self._keys:
                return
            self._keys.add(str(key))
        decision, response = record.get("decision_id"), record.get("response_id")
        self._said.append(
            (
                None if decision is None else str(decision),
                None if response is None else str(response),
                self._once(record.get("tenant")),
                self._once(metric) or "",
                float(value),
            )
        )

    def rewards(self) -> dict[str, list[float]]:
        """By decision, what was said of it that counts."""
        told, outside = Counter[tuple[str | None, str]](), Counter[tuple[str | None, str]]()
        for *_, tenant, metric, value in self._said:
            told[tenant, metric] += 1
            outside[tenant, metric] += not 0 <= value <= 1
        other_scales = {which for which, n in outside.items() if n > _STRAY * told[which]}
        found: dict[str, list[float]] = {}
        for decision, response, tenant, metric, value in self._said:
            about = decision or self._decision_of.get(response or "")
            if about is None or not 0 <= value <= 1 or (tenant, metric) in other_scales:
                continue
            if self._tenant_of.get(about, tenant) == tenant:
                found.setdefault(about, []).append(value)
        return found

    def _once(self, name: object) -> str | None:
        text = None if name is None else str(name)
        return self._known.setdefault(text, text)
