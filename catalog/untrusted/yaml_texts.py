"""YAML within bounds. An alias stands for a whole value, so that half a kilobyte can say more than a memory holds."""

from typing import Any, Final

__all__ = ["parse_yaml"]

_MOST_VALUES: Final = 100_000  # that a text of any length may stand for; without aliases it has fewer than characters


def parse_yaml(text: str, *, loader: Any = None) -> Any:  # noqa: ANN401 - PyYAML's class; whatever is in the text
    """What a text says.

    Args:
        text: one document.
        loader: a class derived from PyYAML's `SafeLoader`, where its own words are not meant.

    Raises:
        ValueError: it is no YAML, is nested too deeply, says a key twice, or its aliases unfold to far too much.
    """
    import yaml  # noqa: PLC0415 - only files in YAML pay for it

    class Loader(loader or yaml.SafeLoader):  # type: ignore[misc]
        """Refuses a key that is said twice, of which YAML lets the last one win."""

        def compose_mapping_node(self, anchor: Any) -> Any:  # noqa: ANN401 - PyYAML has no types
            node = super().compose_mapping_node(anchor)
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    at = key.start_mark
                    raise ValueError(f"line {at.line + 1}: {key.value!r:.80} is said twice; leave one out")
                seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            return node

    try:
        value = yaml.load(text, Loader)  # noqa: S506 - as safe as what it is made of
        unfolded = _count(value, {})
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    except (yaml.YAMLError, TypeError, OverflowError, AttributeError, KeyError) as exc:  # the last four: odd values
        raise ValueError(" ".join(str(exc).split())) from exc
    if unfolded > max(_MOST_VALUES, len(text)):
        raise ValueError(f"its aliases unfold to {unfolded:.3g} values; write out what is meant")
    return value


def _count(value: object, known: dict[int, float]) -> float:
    """How many values it is, with all aliases written out; raises `RecursionError` where it holds itself."""
    if not isinstance(value, dict | list | set | tuple):
        return 1.0
    if id(value) not in known:
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1.0 + sum(_count(part, known) for part in parts)
    return known[id(value)]
