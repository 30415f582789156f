"""Encoders: static (shipped), sentence-transformers, remote, two of them joined, and a cache before any."""

from .cached import CachedEncoder
from .joint import JointEncoder
from .protocol import Encoder, Vectors
from .remote import RemoteEncoder
from .sentence_transformers import SentenceTransformersEncoder
from .static import StaticEncoder

__all__ = [
    "CachedEncoder",
    "Encoder",
    "JointEncoder",
    "RemoteEncoder",
    "SentenceTransformersEncoder",
    "StaticEncoder",
    "Vectors",
]
