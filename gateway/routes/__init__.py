"""The doors: what every request meets first, and what stands behind each address."""
