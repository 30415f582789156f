"""Choice rules on the Pareto front."""
