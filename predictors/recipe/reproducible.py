"""What equal bytes depend on: the order of sums, and the libraries."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version

__all__ = ["library_versions", "single_threaded"]


@contextmanager
def single_threaded() -> Iterator[None]:
    """Sums in one order, so that one core and many give the same bytes."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    for name in ("scipy.linalg", "sklearn.linear_model"):  # the limit binds only what is loaded when it is set
        import_module(name)
    with threadpool_limits(limits=1):
        yield


def library_versions() -> dict[str, str]:
    """The libraries whose arithmetic a fit depends on."""
    return {name: version(name) for name in ("numpy", "scikit-learn", "scipy")}
