"""What a request may ask for, within what its key may use: models and policy."""

from dataclasses import replace

from catalog import Pool
from gateway.errors import ForbiddenError
from gateway.keys import ApiKey
from gateway.serving import Serving
from router import Reading

__all__ = ["AllowedModels"]

_MAX_RULES = 1_000  # different allow and deny lists whose closed models are remembered

_Rules = tuple[tuple[str, ...], tuple[str, ...]]  # a key's allow and deny lists
_Closed = tuple[tuple[str, ...], frozenset[str]]  # a pool's models that rules close, in their order and as a set


class AllowedModels:
    """Reads requests as their keys allow; remembers for each key's rules what they close of the pool."""

    def __init__(self) -> None:
        self._closed_to: dict[_Rules, tuple[Pool, _Closed]] = {}

    def restricted(self, key: ApiKey, reading: Reading, serving: Serving) -> Reading:
        """The wishes within what the key may use.

        Raises:
            ForbiddenError: it names a model that the key may not use.
            UnknownModelError: it names one that nobody here serves.
        """
        options, concealed = reading.options, reading.concealed
        if reading.narrowed_to is not None:
            serving.positions(reading.narrowed_to, may_see=key.may_use)  # raises if the key sees none of it
        if reading.target is not None:
            _check_target(key, reading.target, serving)
        if key.allow or key.deny:
            closed, concealed = self._closed(key, serving.pool)
            options = options if reading.target is not None else replace(options, deny=(*options.deny, *closed))
        if key.policy is not None and not reading.names_policy and key.policy in serving.policies:
            options = replace(options, policy=key.policy)
        is_same = options is reading.options and concealed is reading.concealed
        return reading if is_same else replace(reading, options=options, concealed=concealed)

    def _closed(self, key: ApiKey, pool: Pool) -> _Closed:
        rules = (key.allow, key.deny)
        kept = self._closed_to.get(rules)
        if kept is None or kept[0] is not pool:
            closed = tuple(dict.fromkeys(name for name in pool.ids if not key.may_use(name)))
            kept = (pool, (closed, frozenset(closed)))
            if len(self._closed_to) >= _MAX_RULES:
                self._closed_to.clear()
            self._closed_to[rules] = kept
        return kept[1]


def _check_target(key: ApiKey, target: str, serving: Serving) -> None:
    for position in serving.positions(target, may_see=key.may_use):
        if not key.may_use(model_id := serving.pool.ids[position]):
            raise ForbiddenError(f"this key may not use {model_id}; ask for another model", param="model")
