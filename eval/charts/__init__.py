"""Results as self-contained SVG."""
