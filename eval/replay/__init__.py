"""A table of outcomes, decided about by the router that serves: what was chosen, its numbers and their report."""
