"""What a change of policy would change: its decisions on a corpus, and the right answers that it would lose."""
