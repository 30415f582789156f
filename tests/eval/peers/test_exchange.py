"""A peer in another environment: what goes over, and what is said when it does not run."""

import sys
from pathlib import Path

import numpy as np
import pytest

from eval.peers.exchange import PeerFailedError, choices_of_peers

ENCODINGS, SCORE = np.eye(3), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, np.nan]])
PRICE = np.array([1.0, 2.0])


def test_a_python_without_the_peer_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(PeerFailedError, match="llmrouter-lib installed where --peer-python points"):
        choices_of_peers(
            ["knn", "svm"],
            train=ENCODINGS,
            score=SCORE,
            price=PRICE,
            test=ENCODINGS,
            python=Path(sys.executable),
            folder=tmp_path,
        )


def test_a_python_that_does_not_exist_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(PeerFailedError, match="no-such-python"):
        choices_of_peers(
            ["knn", "svm"],
            train=ENCODINGS,
            score=SCORE,
            price=PRICE,
            test=ENCODINGS,
            python=tmp_path / "no-such-python",
            folder=tmp_path,
        )


def test_what_the_peer_chose_comes_back_with_its_version(tmp_path: Path) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!{sys.executable}\n"
        "import sys, numpy as np\n"
        "given = np.load(sys.argv[2])\n"
        "best = np.nanmean(given['score'], axis=0).argmax()\n"
        "chosen = {peer: np.full(len(given['test']), best) for peer in sys.argv[5:]}\n"
        "np.savez(sys.argv[3], version='9.9', **chosen)\n"
    )
    stand_in.chmod(0o755)
    chosen, version = choices_of_peers(
        ["knn", "elo"], train=ENCODINGS, score=SCORE, price=PRICE, test=ENCODINGS[:2], python=stand_in, folder=tmp_path
    )
    assert {peer: choice.tolist() for peer, choice in chosen.items()} == {
        "knn": [0, 0],
        "elo": [0, 0],
    }  # means 2/3, 1/2
    assert version == "9.9"
