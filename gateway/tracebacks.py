"""Failures that are kept for longer than their handling takes, without what they would keep alive."""

__all__ = ["forget_frames"]


def forget_frames(failure: BaseException) -> None:
    """Take the frames from a failure and from what caused it.

    A call keeps its failures, and their frames lead back to the call: only the garbage collector would end that.
    """
    kept: BaseException | None = failure
    while kept is not None and kept.__traceback__ is not None:
        kept.__traceback__ = None
        kept = kept.__cause__ or kept.__context__
