"""What `paretogate doctor` says of the predictor that is in force for all replicas."""

from collections.abc import Iterator
from contextlib import closing

from catalog import ParetoGateError
from gateway.journal import JournalUnavailableError
from gateway.promotion import SharedPredictors
from gateway.settings import Settings
from predictors.versions import PredictorVersions

from .check import Check

__all__ = ["predictor_checks"]

_SUBJECT = "shared predictor"


def predictor_checks(settings: Settings) -> Iterator[Check]:
    """Whether what Redis says decides here; nothing where Redis cannot be asked, which others say."""
    if settings.predictor.path is not None:
        detail = "predictor.path decides here, whatever is promoted for all replicas"
        yield Check(subject=_SUBJECT, verdict="ok", detail=detail)
        return
    versions = PredictorVersions(settings.predictors_dir)
    try:
        with closing(SharedPredictors(settings)) as shared:
            order = shared.order()
        if order is None:
            yield Check(subject=_SUBJECT, verdict="ok", detail="none was promoted for all replicas")
            return
        wanted, decides = order.deciding, versions.deciding()
        theirs = None if wanted is None else versions.here(wanted.number, wanted.digest)
    except JournalUnavailableError:
        return
    except ParetoGateError as exc:
        problem, _, remedy = str(exc).rpartition("; ")
        yield Check(subject=_SUBJECT, verdict="note", detail=problem, remedy=remedy)
        return
    name = f"version {wanted.number}" if wanted is not None else "the predictor that ships"
    if decides == theirs and (wanted is None or theirs is not None):
        yield Check(subject=_SUBJECT, verdict="ok", detail=f"{name} decides here as it does everywhere")
        return
    here = f"version {int(decides.name)} of its own" if decides is not None else "the predictor that ships"
    yield Check(
        subject=_SUBJECT,
        verdict="note",
        detail=f"{name} is in force for all replicas, and here decides {here}",
        remedy="a gateway that runs here takes it up within learning.watch_s, or its log says why not"
        " (predictor_refused, predictor_waits); what was promoted by --here stays until something is promoted for all",
    )
