"""Where a model stands beside the prompts: placed by its outcomes, by its profile where it has none, or by both."""
