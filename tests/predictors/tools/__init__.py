"""Tests of predictors/tools."""
