import pytest

from catalog import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gpt-4 [high]\tgrüß 你好\n", "gpt-4 [high]\tgrüß 你好\n"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),  # would fill the clipboard
        ("shown\rhidden", r"shown\rhidden"),
        ("\x9b31m", r"\x9b31m"),  # an escape sequence in one character less
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
    ],
)
def test_what_would_steer_a_terminal_is_spelt_out_and_all_else_stands_as_it_is(text: str, shown: str) -> None:
    assert printable(text) == shown
