"""What an update breaks: answers that were right and no longer are.

Source: Echterhoff et al., MUSCLE, arXiv 2407.09435.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["backward_trust", "negative_flips", "negative_flips_multiple_choice"]

Bools = npt.NDArray[np.bool_]
Answers = npt.NDArray[np.str_]


def negative_flips(*, old_correct: Bools, new_correct: Bools) -> float:
    """NFR: share of all prompts (n,) that the old one answered rightly and the new one does not."""
    return float((old_correct & ~new_correct).mean())


def negative_flips_multiple_choice(*, truth: Answers, old: Answers, new: Answers) -> float:
    """NFR_mc: share of all prompts (n,) answered wrongly now, and otherwise than before."""
    return float(((new != truth) & (new != old)).mean())


def backward_trust(*, old_correct: Bools, new_correct: Bools) -> float:
    """BTC: share of what the old one got right that the new one still does; NaN where it got nothing right."""
    return float(new_correct[old_correct].mean()) if old_correct.any() else float("nan")
