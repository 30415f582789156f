"""What `paretogate refine` and a gateway's own refinement share: the files that both write."""

import threading
from pathlib import Path

from catalog import Catalog, ModelProfile
from gateway.commands.refine import refinement_pass
from gateway.journal import SqliteJournal
from gateway.refinement import read_findings
from gateway.settings import Settings


def journalled(settings: Settings, backend: str, n: int) -> None:
    journal = SqliteJournal(settings.journal_path)
    for number in range(n):
        told = {"decision_id": f"{backend}{number}", "backend": backend, "status": "ok", "latency_s": 1.0}
        journal.write("outcome", told)
    journal.close_now()


def test_a_pass_that_began_before_a_rebuild_does_not_undo_it(tmp_path: Path) -> None:
    """It ended after it, and what it had read came in the place of what was learned anew."""
    settings, shipped = Settings(state={"dir": tmp_path}), Catalog.load()
    journalled(settings, "gone", 3)
    refinement_pass(settings, shipped)
    settings.journal_path.unlink()  # what it told is to be forgotten
    journalled(settings, "here", 2)
    rebuild = threading.Thread(target=refinement_pass, args=(settings, shipped), kwargs={"rebuild": True})

    class AmidThePass:
        """A catalog that is asked once what is known has been read."""

        def resolve(self, name: str) -> ModelProfile:
            if not rebuild.ident:
                rebuild.start()
                rebuild.join(0.5)  # in vain, where it waits for this pass
            return shipped.resolve(name)

    refinement_pass(settings, AmidThePass())  # type: ignore[arg-type]
    rebuild.join()
    assert set(read_findings(settings.measured_path).statistics) == {"here"}
