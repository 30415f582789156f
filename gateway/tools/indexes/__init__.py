"""Where tools come from, and the indexes that rank them: fitted once, kept on disk, and shared."""
