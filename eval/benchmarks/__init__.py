"""One adapter per public dataset, all yielding one outcomes table."""
