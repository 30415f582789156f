"""Tests of predictors/tools/text."""
