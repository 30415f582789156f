"""Which of the candidates that qualify: what is preferred, the Pareto front, the order, and now and then another."""
