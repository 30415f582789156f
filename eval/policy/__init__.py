"""Policies by name, and what a change of one would change: decisions on a corpus, right answers that are lost."""
