"""Packages that only some settings need."""

from importlib.util import find_spec

from .section import InvalidSettingsError

__all__ = ["need"]

_INSTALLS = {
    "journal.url": "pip install 'redis[hiredis]'",
    "state.url": "pip install 'redis[hiredis]'",
    "privacy.mode": "pip install phonenumbers python-stdnum",
}


def need(*packages: str, key: str) -> None:
    """Say at the start what a setting needs, not at the first request."""
    if missing := [name for name in packages if find_spec(name) is None]:
        raise InvalidSettingsError(f"{key}: needs {' and '.join(missing)}: {_INSTALLS[key]}")
