"""Reading the configuration: a file, then the environment, then flags; the later wins, and all is checked at once."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from catalog import parse_yaml, read_text

from .complaints import explain, meant
from .section import InvalidSettingsError
from .whole import PREFIX, Settings

__all__ = ["load_settings", "settings_file"]

_DEFAULT_FILES = ("paretogate.toml", "paretogate.yaml", "paretogate.yml")
_PATHS = (
    ("predictor", "path"),
    ("state", "dir"),
    ("embedded", "gguf"),
    ("catalog", "path"),
    ("catalog", "overlays"),
    ("canaries", "files"),
    ("auth", "keys"),
    ("journal", "url"),
)
_SQLITE = "sqlite:///"  # behind which a path stands
# The file, the public datasets, and what other commands read from the environment that one may serve from as well.
_NOT_SETTINGS = frozenset(f"{PREFIX}{name}" for name in ("CONFIG", "DATA", "ENCODER_KEY", "PROBE_KEY"))


def load_settings(
    *,
    config: Path | None = None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read the configuration.

    Args:
        config: the file; else the one that PARETOGATE_CONFIG names; else `paretogate.toml` or `.yaml` in `folder`.
        environ: usually `os.environ`.
        flags: what the command line said, nested like the file; None values are ignored.
        folder: usually the working directory; None looks for no file.

    Raises:
        InvalidSettingsError: a file cannot be read, a key is unknown or a value is impossible.
    """
    file = settings_file(config=config, environ=environ, folder=folder)
    sources = [("flag", _without_none(flags or {})), ("environment", _placed(Path(), _from_environment(environ)))]
    if file is not None:
        sources.append((str(file), _from_file(file)))
    merged: dict[str, Any] = {}
    for _, values in reversed(sources):
        merged = _merge(merged, values)
    try:
        return Settings(**merged)
    except ValidationError as exc:
        raise InvalidSettingsError(explain(exc, sources)) from exc


def settings_file(*, config: Path | None, environ: Mapping[str, str], folder: Path | None) -> Path | None:
    """The file that `load_settings` reads, told the same; None where there is none."""
    return config or (Path(environ["PARETOGATE_CONFIG"]) if environ.get("PARETOGATE_CONFIG") else _find(folder))


def _find(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    return next((folder / name for name in _DEFAULT_FILES if os.path.lexists(folder / name)), None)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
        values = tomllib.loads(text) if path.suffix == ".toml" else parse_yaml(text)
    except OSError as exc:
        raise InvalidSettingsError(f"cannot read {path}: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        kind = "TOML" if path.suffix == ".toml" else "YAML"
        raise InvalidSettingsError(f"{path} is not valid {kind}: {' '.join(str(exc).split())}") from exc
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidSettingsError(f"{path}: the file must hold sections, not a {type(values).__name__}")
    if strange := [key for key in values if not isinstance(key, str)]:
        raise InvalidSettingsError(f"{path}: {strange[0]!r} is no section: known: {', '.join(Settings.model_fields)}")
    said = {key: value for key, value in values.items() if value is not None}  # a section that is left empty in YAML
    return _placed(path.parent, said)


def _placed(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Paths in a file are relative to the file, wherever the command was run; `~` is home everywhere."""
    for section, key in _PATHS:
        table = values.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = _place(folder, table[key])
        elif isinstance(table, dict) and isinstance(table.get(key), list):
            table[key] = [_place(folder, str(item)) for item in table[key]]
    return values


def _place(folder: Path, path: str) -> str:
    scheme = _SQLITE if path.startswith(_SQLITE) else ""
    if not scheme and "://" in path:
        return path  # what kind of address that is, its own section says
    return scheme + str(folder / os.path.expanduser(path.removeprefix(scheme)))  # noqa: PTH111 - an unknown ~user stays


class _GivenEnvironment(EnvSettingsSource):
    """The library's reader of nested variables, over an environment that is handed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401, ARG002 - theirs
        """A list or a table from its JSON, which says nothing twice, as in a file."""
        return json.loads(value, object_pairs_hook=_said_once)


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r:.60} is said twice")
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    for name in environ:
        top = name.upper().removeprefix(PREFIX).partition("__")[0].lower()
        if name.upper().startswith(PREFIX) and name.upper() not in _NOT_SETTINGS and top not in Settings.model_fields:
            raise InvalidSettingsError(f"environment: {name} is no setting{meant(top, Settings.model_fields)}")
    try:
        return _GivenEnvironment(environ)()
    except ValueError as exc:
        told = f"{exc} ({exc.__cause__})" if exc.__cause__ else exc
        raise InvalidSettingsError(f"environment: {told}; a list or a table is written as JSON") from exc


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: _without_none(v) if isinstance(v, Mapping) else v for key, v in values.items() if v is not None}
    return {key: value for key, value in kept.items() if value != {}}
