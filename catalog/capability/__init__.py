"""How well a model does what: one scale from many benchmarks."""
