"""What is replayed: outcomes as a table, where it comes from, and which of its prompts may be learned from."""
