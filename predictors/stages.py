"""What is under way, told on standard error: a bar for each stage, or a line where nobody watches a terminal."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["Stages", "Tell", "told_in_lines"]

Tell = Callable[[str, int, int], None]  # what is done, how much of it, of how much


class Stages:
    """A bar for each stage, or its name in a line."""

    def __enter__(self) -> Tell:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        console = Console(stderr=True)
        self._bar = Bar(console=console, disable=not console.is_interactive)
        self._tasks: dict[str, TaskID] = {}
        self._bar.start()
        return self._tell if console.is_interactive else told_in_lines()

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def _tell(self, what: str, done: int, of: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=of)
        self._bar.update(self._tasks[what], completed=done)


def told_in_lines(about: str = "") -> Tell:
    """Each stage in a line, as it begins; `about` goes before each line."""
    begun: set[str] = set()

    def tell(what: str, done: int, of: int) -> None:
        del done, of
        if what not in begun:
            begun.add(what)
            typer.echo(f"{about}{what}", err=True)

    return tell
