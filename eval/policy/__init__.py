"""Policies by name, and what a change of one would change: its decisions on a corpus, the right answers it would lose."""
