"""A terminal, or a page, that shows texts as they stand: no markup and no escape sequences but our own styles."""

from typing import Any

from rich.console import Console
from rich.text import Text

from .printable import printable

__all__ = ["Screen"]


class Screen(Console):
    """Rich's console, for texts that anybody may have written."""

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - passed on
        """Every text that is no `Text` yet comes by here: cells of tables, titles, lines."""
        return super().render_str(printable(text), **how)
