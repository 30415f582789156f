"""Tests of router.policies."""
