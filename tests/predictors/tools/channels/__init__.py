"""Tests of predictors/tools/channels."""
