"""What is known of a model and what it charges, each fact with where it comes from, and how sources are merged."""
