"""The command `paretogate`, also as `python -m gateway`: it ends without a word wherever Ctrl-C meets it."""

import signal
import sys

from .standard_streams import make_usable

__all__ = ["main"]


def main() -> int:
    """Load the command line and run it; 0 for done, 1 for failed, 2 for misuse, 130 for interrupted.

    Loading takes a few tenths of a second, amid which an exception of Python's would be a traceback: until then the
    system's own way of ending us holds, unless whoever started us has interrupts ignored.
    """
    make_usable()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as run  # noqa: PLC0415 - it is what takes so long

    signal.signal(signal.SIGINT, before)
    try:
        return run()
    except KeyboardInterrupt:  # outside of what the command line minds: before it begins, or once more while it ends
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
