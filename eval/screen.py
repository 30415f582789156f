"""Where results and progress are printed: text as it stands, whatever a model, a file or a tool is called."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["progress_bar", "screen"]

_PAGE_WIDTH = 160


def screen(*, page_width: int = _PAGE_WIDTH) -> "Console":
    """Standard output, `page_width` columns where it goes to a file or a pipe.

    A name like `gpt-4 [high]` or `[/red]` is no markup in it.
    """
    from rich.console import Console  # noqa: PLC0415  # heavy, and needed only by those who print

    return Console(width=None if sys.stdout.isatty() else page_width, markup=False, emoji=False)


def progress_bar() -> "Progress":
    """On stderr, gone when it is done; what it says is no markup either."""
    from rich.console import Console  # noqa: PLC0415  # as above
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
