"""May a trained predictor decide in place of the one that does: both on the same evidence, and a verdict."""

from .judge import judge_predictor

__all__ = ["judge_predictor"]
