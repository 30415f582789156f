"""The operator's own policies, read from a gateway's configuration file; of the rest of it nothing is looked at."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from catalog import read_text
from eval.errors import InvalidReplayError
from router import PRESETS, InvalidRoutingError, Policy, configured_policies

__all__ = ["known_policy", "read_policies"]


def read_policies(path: Path | None) -> Mapping[str, Policy]:
    """The policies under `[policies.NAME]`; none where there is no file.

    Raises:
        InvalidReplayError: the file cannot be read, or a policy in it is wrong; names the file and the key.
    """
    if path is None:
        return {}
    try:
        table = tomllib.loads(read_text(path)).get("policies", {})
        if not isinstance(table, Mapping):
            raise InvalidReplayError(f"{path}: policies: must be a table of policies, not {table!r}")
        return configured_policies(table)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, InvalidRoutingError) as exc:
        raise InvalidReplayError(f"{path}: {exc}") from exc


def known_policy(name: str, configured: Mapping[str, Policy]) -> str:
    """The name, if there is such a policy.

    Raises:
        InvalidReplayError: there is none; lists those there are.
    """
    if name not in PRESETS and name not in configured:
        known = ", ".join([*PRESETS, *configured])
        raise InvalidReplayError(f"no policy is called {name!r}; there are {known} (--config brings your own)")
    return name
