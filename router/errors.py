"""What can be wrong with a decision.

ParetoGateError
└── RoutingError
    ├── InvalidRoutingError       the caller's wishes are malformed or contradict each other  (ValueError)
    └── NoEligibleModelError      every candidate breaks a constraint; says which, and what would help
"""

from collections.abc import Collection, Mapping, Sequence

from catalog import ParetoGateError, record

__all__ = ["InvalidRoutingError", "NoEligibleModelError", "RoutingError", "TooLong"]


_LONGEST_FIELD = 200  # characters that are told
_LONGEST_PROBLEM = 2_000


class RoutingError(ParetoGateError):
    """A decision could not be made."""


class InvalidRoutingError(RoutingError, ValueError):
    """A routing wish is malformed, unknown, or contradicts another one."""

    def __init__(self, *, field: str, problem: str) -> None:
        field = field[:_LONGEST_FIELD]
        if len(problem) > _LONGEST_PROBLEM:  # it quotes what was sent, and ends with the remedy
            problem = f"{problem[: _LONGEST_PROBLEM // 2]} ... {problem[-_LONGEST_PROBLEM // 2 :]}"
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


@record
class TooLong:
    """By how much a request is too long for the widest window of those that it alone keeps from answering."""

    input_tokens: int  # as that model counts them, by estimate
    output_tokens: int  # what the caller allows, else what is expected
    window_tokens: int


class NoEligibleModelError(RoutingError):
    """No candidate satisfies every constraint."""

    def __init__(
        self,
        *,
        rejections: Mapping[str, int],
        closest: Mapping[str, object] | None,
        unknown: Sequence[str] = (),
        too_long: TooLong | None = None,
    ) -> None:
        """`unknown` names constraints on a fact that no candidate has: no other limit would admit anybody.

        `too_long` is there where a shorter request would be answered.
        """
        reasons = ", ".join(f"{name} rejects {count}" for name, count in rejections.items())
        remedy = f"; {closest['id']} comes closest, {_change(closest)}" if closest else ""
        if unknown:
            remedy = "".join(f"; {name}: nobody here has that fact, {_how_to_state(name)}" for name in unknown)
        super().__init__(f"no model satisfies every constraint: {reasons or 'the pool is empty'}{remedy}")
        self.rejections, self.closest = dict(rejections), dict(closest) if closest else None
        self.unknown, self.too_long = tuple(unknown), too_long

    def concealing(self, ids: Collection[str]) -> "NoEligibleModelError":
        """The same for whoever is not to be told of these models."""
        if self.closest is None or self.closest["id"] not in ids:
            return self
        return NoEligibleModelError(
            rejections=self.rejections, closest=None, unknown=self.unknown, too_long=self.too_long
        )


def _how_to_state(constraint: str) -> str:
    """Where a fact that is missing everywhere can be put."""
    if constraint in {"max_risk", "max_agent_risk"}:
        return "for nothing public may be shipped; import your own red team's results with `paretogate catalog risk`"
    return "so no limit admits a model; state it of the models in an overlay or of the backends in the settings"


_ABILITIES = ("needs", "capabilities")
_DATES = ("released_after", "knowledge_after")


def _change(closest: Mapping[str, object]) -> str:
    """What would have to change for the closest candidate, in words."""
    has = "unknown" if closest["relax_to"] is None else closest["relax_to"]
    also = closest.get("also")
    more = f" (and {len(also)} more)" if isinstance(also, list) and also else ""
    if isinstance(has, list) and closest["constraint"] in _ABILITIES:
        lacks = closest.get("lacks")
        missing = f", not {', '.join(lacks)}" if isinstance(lacks, list) else ""
        return f"which can only do {', '.join(map(str, has))}{missing}{more}"
    if closest["constraint"] in _DATES and closest["relax_to"] is not None:
        return f"which {closest['constraint']} {has} would admit{more}"
    return f"its {closest['constraint']} is {has}{more}"
