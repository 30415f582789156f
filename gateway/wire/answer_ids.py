"""The ids of answers that are told in another protocol than the one they came in.

Clients tell by its form what an id is of, and feedback names an answer by it: each is unique, which the ids of some
chat servers are not, and journalled with the outcome, so that every worker and replica finds the decision.
"""

import hashlib

__all__ = ["chat_id", "own_id"]

_OTHERS = ("msg_", "resp_")  # Anthropic's Messages and OpenAI's Responses


def own_id(prefix: str, decision_id: str) -> str:
    """The name of a decision's answer, the same wherever it is asked for."""
    return prefix + hashlib.blake2b(decision_id.encode(), digest_size=16).hexdigest()


def chat_id(name: object) -> object:
    """The name of a chat completion that was made from another protocol's answer; what is no such name stays."""
    if not isinstance(name, str):
        return name
    prefix = next((prefix for prefix in _OTHERS if name.startswith(prefix)), None)
    return name if prefix is None else "chatcmpl-" + name.removeprefix(prefix)
