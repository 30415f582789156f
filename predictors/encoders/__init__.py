"""Encoders: static, sentence-transformers, remote."""
