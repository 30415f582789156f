"""Sources of evidence for the relevance of a tool, one file each."""
