"""What is told of a decision: to the caller, and to the journal."""
