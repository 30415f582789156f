"""Files are read, and nothing that may stand in their place is waited for or read without end."""

import os
from pathlib import Path

import pytest

from catalog import read_file, read_text


def test_pipes_devices_folders_and_files_that_are_too_long_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Is no regular file"):
        read_file(tmp_path / "pipe")
    with pytest.raises(OSError, match="Is no regular file"):
        read_file(Path("/dev/zero"))
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", most_bytes=5) == b"12345"
    with pytest.raises(OSError, match="Has more than 4 bytes"):
        read_file(tmp_path / "file", most_bytes=4)


def test_what_a_shell_hands_over_is_read_to_its_end() -> None:
    out, into = os.pipe()
    try:
        os.write(into, b"[server]\n")
        os.close(into)
        assert read_file(Path(f"/dev/fd/{out}")) == b"[server]\n"
    finally:
        os.close(out)


def test_texts_come_without_the_mark_of_their_encoding_and_with_one_kind_of_line_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(tmp_path / "file") == "a\nb\nc\n"
    (tmp_path / "file").write_text("a", encoding="utf-16")
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "file")
