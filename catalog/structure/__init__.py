"""What models are built of: their dimensions, how many parameters these make, and their tokenizers."""
