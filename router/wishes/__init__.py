"""What can be wanted of a decision: hard constraints, goals to trade, a caller's options, policies by name."""
