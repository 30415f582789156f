"""What should change no decision: how a prompt is typed, who is mentioned in it, how much of a long one is read."""
