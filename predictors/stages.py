"""What is under way, told on standard error where no bar can be drawn: each stage in a line, as it begins."""

from collections.abc import Callable

import typer

__all__ = ["told_in_lines"]


def told_in_lines(about: str = "") -> Callable[[str, int, int], None]:
    """To be called with what is done, how much of it, of how much; `about` goes before each line."""
    begun: set[str] = set()

    def tell(what: str, done: int, of: int) -> None:
        del done, of
        if what not in begun:
            begun.add(what)
            typer.echo(f"{about}{what}", err=True)

    return tell
