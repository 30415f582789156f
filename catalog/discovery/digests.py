"""The digests by which servers' weights were last seen, on disk: a name whose digest changed has other weights now."""

from collections.abc import Mapping
from pathlib import Path

import orjson

from catalog.finding import Finding
from catalog.identity import Identity, silent_changes
from catalog.untrusted.private_folders import make_private
from catalog.untrusted.regular_files import read_file
from catalog.untrusted.replacing import written_aside

__all__ = ["watch_digests"]


def watch_digests(path: Path, seen: Mapping[str, str]) -> tuple[Finding, ...]:
    """Compare with what was seen before, and remember what is seen now.

    A file that is absent or broken remembers nothing, and one that cannot be written is a finding: a gateway starts
    all the same.

    Args:
        path: a JSON file of backend id to digest.
        seen: the digest of each served backend that tells one.
    """
    before = _remembered(path)
    changed = silent_changes(
        [Identity(owner="backend", name=name, digest=digest) for name, digest in before.items()],
        [Identity(owner="backend", name=name, digest=digest) for name, digest in seen.items()],
    )
    findings = [
        Finding(
            file=path.name,
            entry=change.name,
            field="digest",
            problem=f"{change.was:.19} became {change.now:.19}: other weights under a kept name. "
            "It is served still, while what was measured of it is of the old weights; hold both against each other "
            "with `paretogate catalog diff OLD NEW --outcomes FILE`, and to keep it from an application until then, "
            "give that a key with --deny",
        )
        for change in changed
    ]
    if any(before.get(name) != digest for name, digest in seen.items()):
        try:
            _remember(path, {**before, **seen})
        except OSError as exc:
            problem = (
                f"cannot be written ({exc.strerror}), so changes of weights go unnoticed; let state.dir be writable"
            )
            findings.append(Finding(file=path.name, entry=path.name, field="(file)", problem=problem))
    return tuple(findings)


def _remember(path: Path, digests: Mapping[str, str]) -> None:
    """In one step: workers that start together read what the first of them writes."""
    make_private(path.parent)
    with written_aside(path, orjson.dumps(digests, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)) as aside:
        aside.replace(path)


def _remembered(path: Path) -> dict[str, str]:
    try:
        document = orjson.loads(read_file(path))
    except (OSError, orjson.JSONDecodeError):
        return {}
    told = document.items() if isinstance(document, dict) else ()
    return {name: digest for name, digest in told if isinstance(digest, str)}
