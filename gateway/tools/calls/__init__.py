"""What models make of tools: calls checked against schemas, asked for again, observed, and learned from."""
