"""Personal data in prompts: found, and passed, redacted and restored, or kept local."""

from .detection import Finding, find_personal
from .guard import Mode, Protected, protect
from .redaction import Redaction
from .restoring import StreamRestorer, restored_answer

__all__ = ["Finding", "Mode", "Protected", "Redaction", "StreamRestorer", "find_personal", "protect", "restored_answer"]
