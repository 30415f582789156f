"""Fitted indexes of stored registries on disk, so that a gateway that starts again need not fit them again."""

import shutil
import tempfile
from pathlib import Path

import structlog

from catalog import make_private
from gateway.atomic_files import clear_abandoned
from gateway.tools.registries import StoredRegistry
from predictors.encoders import Encoder
from predictors.errors import BadArtefactError
from predictors.tools import StackedRetriever, load_retriever, save_retriever

from .shelf import ToolIndex

__all__ = ["KeptIndexes"]

log = structlog.get_logger(__name__)

_UNFINISHED = ".part-"  # how names begin of what is being written
_WORTH_KEEPING = 1_000  # tools: fewer that nobody has used are indexed within a second


class KeptIndexes:
    """A folder: NAME/VERSION. Whatever is wrong with a kept index, another is fitted in its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fitted(self, stored: StoredRegistry, encoder: Encoder) -> StackedRetriever:
        """The retriever over a registry and its usage: what is kept of it, or a new one, which is then kept."""
        path = self._folder / stored.name / str(stored.version)
        if path.is_dir():
            try:
                found = load_retriever(path, encoder, fitted_on=(stored.registry, stored.usage))
            except BadArtefactError as exc:
                log.info("tool_index_outdated", registry=stored.label, problem=exc.problem)
            else:
                if isinstance(found, StackedRetriever):
                    return found
        retriever = StackedRetriever(encoder).fit(stored.registry, stored.usage)
        if len(stored.tools) > _WORTH_KEEPING or len(stored.usage):
            self._keep(retriever, path)
        return retriever

    def of_another_version(self, stored: StoredRegistry) -> Path | None:
        """The newest of those that are kept of a registry; None where this version's own is, or none."""
        folder = self._folder / stored.name
        if (folder / str(stored.version)).is_dir():
            return None
        kept = [path for path in folder.glob("[!.]*") if path.name.isdigit()]
        return max(kept, key=lambda path: int(path.name), default=None)

    def read(self, path: Path, encoder: Encoder) -> ToolIndex:
        """What is kept there.

        Raises:
            BadArtefactError: it is damaged, or of another encoder.
        """
        found = load_retriever(path, encoder)
        if not isinstance(found, StackedRetriever):
            raise BadArtefactError(path=str(path), problem="it is of one channel alone")
        return ToolIndex(found, found.evidence_.registry)

    def _keep(self, retriever: StackedRetriever, path: Path) -> None:
        """Write it, whole or not at all, beside one of another version; a full disk is no reason to fail."""
        try:
            make_private(path.parent)
            clear_abandoned(path.parent, f"{_UNFINISHED}*")
            begun = Path(tempfile.mkdtemp(dir=path.parent, prefix=_UNFINISHED))
            try:
                save_retriever(retriever, begun)
                others = [kept for kept in path.parent.glob("[!.]*") if kept != path]
                by_age = sorted(others, key=lambda kept: kept.stat().st_mtime)
                for outdated in (path, *by_age[:-1]):
                    shutil.rmtree(outdated, ignore_errors=True)
                begun.replace(path)
            finally:
                shutil.rmtree(begun, ignore_errors=True)
        except OSError as exc:  # another worker's is there by now, or there is no room
            log.info("tool_index_not_kept", kind=type(exc).__name__)
