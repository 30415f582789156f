"""Standard input, output and error, such that every command may use them, whoever started it and with what alphabet."""

import io
import os
import sys

__all__ = ["make_usable"]

_LAST = 2  # standard error's number


def make_usable() -> None:
    """What is closed leads nowhere, and what an encoding has no character for is written as its number.

    A service manager may start us with all three closed. The next files and connections that are opened would have
    their numbers then, and whoever writes by number, as C libraries and our own children do, would write into those.
    """
    number = os.open(os.devnull, os.O_RDWR)
    while number <= _LAST:  # the lowest that is free
        os.set_inheritable(number, True)  # noqa: FBT003 - its only form
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
