"""What a prompt is like: its coordinates and its topics, and how much it resembles what was learned from."""
