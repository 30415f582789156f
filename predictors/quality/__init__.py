"""Expected quality of every model on a prompt."""
