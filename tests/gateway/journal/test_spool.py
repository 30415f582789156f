import threading
from pathlib import Path

from gateway.journal.spool import Spool
from gateway.journal_store.segments import adopt_left_overs, remove_folder, segments_in

N_WRITERS = 300


def test_who_looks_for_what_was_left_behind_takes_nothing_that_is_being_made(tmp_path: Path) -> None:
    """Sixteen workers start at once: every one's store looks through the folders of all."""
    is_over, taken = threading.Event(), []

    def look() -> None:
        while not is_over.is_set():
            for left in adopt_left_overs(tmp_path):
                taken.append(left.folder)
                if not segments_in(left.folder):
                    remove_folder(left.folder)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        spools = [Spool(tmp_path) for _ in range(N_WRITERS)]
    finally:
        is_over.set()
        looking.join()
    assert taken == []
    for spool in spools:
        spool.append(b"a line\n")
        assert segments_in(spool.folder)[0].read_bytes() == b"a line\n"
        spool.close()


def test_a_folder_whose_writer_is_gone_is_left_behind(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert list(adopt_left_overs(tmp_path)) == []
    spool.close()
    assert [left.folder for left in adopt_left_overs(tmp_path)] == [spool.folder]
