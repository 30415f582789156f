"""How long answers are: forecasts, what limits them, and how they are fitted."""
