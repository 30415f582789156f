"""One fold handed to a peer in another environment, and its choices read back."""

import subprocess
from pathlib import Path

import numpy as np

from catalog import Floats
from eval.errors import EvalError
from eval.table import Ints
from predictors.quality.protocol import Matrix

__all__ = ["PEERS", "PeerFailedError", "choices_of_peer"]

PEERS = ("knn", "svm", "mlp", "mf", "graph", "hybrid", "elo", "smallest", "largest")
_BRIDGE = Path(__file__).with_name("bridge.py")
_LAST = 600  # characters of what the peer said


class PeerFailedError(EvalError):
    """A peer's router did not run."""

    def __init__(self, *, peer: str, said: str) -> None:
        super().__init__(
            f"the peer {peer} did not run; is llmrouter-lib installed where --peer-python points? it said: {said}"
        )
        self.peer = peer


def choices_of_peer(
    peer: str,
    *,
    train: Matrix,
    score: Floats,
    price: Floats,
    test: Matrix,
    python: Path,
    folder: Path,
    timeout_s: float = 1_800.0,
) -> tuple[Ints, str]:
    """The model that a peer chooses for every test prompt, (n_test,), and the peer's version.

    Args:
        peer: one of `PEERS`.
        train: (n_train, dim) encodings.
        score: (n_train, n_models), NaN where untried.
        price: (n_models,), what tells small models from large ones.
        test: (n_test, dim) encodings.
        python: the interpreter of the peer's environment.
        folder: for the files of this exchange.
        timeout_s: patience.

    Raises:
        PeerFailedError: it ended with an error, took too long, or chose for another number of prompts.
    """
    given, taken = folder / f"{peer}-in.npz", folder / f"{peer}-out.npz"
    np.savez(given, train=train, test=test, score=score, price=price)
    command = [str(python), str(_BRIDGE), peer, str(given), str(taken), str(folder / peer)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)  # noqa: S603 - the operator names the interpreter
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise PeerFailedError(peer=peer, said=str(exc)) from exc
    if done.returncode or not taken.is_file():
        raise PeerFailedError(peer=peer, said=(done.stderr or done.stdout)[-_LAST:])
    with np.load(taken) as found:
        chosen, version = np.asarray(found["chosen"], dtype=np.int64), str(found["version"])
    if chosen.shape != (len(test),):
        raise PeerFailedError(peer=peer, said=f"{len(chosen)} choices for {len(test)} prompts")
    return chosen, version
