"""Every decision and its outcome, kept."""
