"""API keys: who may come in, and how much they may use."""

from .file import KeyFile, KeyFileError
from .key import ApiKey, InvalidKeyRecordError, issue
from .ring import KeyRing, UnknownKeyError

__all__ = ["ApiKey", "InvalidKeyRecordError", "KeyFile", "KeyFileError", "KeyRing", "UnknownKeyError", "issue"]
