"""Where a model stands: questions picked for what they tell, answers turned into its general ability."""

import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from catalog import Ability
from predictors.quality.protocol import Matrix

from .asking import Asking, BudgetSpentError
from .belief import Asked, VectorBelief, most_informative
from .results import Fact, ProbeResult, Subject

__all__ = ["ANSWER_TOKENS", "probe_quality", "prompt_side"]

ANSWER_TOKENS = 12
_TRAIT_SD = 0.3
# The ease of these questions is forecast, not measured: all of them together may be this much easier or harder.
_BANK_SD = 0.5
_LEAST_PRECISION = 0.01  # of an ability that the answers say next to nothing of
_SEED = 0  # of the questions that are drawn: the same probe asks the same
_STEP = 5  # questions between two looks at the belief


def probe_quality(subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """Ask until the budget or the questions end; the belief is renewed every few answers."""
    side = prompt_side(subject)
    (vector,), (strength_sd,) = subject.quality.vectors([subject.profile])
    prior = VectorBelief.from_profile(vector, strength_sd=float(strength_sd), trait_sd=_TRAIT_SD)
    belief = prior
    rng = np.random.default_rng(_SEED)
    taken: list[int] = []
    scores: list[float] = []
    complete = True
    while len(taken) < min(calls, len(subject.questions)) and complete:
        for at in most_informative(belief, side, n=min(_STEP, calls - len(taken)), taken=taken, rng=rng):
            question = subject.questions[at]
            try:
                reply = asking.chat(question.prompt(), max_tokens=ANSWER_TOKENS)
            except BudgetSpentError:
                complete = False
                break
            taken.append(at)
            scores.append(float(question.chosen(reply.text) == question.right))
        if taken:
            belief = prior.after(Asked(prompt_side=side[taken], score=np.array(scores)))
    if not taken:
        return ProbeResult(procedure="quality", complete=False, note="the budget paid for no question")
    right = float(np.mean(scores))
    n = len(scores)
    method = f"{n} questions made by rule, picked for what they tell, graded by their known answers"
    return ProbeResult(
        procedure="quality",
        ability=_ability(subject, prior, belief),
        facts=(
            Fact(name="probe_score", value=right, unit="share right", n=n, method=method,
                 se=math.sqrt(max(right * (1.0 - right), 1.0 / (4 * n)) / n)),
        ),
        complete=complete,
    )  # fmt: skip


def prompt_side(subject: Subject) -> Matrix:
    """Ease and tastes that the shipped model forecasts of every question, (n_questions, 1 + n_traits)."""
    arrays = subject.quality.arrays
    features = subject.features.extract([question.prompt() for question in subject.questions])
    topics = features @ arrays["topic_weights"] + arrays["topic_constant"]  # (n_questions, n_topics)
    topics = np.exp(topics - topics.max(axis=1, keepdims=True))
    share = topics / topics.sum(axis=1, keepdims=True)
    side: Matrix = features @ arrays["on_features"] + arrays["on_constant"] + share @ arrays["on_topics"]
    return side


def _ability(subject: Subject, prior: VectorBelief, belief: VectorBelief) -> Ability:
    """General ability that puts the model's strength where the answers put it."""
    arrays = subject.quality.arrays
    per_ability = float(arrays["profile_map"][1, 0] / arrays["profile_scale"][0])  # logits of strength per unit
    before = subject.quality.ability(subject.profile)
    after = before.mean + float(belief.mean[0] - prior.mean[0]) / per_ability
    certain = per_ability**2 / float(belief.covariance[0, 0])
    # Whoever reads the profile weighs its ability with the guess from its other facts: that guess is taken out here.
    guess = subject.quality.ability(replace(subject.profile, ability=MappingProxyType({})))
    own = max(certain - 1.0 / guess.se**2, _LEAST_PRECISION)
    mean = (certain * after - guess.mean / guess.se**2) / own if own > _LEAST_PRECISION else after
    return Ability(mean=mean, se=math.hypot(1.0 / math.sqrt(own), _BANK_SD / abs(per_ability)))
