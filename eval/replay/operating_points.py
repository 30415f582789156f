"""How the router is asked in a replay: two sweeps of a knob, then the policies that were named."""

from collections.abc import Sequence
from dataclasses import dataclass

from router import RoutingOptions

__all__ = ["PAY", "SWEEP", "OperatingPoint", "operating_points"]

# The policies' names in reports when one of the caller's two knobs is turned through its range: the cost-quality
# tradeoff, which counts costs in ratios, and the willingness to pay, which counts dollars and so minimises the mean.
SWEEP, PAY = "sweep", "pay"
_KNOB = (0.0, 0.5, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.5, 10.0)
_PRICES = (1.0, 3.0, 6.0, 10.0, 16.0, 25.0, 40.0, 65.0, 100.0, 200.0, 500.0)  # a point of quality, in dearest calls


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """One way to ask the router: a policy, and where its knob stands."""

    policy: str
    point: float | None
    options: RoutingOptions


def operating_points(
    policies: Sequence[str] = (), *, knob: Sequence[float] = _KNOB, call_usd: float | None = None
) -> tuple[OperatingPoint, ...]:
    """The knob from quality only (0) to cost only (10), a range of prices for quality, then each named policy.

    None of them explores. Both sweeps start from the policy `best`, which weighs nothing but what they turn.

    Args:
        policies: to show beside the sweeps.
        knob: positions of the cost-quality tradeoff.
        call_usd: what a dear call costs here; the willingness to pay is swept in multiples of it, None leaves it out.
    """
    points = [
        OperatingPoint(
            policy=SWEEP, point=k, options=RoutingOptions(policy="best", cost_quality_tradeoff=k, explore=False)
        )
        for k in knob
    ]
    points += [
        OperatingPoint(
            policy=PAY, point=usd, options=RoutingOptions(policy="best", willingness_to_pay_usd=usd, explore=False)
        )
        for usd in ([price * call_usd for price in _PRICES] if call_usd is not None else ())
    ]
    points += [OperatingPoint(policy=p, point=None, options=RoutingOptions(policy=p, explore=False)) for p in policies]
    return tuple(points)
