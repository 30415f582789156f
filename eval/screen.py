"""Where results and progress are printed: text as it stands, whatever a model, a file or a tool is called."""

import sys
from typing import TYPE_CHECKING

from predictors.stages import Tell, told_in_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["progress_bar", "screen", "stages"]

_PAGE_WIDTH = 160


def screen(*, page_width: int = _PAGE_WIDTH) -> "Console":
    """Standard output, `page_width` columns where it goes to a file or a pipe.

    A name like `gpt-4 [high]` or `[/red]` is no markup in it.
    """
    from catalog.untrusted.screen import Screen  # noqa: PLC0415  # heavy, and needed only by those who print

    return Screen(width=None if sys.stdout.isatty() else page_width, markup=False, emoji=False)


def progress_bar() -> "Progress":
    """On stderr, gone when it is done; what it says is no markup either."""
    from rich.console import Console  # noqa: PLC0415  # as above
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_interactive,
    )


def stages(bar: "Progress", name: str) -> Tell:
    """Tells what is done with `name`, how much of it, of how much: in the bar, in lines where none can be drawn."""
    if not bar.console.is_interactive:
        return told_in_lines(f"{name}: ")
    task = bar.add_task(name)

    def show(what: str, done: int, of: int) -> None:
        bar.update(task, description=f"{name}: {what}", completed=done, total=of)

    return show
