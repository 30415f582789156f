"""The models that may answer: the backends that serve them, and the names and patterns that people mean them by."""
