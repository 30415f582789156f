"""The policies everybody has. A tenfold saving is worth `weight / decades of the goal's scale` points of quality."""

from types import MappingProxyType

from .constraints import Constraints
from .policy import Policy

__all__ = ["BALANCED", "PRESETS"]

# On the cost scale (six decades, see goals.py) a weight of 0.30 gives up 0.05 of quality for each tenfold saving: a
# prompt on which the strong model is expected to score 0.04 better than one ten times cheaper goes to the cheap one, a
# prompt on which it scores 0.1 better stays. What that gains and costs in replay is in docs/replay.md: above the best
# single model at two thirds of its cost where models differ by subject, some points below it elsewhere. A little
# latency decides between equals, such as free local ones.
BALANCED = Policy(weights=MappingProxyType({"cost": 0.30, "latency": 0.03}))

PRESETS = MappingProxyType(
    {
        "best": Policy(),
        "balanced": BALANCED,
        # The cheapest that is not clearly worse: weighing alone would follow a price of zero to any depth of quality.
        "cheap": Policy(weights=MappingProxyType({"quality": 0.01, "cost": 1.0}), quality_within=0.15),
        "fast": Policy(weights=MappingProxyType({"latency": 0.45, "cost": 0.03})),
        "small": Policy(weights=MappingProxyType({"size": 0.6, "cost": 0.03})),
        # Energy is rarely published; active parameters are its best known proxy.
        "green": Policy(weights=MappingProxyType({"energy": 0.4, "size": 0.2, "cost": 0.03})),
        # A policy of that name must never send a prompt to somebody who keeps it, so half of it is a constraint.
        "private": Policy(
            weights=MappingProxyType({"security": 0.3, "cost": 0.15, "latency": 0.03}),
            require=Constraints(privacy="no_retention"),
        ),
    }
)
