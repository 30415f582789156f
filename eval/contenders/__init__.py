"""Who takes part in a replay: ours and its rivals, what they learn with, and rules that need no forecast."""
