"""Encoders: static (shipped), sentence-transformers, remote, two of them joined, and a cache before any."""

from .cached import CachedEncoder
from .joint import JointEncoder
from .opening import ENCODER_NAMES, open_encoder
from .protocol import Encoder, Vectors
from .remote import RemoteEncoder
from .sentence_transformers import SentenceTransformersEncoder
from .static import StaticEncoder

__all__ = [
    "ENCODER_NAMES",
    "CachedEncoder",
    "Encoder",
    "JointEncoder",
    "RemoteEncoder",
    "SentenceTransformersEncoder",
    "StaticEncoder",
    "Vectors",
    "open_encoder",
]
