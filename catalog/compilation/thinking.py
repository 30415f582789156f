"""Which models think before they answer, by their names, where no source says so.

Registries list dated and hosted spellings without what the undated name can do, and the oldest of them have no word
for thinking: without this, DeepSeek-R1's distillations, QwQ and Grok 4 would be told as short and as cheap as models
that answer at once. Only names that leave no doubt count; a source that says a model thinks is never contradicted,
but by a name that says it was told not to.
"""

import re
from dataclasses import replace
from types import MappingProxyType

from catalog.profiles.chat import special_task
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance

from .from_name import NAMED

__all__ = ["thinks_by_name", "with_thinking"]

_SWITCHED_OFF = re.compile(r"(?:^|-)(?:non?-(?:thinking|reasoning)|(?:thinking|reasoning)-disabled)(?:-|$)")
_SAYS_SO = re.compile(r"(?:^|-)(?:think|thinking|reasoning|reasoner)(?:-|$)")
# Models that do nothing else, and of families that may be told not to, those that think unless told.
_THINKERS = re.compile(
    r"(?:.*-)?r1(?:-.*)?|"  # DeepSeek's, its distillations, and what others made of it
    r"(?:qwen-)?q[wv]q-.*|magistral-.*|o[1-9](?:-.*)?|gpt-oss-.*|ring-.*|exaone-deep-.*|ernie-x1.*|seed-oss-.*|"
    r"(?:doubao-)?seed-(?:1\.[68]|2).*|kimi-(?:k1\.5|dev).*|minimax-m1.*|glm-z1-.*|glm-(?:4[.p][5-9]|[5-9]).*|"
    r"grok-3-mini.*|grok-4.*|nemotron-(?:nano-(?:\d+b-)?v2|3-(?:nano|super|ultra)).*|"
    r"qwen3[-.]\d+(?:[.p]\d+)?b(?:-a\d+b)?(?:-fp8|-tput|-lora)*|"  # not the later -instruct, -2507 or -coder, nor bases
    r"qwen3\.[56]-\d\db(?:-a\d+b)?(?:-fp8|-tput|-lora)*"  # the small ones of 3.5 answer at once
)


def thinks_by_name(name: str) -> bool | None:
    """Whether a model of this name (an id without its owner) thinks unless told not to; None: the name does not say."""
    if _SWITCHED_OFF.search(name):
        return False
    if special_task(name) is not None:
        return None
    return True if _SAYS_SO.search(name) or _THINKERS.fullmatch(name) else None


def with_thinking(profile: ModelProfile) -> ModelProfile:
    """The profile with the capability `reasoning` where its name tells it, the name given as the source."""
    thinks = thinks_by_name(profile.id.partition("/")[2])
    if thinks is None or thinks is ("reasoning" in profile.capabilities):
        return profile
    changed = profile.capabilities | {"reasoning"} if thinks else profile.capabilities - {"reasoning"}
    field = "capabilities.reasoning" if "capabilities" in profile.provenance else "capabilities"
    sources: dict[str, Provenance] = {**profile.provenance, field: NAMED}
    return replace(profile, capabilities=changed, provenance=MappingProxyType(sources))
