"""Requests and tools as words: cut, compared, and looked up by BM25."""
