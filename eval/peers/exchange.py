"""One fold handed to a peer in another environment, and its choices read back."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from catalog import Floats
from eval.errors import EvalError
from eval.outcomes.table import Ints
from predictors.quality.protocol import Matrix

__all__ = ["PEERS", "PeerFailedError", "choices_of_peers"]

PEERS = ("knn", "svm", "mlp", "mf", "graph", "hybrid", "elo", "smallest", "largest")
_BRIDGE = Path(__file__).with_name("bridge.py")
_LAST = 600  # characters of what the peer said


class PeerFailedError(EvalError):
    """A peer's router did not run."""

    def __init__(self, *, peers: Sequence[str], said: str) -> None:
        super().__init__(
            f"of the peers {', '.join(peers)} one did not run; is llmrouter-lib installed where --peer-python points? "
            f"it said: {said}"
        )
        self.peers = tuple(peers)


def choices_of_peers(
    peers: Sequence[str],
    *,
    train: Matrix,
    score: Floats,
    price: Floats,
    test: Matrix,
    python: Path,
    folder: Path,
    timeout_s: float = 7_200.0,
) -> tuple[dict[str, Ints], str]:
    """The model that each peer chooses for every test prompt, (n_test,), and the peers' version.

    Args:
        peers: of `PEERS`; all in one process, since importing them takes longer than training most.
        train: (n_train, dim) encodings.
        score: (n_train, n_models), NaN where untried.
        price: (n_models,), what tells small models from large ones.
        test: (n_test, dim) encodings.
        python: the interpreter of the peers' environment.
        folder: for the files of this exchange.
        timeout_s: patience.

    Raises:
        PeerFailedError: one ended with an error, took too long, or chose for another number of prompts.
    """
    given, taken = folder / "in.npz", folder / "out.npz"
    np.savez(given, train=train, test=test, score=score, price=price)
    command = [str(python), str(_BRIDGE), str(given), str(taken), str(folder), *peers]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)  # noqa: S603 - the operator names the interpreter
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise PeerFailedError(peers=peers, said=str(exc)) from exc
    if done.returncode or not taken.is_file():
        raise PeerFailedError(peers=peers, said=(done.stderr or done.stdout)[-_LAST:])
    with np.load(taken) as found:
        chosen = {peer: np.asarray(found[peer], dtype=np.int64) for peer in peers}
        version = str(found["version"])
    for peer, choice in chosen.items():
        if choice.shape != (len(test),):
            raise PeerFailedError(peers=[peer], said=f"{len(choice)} choices for {len(test)} prompts")
    return chosen, version
