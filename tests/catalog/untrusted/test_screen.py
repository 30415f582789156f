from io import StringIO

from rich.table import Table

from catalog.untrusted.screen import Screen


def test_neither_cells_nor_titles_nor_lines_steer_the_terminal_they_are_shown_on() -> None:
    shown = StringIO()
    screen = Screen(file=shown, force_terminal=True, width=120, markup=False)
    table = Table("name\x1b[2J", title="title\x1b[2J")
    table.add_row("model\x1b]0;owned\x07\u202e")
    screen.print(table)
    screen.print("line\x1b[2J")
    assert "\x1b[2J" not in shown.getvalue()
    assert "\x1b]" not in shown.getvalue()
    assert "\u202e" not in shown.getvalue()
    assert r"model\x1b]0;owned\x07\u202e" in shown.getvalue()
