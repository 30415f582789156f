"""Which tools are sent: the few that a question needs, turn by turn, and what a search among them finds."""
