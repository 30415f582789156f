"""From the journal to better profiles."""
