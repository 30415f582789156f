"""What a gateway kept of its calls, as outcomes to learn from."""
