"""Policies that an operator configured, out of `[policies.NAME]`."""

from collections.abc import Mapping

from router import InvalidRoutingError, Policy
from router import configured_policies as policies_of

from .settings import InvalidSettingsError, PolicySettings

__all__ = ["configured_policies"]


def configured_policies(given: Mapping[str, PolicySettings]) -> dict[str, Policy]:
    """The operator's policies by name.

    Raises:
        InvalidSettingsError: naming the policy and the key.
    """
    try:
        return policies_of({name: item.model_dump() for name, item in given.items()})
    except InvalidRoutingError as exc:
        raise InvalidSettingsError(str(exc)) from exc
