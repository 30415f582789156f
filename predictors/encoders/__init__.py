"""Encoders: static, sentence-transformers, remote."""

from .protocol import Encoder, Vectors
from .static import StaticEncoder

__all__ = ["Encoder", "StaticEncoder", "Vectors"]
