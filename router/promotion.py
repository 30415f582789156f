"""What a challenger must show before it decides, and what its judge answers.

The judge lives where measuring does and is found by its entry point (group `paretogate.judges`, name `predictor`), so
that the gateway, which promotes, need not know how one measures; an operator may bring another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .wishes.policy import Policy

__all__ = ["Judge", "PromotionRules", "Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRules:
    """When a challenger is refused. Means, costs and shares are over the evidence it was not trained on."""

    policy: str = "balanced"  # that both predictors decide under
    margin: float = 0.01  # the lower end of the 95 % interval of new minus old score may be this far below 0
    max_nfr: float = 0.05  # share of prompts answered rightly that no longer are; where every model's score is known
    at_least: int = 200  # judged prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the judge says; without objections the challenger may decide."""

    objections: tuple[str, ...]
    facts: Mapping[str, object]  # plain values, ready for JSON

    @property
    def passed(self) -> bool:
        """No rule objects."""
        return not self.objections


class Judge(Protocol):
    """Replays evidence through both predictors; fits nothing."""

    def __call__(
        self,
        champion: Path | None,
        challenger: Path,
        evidence: str,
        *,
        rules: PromotionRules,
        policies: Mapping[str, Policy],
        data: Path,
        seed: int,
    ) -> Verdict:
        """Compare two saved predictors.

        Args:
            champion: the folder of the one that decides; None is the one that ships.
            challenger: the folder of the one that wants to.
            evidence: a table of outcomes, a public dataset's name, or a gateway's journal.
            rules: when to object.
            policies: the operator's own, which `rules.policy` may name.
            data: the folder of the public datasets.
            seed: of the bootstrap.

        Raises:
            ParetoGateError: the evidence or a predictor cannot be read, or nothing in it can be judged.
        """
        ...
