"""Predictors that are promoted in one place and decide in every replica, by the Redis that keeps the journal.

Redis holds the order in which they were put in force, and the files of each, whose digests the order tells. An order is
replaced in one step, by whoever knows the one before: two who promote at once come one after the other, the same for
all. A replica copies what is in force among its own versions, as a promotion there would, and goes on by itself: a
Redis that is away or has lost its memory changes nothing.

Whoever writes to that Redis chooses among our predictors, yet names no file but theirs, and none that reads prompts
with an encoder which the operator did not name: those may be endpoints.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson
import structlog

from catalog import ParetoGateError
from gateway.errors import GatewayError
from gateway.journal import JournalUnavailableError
from gateway.journal.asking import JournalRedis
from gateway.pauses import Patience
from gateway.redis_keys import JournalKeys
from gateway.settings import Settings
from predictors import BadArtefactError, EncoderAwayError, Forecaster
from predictors.parcel import MOST_PARCEL_BYTES, MOST_PARCEL_FILES, Parcel
from predictors.versions import Followed, OvertakenError, PredictorVersions

from .order import MOST_IN_FORCE, MOST_ORDER_BYTES, Order, Promoted

__all__ = ["Champion", "NotSharedError", "PredictorWaitsError", "SharedPredictors", "take_up_at_start"]

log = structlog.get_logger(__name__)

_VERDICT: Final = "verdict.json"
_VERDICT_BYTES: Final = 1 << 20
_FORGOTTEN_AFTER_S: Final = 3_600  # files that were sent and not put in force
_ATTEMPTS: Final = 50  # each fails only where somebody else has succeeded
_PACKAGED: Final = ("static", "minilm", "minilm-exact", "joint")  # encoders that need nothing but this package's extras

_Judged = tuple[Parcel, Mapping[str, object]]

# KEYS: order, for each version that comes the files that were sent and their place, files of versions that go.
# ARGV: the order before ('' where there was none), the order from now on, how many come
# Returns: 1, or 0 where the order is another by now
_CHANGE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
local come = 2 * tonumber(ARGV[3])
for i = 2, come, 2 do
  redis.call('RENAME', KEYS[i], KEYS[i + 1])
  redis.call('PERSIST', KEYS[i + 1])
end
for i = come + 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

# KEYS: files of a version. ARGV: most files
# Returns: their bytes; -1 where there are more files
_SIZE = """
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then return -1 end
local size = 0
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do size = size + #name + redis.call('HSTRLEN', KEYS[1], name) end
return size
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """What decides for all, and by what it is known whether it still does."""

    folder: Path | None  # where it is kept here; None is the predictor that ships
    name: str  # the same for no two of them


class NotSharedError(GatewayError):
    """It could not be said to all replicas; where the answer was lost, it may have been."""

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            f"replicas were not told: {problem}; `paretogate rollback --list` says what is in force once Redis answers,"
            " and --here changes this state directory alone"
        )
        self.problem = problem


class PredictorWaitsError(GatewayError):
    """What is in force for all cannot be loaded here for the moment, and is tried again."""

    def __init__(self, *, number: int, problem: str) -> None:
        super().__init__(f"version {number}, which was promoted for all, waits for its encoder: {problem}")
        self.number, self.problem = number, problem


class SharedPredictors:
    """Used by one thread at a time. Give it back by `close`."""

    def __init__(
        self,
        settings: Settings,
        *,
        timeout_s: float = 5.0,
        note: Callable[..., object] = log.warning,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connects when it is first asked. The journal of the settings is one in Redis.

        `note` is told what an operator should know; `clock` is monotonic, in seconds.
        """
        self._note = note
        self._redis = JournalRedis(settings, timeout_s=timeout_s)
        self._versions = PredictorVersions(settings.predictors_dir)
        self._predictor = settings.predictor
        self._tried: bytes | None = None  # the order that was to be taken up last
        self._is_refused = False
        self._patience = Patience(clock=clock)

    @property
    def is_refused(self) -> bool:
        """Whether what is in force for all was refused here, and is not tried again."""
        return self._is_refused

    @property
    def is_behind(self) -> bool:
        """Whether it was refused, or waits here for its encoder."""
        return self._is_refused or self._patience.is_tried

    def order(self) -> Order | None:
        """What is in force for all; None where nothing was ever promoted for all.

        Raises:
            JournalUnavailableError: Redis cannot be asked.
            BadArtefactError: what it says is damaged, or of another version of this program.
        """
        content = self._redis.ask(self._content)
        return None if content is None else self._read(content)

    def champion(self) -> Champion:
        """What decides for all, kept here.

        Raises:
            JournalUnavailableError, PredictorWaitsError, BadArtefactError, OSError: as `take_up`.
        """
        order = self.order()
        if order is None:
            return Champion(folder=self._versions.deciding(), name=self._decides(None))
        if (version := order.deciding) is None:
            return Champion(folder=None, name=self._decides(order))
        if (folder := self._versions.here(version.number, version.digest)) is None:
            self.take_up(again=True)
            folder = self._versions.here(version.number, version.digest)
        if folder is None:
            raise _bad(version, "it did not come")
        return Champion(folder=folder, name=self._decides(order))

    def take_up(self, *, again: bool = False) -> bool:
        """Put in force here what is in force for all; whether that was to be done.

        What is refused is refused once, until something else is in force; what only waits for its encoder is tried
        again, ever later. `again`: see to it now that all is here and whole, also where nothing else was put in force
        since.

        Raises:
            PredictorWaitsError: the encoder of the version in force is away for the moment; nothing was changed.
            JournalUnavailableError: Redis cannot be asked; nothing was changed.
            BadArtefactError: what it says, or the version in force, is damaged or not for us; nothing was changed.
            OSError: it cannot be written here; what decided goes on deciding.
        """
        content = self._redis.ask(self._content)
        if content != self._tried:
            self._tried, self._is_refused = content, False
            self._patience.begin_anew()
        if content is None or self._is_refused or (self._patience.is_waiting and not again):
            return False
        since = self._versions.followed()
        try:
            order = self._read(content)
            if since.order == order.name and not again:
                return False
            is_followed = self._follow(order, since)
        except BadArtefactError:
            if self._redis.ask(self._content) != content:
                return False  # it was replaced, and with it what we read
            self._is_refused = True
            self._patience.begin_anew()
            raise
        except PredictorWaitsError:
            self._patience.failed()
            raise
        self._patience.begin_anew()
        return is_followed

    def promote(self, challenger: Parcel, verdict: Mapping[str, object], *, over: Champion | None = None) -> int:
        """Let a predictor decide in all replicas; its number.

        Args:
            challenger: the predictor.
            verdict: what is kept beside it.
            over: what it was judged against; None: over whichever decides.

        Raises:
            OvertakenError: another decides by now, and not the challenger either; nothing was changed.
            JournalUnavailableError, BadArtefactError: as `order`, or an encoder that replicas would not take.
        """
        self.check(challenger)
        above = max((version.number for version in self._versions.all()), default=0)

        def put_in_force(order: Order, decides: str) -> Order:
            after = order.promoted(challenger.digest, above=above)
            if over is not None and decides != over.name and after != order:
                version = order.deciding
                raise OvertakenError(decides=f"version {version.number}" if version else "the predictor that ships")
            return after

        order = self._change(put_in_force, {challenger.digest: (challenger, verdict)})
        return order.in_force[-1].number

    def roll_back(self, to: int | None = None) -> int:
        """Let an earlier one decide again in all replicas; 0 is the predictor that ships.

        Raises:
            JournalUnavailableError, BadArtefactError: as `order`.
            NothingToRollBackError: there is none.
        """
        order = self._change(lambda order, _: order.rolled_back(to), {})
        return order.deciding.number if order.deciding is not None else 0

    def check(self, predictor: Parcel) -> None:
        """Refuse what must not come from Redis.

        Raises:
            BadArtefactError: it would fill the memory, or read prompts with an encoder that nobody allowed.
        """
        predictor.check_unpacked()
        if (encoder := predictor.encoder) not in {*_PACKAGED, *self._predictor.shared_encoders}:
            raise BadArtefactError(
                path="the predictor",
                problem=f"it reads prompts with {encoder}, which replicas take from nobody",
                remedy="name it in predictor.shared_encoders of every replica, or promote it in each (--here)",
            )

    def close(self) -> None:
        """Let go of Redis."""
        self._redis.close()

    def _content(self, client: Any) -> bytes | None:  # noqa: ANN401 - redis's own type
        """No more of the order than tells that it is too long."""
        return bytes(client.getrange(self._redis.keys.predictors, 0, MOST_ORDER_BYTES)) or None

    def _read(self, content: bytes) -> Order:
        return Order.read(content, key=self._redis.keys.predictors)

    def _follow(self, order: Order, since: Followed) -> bool:
        fetched: dict[int, _Judged] = {}
        for version in order.in_force:
            if self._versions.here(version.number, version.digest) is not None:
                continue
            try:
                fetched[version.number] = self._fetched(version)
            except BadArtefactError as exc:
                if version == order.deciding:
                    raise
                self._note("earlier_predictor_refused", version=version.number, reason=str(exc))
        self._check_that_it_loads(order.deciding, fetched)
        chain = [(version.number, version.digest) for version in order.in_force]
        return self._versions.follow(order.name, chain, fetched, since=since)

    def _fetched(self, version: Promoted) -> _Judged:
        files = self._redis.ask(partial(_files, key=self._redis.keys.predictor(version.number)))
        if files is None:
            raise _bad(version, f"it takes more than {MOST_PARCEL_BYTES:,} bytes in {MOST_PARCEL_FILES} files")
        verdict = files.pop(_VERDICT, b"")
        parcel = Parcel(files=files)
        if parcel.digest != version.digest:
            raise _bad(version, "it does not match its digest")
        self.check(parcel)
        return parcel, _verdict(verdict)

    def _check_that_it_loads(self, version: Promoted | None, fetched: Mapping[int, _Judged]) -> None:
        """Whoever cannot be loaded is not put in force here, whatever the reason.

        Raises:
            PredictorWaitsError: its encoder is away for the moment.
            BadArtefactError: any other reason.
        """
        if version is None:
            return
        key = self._predictor.encoder_key
        with tempfile.TemporaryDirectory(prefix="paretogate-") as name:
            folder = Path(name)
            if version.number in fetched:
                fetched[version.number][0].write(folder)
            else:
                folder = self._versions.here(version.number, version.digest) or folder
            try:
                Forecaster.load(folder, encoder_key=key.get_secret_value() if key else None)
            except EncoderAwayError as exc:
                raise PredictorWaitsError(number=version.number, problem=str(exc)) from exc
            except ParetoGateError as exc:
                raise _bad(version, exc.problem if isinstance(exc, BadArtefactError) else str(exc)) from exc
            except Exception as exc:
                raise _bad(version, f"it cannot be loaded ({type(exc).__name__})") from exc

    def _decides(self, order: Order | None) -> str:
        """A name for what decides: by number and digest, since one may be promoted again; without an order, here."""
        if order is None:
            return f"here: {(self._versions.in_force() or (0,))[-1]}"
        return "what ships" if order.deciding is None else f"{order.deciding.number}: {order.deciding.digest}"

    def _change(self, act: Callable[[Order, str], Order], judged: Mapping[str, _Judged]) -> Order:
        """`act` makes the order from the one before, and from the name of what decides by that."""
        for _ in range(_ATTEMPTS):
            content = self._redis.ask(self._content)
            before, known = (self._read(content), judged) if content is not None else self._begun(judged)
            after = act(before, self._decides(None if content is None else before))
            if content is not None and after == before:
                return after
            there = () if content is None else before.in_force
            sent = {v.number: self._sent(*known[v.digest]) for v in after.in_force if v not in there}
            gone = [version.number for version in there if version not in after.in_force]
            if self._redis.ask(partial(_put, keys=self._redis.keys, before=content, after=after, sent=sent, gone=gone)):
                return after
        raise JournalUnavailableError(problem="others change the predictor in force all the time")

    def _sent(self, parcel: Parcel, verdict: Mapping[str, object]) -> str:
        told = orjson.dumps(verdict)
        files = {**parcel.files, _VERDICT: told if len(told) <= _VERDICT_BYTES else b"{}"}
        return self._redis.ask(partial(_send, keys=self._redis.keys, files=files))

    def _begun(self, judged: Mapping[str, _Judged]) -> tuple[Order, Mapping[str, _Judged]]:
        """Where nobody has promoted for all, it begins with what is in force here, as far as that can be shared."""
        known, versions = dict(judged), list[Promoted]()
        chain = self._versions.in_force()
        for number in chain[: -MOST_IN_FORCE - 1 : -1]:
            try:
                parcel, verdict = self._versions.parcel(number)
                self.check(parcel)
            except (BadArtefactError, OSError):
                break
            if versions and number >= versions[0].number:
                break  # others' versions got other numbers here
            versions.insert(0, Promoted(number=number, digest=parcel.digest))
            known[parcel.digest] = parcel, verdict
        return Order(last=max(chain, default=0), in_force=tuple(versions)), known


def take_up_at_start(settings: Settings) -> bool:
    """Whether another version was put in force here, for a gateway that cannot start with what was."""
    if settings.journal.stream_url is None or settings.predictor.path is not None:
        return False
    shared = SharedPredictors(settings)
    try:
        return shared.take_up(again=True)
    except (ParetoGateError, OSError) as exc:
        log.warning("shared_predictor_not_taken_up", reason=str(exc))
        return False
    finally:
        shared.close()


def _files(client: Any, key: str) -> dict[str, bytes] | None:  # noqa: ANN401 - redis's own type
    """None where there are more than may be."""
    if not 0 <= client.eval(_SIZE, 1, key, MOST_PARCEL_FILES) <= MOST_PARCEL_BYTES + _VERDICT_BYTES:
        return None
    return {name.decode(errors="replace"): content for name, content in client.hgetall(key).items()}


def _send(client: Any, *, keys: JournalKeys, files: Mapping[str, bytes]) -> str:  # noqa: ANN401 - as above
    """Where they lie then; they go by themselves unless they are put in force. No script: it would hold Redis up."""
    key = keys.predictor(f"sent:{uuid4().hex}")
    client.hset(key, _VERDICT, files[_VERDICT])
    client.expire(key, _FORGOTTEN_AFTER_S)  # before what is large
    client.hset(key, mapping=files)
    return key


def _put(
    client: Any,  # noqa: ANN401 - as above
    *,
    keys: JournalKeys,
    before: bytes | None,
    after: Order,
    sent: Mapping[int, str],
    gone: Sequence[int],
) -> bool:
    """Whether the order was still the one before; what was sent in vain is gone."""
    places = [key for number, place in sent.items() for key in (place, keys.predictor(number))]
    concerned = [keys.predictors, *places, *(keys.predictor(number) for number in gone)]
    if client.eval(_CHANGE, len(concerned), *concerned, before or b"", after.content, len(sent)):
        return True
    if sent:
        client.unlink(*sent.values())
    return False


def _verdict(content: bytes) -> Mapping[str, object]:
    try:
        said = orjson.loads(content)
        orjson.dumps(said)  # what is nested deeper than it writes, nobody could keep
    except (TypeError, ValueError):
        return {}  # it decides no less for that
    return said if isinstance(said, dict) else {}


def _bad(version: Promoted, problem: str) -> BadArtefactError:
    return BadArtefactError(
        path=f"version {version.number}, which was promoted for all",
        problem=problem,
        remedy="`paretogate rollback` lets the predictor before it decide; then train and promote it again",
    )
