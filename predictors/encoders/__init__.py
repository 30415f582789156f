"""Encoders: static (shipped), sentence-transformers, remote, and a cache before any of them."""

from .cached import CachedEncoder
from .protocol import Encoder, Vectors
from .remote import RemoteEncoder
from .sentence_transformers import SentenceTransformersEncoder
from .static import StaticEncoder

__all__ = ["CachedEncoder", "Encoder", "RemoteEncoder", "SentenceTransformersEncoder", "StaticEncoder", "Vectors"]
