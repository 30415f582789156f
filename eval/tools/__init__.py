"""Are the right tools found: retrieval replayed on public registries and on tables of your own."""
