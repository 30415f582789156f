"""Put a compiled catalog in the place of another: written aside, read back whole, and only then moved, in one step."""

from pathlib import Path

from catalog.errors import CatalogError, ImportFailedError
from catalog.registry import Catalog
from catalog.untrusted.replacing import written_aside

__all__ = ["write_compiled"]


def write_compiled(path: Path, content: bytes) -> None:
    """Replace a catalog by another, or leave it as it was: whoever reads meanwhile sees the old one or the new one.

    What is no regular file (a pipe, a device) is written to directly.

    Raises:
        ImportFailedError: the place cannot be written, or the content is no catalog that could be read again.
    """
    target = path.resolve()  # of a link, what it points to is replaced
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        with written_aside(target, content) as aside:
            _read_back(aside, told_as=path)
            aside.replace(target)
    except OSError as exc:
        problem = f"cannot be written ({exc.strerror}); choose another place with --out"
        raise ImportFailedError(source=str(path), problem=problem) from exc


def _read_back(aside: Path, *, told_as: Path) -> None:
    try:
        tuple(Catalog.load(aside))  # builds every profile: a broken one must not wait until somebody asks for it
    except (CatalogError, KeyError, TypeError, ValueError, AttributeError) as exc:
        problem = f"what was to be written cannot be read again and replaced nothing: {exc}"
        raise ImportFailedError(source=str(told_as), problem=problem) from exc
