"""The predictors that a gateway was given one after another, and which of them decides.

A folder holds `0001`, `0002`, ... as `paretogate train` wrote them, each beside the verdict it was promoted by, and
`in-force.json`, which names those in force one after another: the last decides, and rolling back takes it away. Only
that file is ever replaced, and in one step: who reads it meanwhile sees the old one or the new one. An empty list, as
before the first promotion, is the predictor that ships.

A folder may follow an order that others share (`follow`). Their numbers are ours unless one is taken here; which are
which is in that same file, so that whatever was killed left either order whole.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from catalog import check_file, make_private, read_text

from .errors import BadArtefactError, PredictorError
from .parcel import Parcel

__all__ = [
    "Followed",
    "NothingToRollBackError",
    "OvertakenError",
    "PredictorVersion",
    "PredictorVersions",
    "rolled_back",
]

_FORMAT: Final = 1
_VERDICT: Final = "verdict.json"
_UNFINISHED: Final = "new-"  # how names begin of what is still being written, always under the lock


class NothingToRollBackError(PredictorError):
    """There is no such version to go back to; the message lists those there are."""


class OvertakenError(PredictorError):
    """Another predictor decides by now than the one that the challenger was judged against."""

    def __init__(self, *, decides: str) -> None:
        super().__init__(
            f"{decides} decides by now, and it was judged against another; run `paretogate promote` again, which"
            " compares it with that one"
        )
        self.decides = decides


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorVersion:
    """One that was promoted."""

    number: int
    folder: Path
    in_force: bool
    verdict: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An order of others that was followed last: its name, and our number of each of theirs."""

    order: str | None = None
    ours: Mapping[int, int] = field(default_factory=dict)


def rolled_back(chain: Sequence[int], to: int | None = None) -> list[int]:
    """What is left in force of versions that were one after another; an empty list is the predictor that ships.

    Args:
        chain: the last decides.
        to: one that was in force before the last, 0 for the predictor that ships; None is the one before the last.

    Raises:
        NothingToRollBackError: there is none, or it was not in force before the present one.
    """
    earlier = [0, *chain][:-1]
    target = (earlier[-1] if earlier else None) if to is None else to
    if target is None or target not in earlier:
        known = ", ".join(map(str, earlier)) or "none: the predictor that ships decides"
        wanted = "before this one" if to is None else str(to)
        raise NothingToRollBackError(f"there is no version {wanted}; earlier ones: {known}")
    return earlier[1 : earlier.index(target) + 1]


class PredictorVersions:
    """Promotes and rolls back; two at once wait for each other, also in different processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._marker = folder, folder / "in-force.json"

    def changed_ns(self) -> int | None:
        """When another version was put in force last; None where none ever was."""
        try:
            return self._marker.stat().st_mtime_ns
        except OSError:
            return None

    def deciding(self) -> Path | None:
        """The folder of the version in force; None is the predictor that ships.

        Raises:
            BadArtefactError: the marker is damaged, or what it names is gone.
        """
        chain = self._chain()
        if not chain:
            return None
        folder = self._folder_of(chain[-1])
        if not folder.is_dir():
            raise self._bad(f"version {chain[-1]} is in force, but its folder is gone", "run `paretogate rollback`")
        return folder

    def all(self) -> tuple[PredictorVersion, ...]:
        """Every version that is kept, oldest first."""
        chain = self._chain()
        return tuple(
            PredictorVersion(
                number=number,
                folder=self._folder_of(number),
                in_force=bool(chain) and number == chain[-1],
                verdict=_read_verdict(self._folder_of(number) / _VERDICT),
            )
            for number in self._numbers()
        )

    def promote(self, predictor: Path, verdict: Mapping[str, object], *, over: int | None = None) -> int:
        """Copy a predictor and let it decide; returns its number.

        Args:
            predictor: its folder.
            verdict: what is kept beside it.
            over: the version that it was judged against, 0 for the one that ships; None: over whichever decides.

        Raises:
            OvertakenError: another decides by now; nothing was changed.
            OSError: it cannot be copied; what decided goes on deciding.
        """
        with self._alone():
            decides = (self._chain() or [0])[-1]
            if over is not None and decides != over:
                raise OvertakenError(decides=_told(decides))
            number = max(self._numbers(), default=0) + 1
            self._install(number, lambda fresh: _copy(predictor, fresh), verdict)
            self._put([*self._chain(), number], self.followed())
        return number

    def roll_back(self, to: int | None = None) -> int:
        """Let an earlier one decide again; 0 is the predictor that ships. Nothing is deleted. See `rolled_back`."""
        with self._alone():
            left = rolled_back(self._chain(), to)
            self._put(left, self.followed())
        return left[-1] if left else 0

    def in_force(self) -> tuple[int, ...]:
        """Those in force one after another; the last decides."""
        return tuple(self._chain())

    def followed(self) -> Followed:
        """The order of others that this follows; of no name where it never followed one.

        Raises:
            BadArtefactError: the marker is damaged.
        """
        told = self._said().get("followed")
        try:
            return Followed() if told is None else Followed(order=str(told["order"]), ours=dict(told["ours"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise self._bad("tells of no order that was followed") from exc

    def here(self, number: int, digest: str) -> Path | None:
        """Where a version of others is kept here, and is what they say it is; None where it is not."""
        folder = self._folder_of(self.followed().ours.get(number, number))
        try:
            return folder if Parcel.of(folder).digest == digest else None
        except (BadArtefactError, OSError):
            return None

    def parcel(self, number: int) -> tuple[Parcel, Mapping[str, object]]:
        """A version of ours as others can have it, and its verdict; raises as `Parcel.of`."""
        folder = self._folder_of(number)
        return Parcel.of(folder), _read_verdict(folder / _VERDICT)

    def follow(
        self,
        order: str,
        chain: Sequence[tuple[int, str]],
        fetched: Mapping[int, tuple[Parcel, Mapping[str, object]]],
        *,
        since: Followed,
    ) -> bool:
        """Put in force here what others have in force; of theirs that are neither here nor fetched, none are.

        Args:
            order: what their order is called.
            chain: their numbers and digests, one after another; the last decides.
            fetched: by their number, with verdicts, those that were not here.
            since: the order that this followed when it was looked at last.

        Returns:
            False, and nothing was changed, where somebody has followed another meanwhile.

        Raises:
            OSError: one cannot be written; what decided goes on deciding.
        """
        with self._alone():
            if self.followed() != since:
                return False
            ours = {}
            for number, digest in chain:
                if (folder := self.here(number, digest)) is not None:
                    ours[number] = int(folder.name)
                elif number in fetched:
                    parcel, verdict = fetched[number]
                    ours[number] = self._free(number)
                    self._install(ours[number], parcel.write, verdict)
            self._put(list(ours.values()), Followed(order=order, ours=ours))
        return True

    def _free(self, number: int) -> int:
        """This number, or the next that nothing here has."""
        return max(self._numbers(), default=number) + 1 if self._folder_of(number).exists() else number

    def _install(self, number: int, fill: Callable[[Path], object], verdict: Mapping[str, object]) -> None:
        fresh = Path(tempfile.mkdtemp(dir=self.folder, prefix=_UNFINISHED))
        try:
            fill(fresh)
            (fresh / _VERDICT).write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")
            fresh.chmod(0o755)  # mkdtemp's is for this user alone
            _to_disk(fresh)  # before the marker names it: power may fail at any moment
            fresh.rename(self._folder_of(number))
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _chain(self) -> list[int]:
        return list(self._said()["in_force"])

    def _said(self) -> Mapping[str, Any]:
        try:
            said: Any = json.loads(read_text(self._marker))
        except FileNotFoundError:
            return {"in_force": []}
        except (OSError, ValueError) as exc:
            raise self._bad(f"cannot be read ({exc})") from exc
        chain = said.get("in_force") if isinstance(said, dict) and said.get("format_version") == _FORMAT else None
        if not isinstance(chain, list) or not all(isinstance(number, int) for number in chain):
            raise self._bad(f"is no list of versions in format {_FORMAT}")
        return dict(said)

    def _put(self, chain: Sequence[int], followed: Followed) -> None:
        told = {"format_version": _FORMAT, "in_force": list(chain)}
        if followed.order is not None:  # pairs, since JSON has no numbers for keys
            told["followed"] = {"order": followed.order, "ours": [list(pair) for pair in followed.ours.items()]}
        content = json.dumps(told) + "\n"
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=_UNFINISHED)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(self._marker)

    def _numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.folder.glob("[0-9]*") if path.is_dir() and path.name.isdigit())

    def _folder_of(self, number: int) -> Path:
        return self.folder / f"{number:04d}"

    def _bad(
        self, problem: str, remedy: str = "remove it, and the predictor that ships decides until one is promoted"
    ) -> BadArtefactError:
        return BadArtefactError(path=str(self._marker), problem=problem, remedy=remedy)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_private(self.folder)
        # To be read, too: to write to a pipe in its place would wait for its reader.
        lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._clear_left_overs()
            yield
        finally:
            os.close(lock)

    def _clear_left_overs(self) -> None:
        """What was begun under the lock by a process that was killed: while we hold it, nobody works on it."""
        for path in self.folder.glob(f"{_UNFINISHED}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):  # another user's; it is in nobody's way
                    path.unlink()


def _told(number: int) -> str:
    return f"version {number}" if number else "the predictor that ships"


def _copy(source: Path, target: Path) -> None:
    """As `shutil.copytree`, whose error does not tell what the machine refused."""
    for path in source.iterdir():
        if path.is_dir():
            (target / path.name).mkdir()
            _copy(path, target / path.name)
        else:
            check_file(path)  # a link to a device has no end
            shutil.copy2(path, target / path.name)


def _to_disk(folder: Path) -> None:
    """Wait until a folder and all that is in it would be there after a loss of power."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read_verdict(path: Path) -> Mapping[str, object]:
    try:
        said = json.loads(read_text(path))
    except (OSError, ValueError):
        return {}  # it decides no less for that
    return said if isinstance(said, dict) else {}
