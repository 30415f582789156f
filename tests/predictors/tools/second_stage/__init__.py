"""Tests of predictors/tools/second_stage."""
