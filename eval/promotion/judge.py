"""May a challenger decide? It must lose nothing that matters on evidence it was not trained on."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from catalog.registry import Catalog
from eval.journal.logged_decisions import read_journal
from eval.outcomes.sources import read_table
from eval.policy.configured import known_policy
from predictors.journal.outcomes import is_journal
from router import Policy
from router.promotion import PromotionRules, Verdict

from .trials import Contest, Trial, on_journal, on_outcomes

__all__ = ["judge_predictor", "objections"]


def judge_predictor(
    champion: Path | None,
    challenger: Path,
    evidence: str,
    *,
    rules: PromotionRules,
    policies: Mapping[str, Policy],
    data: Path,
    seed: int,
) -> Verdict:
    """See `router.promotion.Judge`."""
    contest = Contest(
        champion=champion,
        challenger=challenger,
        policy=known_policy(rules.policy, policies),
        policies=policies,
        seed=seed,
    )
    path, note = Path(evidence), ""
    if path.is_file() and is_journal(path):
        trial = on_journal(read_journal(path), contest)
    else:
        table = read_table(evidence, data=data, catalog=Catalog.load())
        trial, note = on_outcomes(table, contest), table.note
    return Verdict(
        objections=tuple(objections(trial, rules)),
        facts={"evidence": evidence, "note": note, **asdict(rules), **asdict(trial)},
    )


def objections(trial: Trial, rules: PromotionRules) -> Iterator[str]:
    """What speaks against the challenger, in words for whoever wanted it promoted."""
    gain, cost = trial.score.difference, trial.cost_usd
    unknown = trial.without_support or 0.0
    if trial.n < rules.at_least:
        yield f"{trial.n} prompts are too few to judge by; at least {rules.at_least} are asked for"
    if gain.lower < -rules.margin:
        yield (
            f"its mean score is {trial.score.new:.4f}, the champion's {trial.score.old:.4f}; the interval of the "
            f"difference begins at {gain.lower:+.4f}, at most {-rules.margin:+.4f} is allowed{_told_by(trial)}"
        )
    elif (1 - unknown) * gain.lower - unknown < -rules.margin:
        yield (
            f"{unknown:.1%} of the decisions would go to a model that the journal could not have chosen there (another "
            "one in a conversation that was kept, one far below the best, in a request without exploration), so that "
            "nothing tells what is lost; judge on outcomes of several models on the same prompts (--on)"
        )
    if cost is not None and cost.difference.lower > 0 and gain.lower <= 0:
        yield (
            f"it costs surely more, {cost.new:.3g} US$ a request instead of {cost.old:.3g}, and is not surely better"
        )
    if trial.flips and trial.flips[0].negative > rules.max_nfr:
        yield (
            f"{trial.flips[0].negative:.1%} of the prompts were answered rightly and no longer are, at most "
            f"{rules.max_nfr:.1%} may be"
        )
    if trial.over_best_single is not None and trial.over_best_single.upper < 0:
        yield f"always asking {trial.best_single} is surely better"


def _told_by(trial: Trial) -> str:
    """How much a journal tells of the difference, and what would tell more."""
    if trial.explored is None:
        return ""
    return (
        f"; {trial.explored} explored choices tell of the {trial.changed:.1%} of the decisions that change: let the "
        "gateway explore more (learning.explore), wait for more feedback, or judge on outcomes of several models on "
        "the same prompts (--on)"
    )
