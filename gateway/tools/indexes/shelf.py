"""Fitted indexes over tools, kept by content: made in a thread, shared by whoever waits, the least used ones let go."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy

from predictors.encoders import Encoder
from predictors.tools import StackedRetriever, ToolRanking, ToolRegistry, ToolUsage, UsageStatistics

__all__ = ["IndexShelf", "ToolIndex", "open_encoder"]

_MAX_INDEXES = 64
_MAX_RANKINGS = 4_096  # remembered per index: a conversation's earlier turns are ranked again with every request
_MOST_BROUGHT_CHARS = 32 << 20  # of such tools in all indexes; one takes some five times as many bytes
_MOST_AT_ONCE = 2  # indexes over tools that came with requests: each takes all of a core, and the event loop's turns
_INLINE_TOOLS = 2_000  # times texts: ranking more than this takes long enough to be a thread's work


class ToolIndex:
    """A fitted retriever and what it said before. It never changes: what is learned makes another."""

    def __init__(self, retriever: StackedRetriever, registry: ToolRegistry, *, stands_in: bool = False) -> None:
        """Nothing is ranked yet; `stands_in` says that it was fitted on another version of the registry."""
        self.registry, self.stands_in, self._retriever = registry, stands_in, retriever
        self.tool_ids: Collection[str] = frozenset(tool.tool_id for tool in registry)
        self._known: OrderedDict[tuple[str, int], ToolRanking] = OrderedDict()
        self._lock = threading.Lock()

    def over(self, registry: ToolRegistry) -> "ToolIndex":
        """The same knowledge over another version of the registry, such as a part of it; nothing is fitted."""
        with self._lock:
            retriever = _copy(self._retriever)
        return ToolIndex(retriever.update(registry), registry, stands_in=self.stands_in)

    def standing_in_for(self, registry: ToolRegistry) -> "ToolIndex":
        """The same knowledge over a version of the registry whose own index is yet to be fitted."""
        index = self.over(registry)
        index.stands_in = True
        return index

    def having_learned(self, observed: UsageStatistics, *, now_s: float) -> "ToolIndex":
        """Another index that knows these calls as well; this one goes on serving unchanged."""
        with self._lock:
            retriever = _copy(self._retriever)
        return ToolIndex(retriever.learn(observed, now_s=now_s), self.registry, stands_in=self.stands_in)

    def rank(self, texts: Sequence[str], *, k: int) -> list[ToolRanking]:
        """The k best tools for each text."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if (text, k) not in self._known]
            fresh = dict(zip(new, self._retriever.rank(new, k), strict=True)) if new else {}
            found = [fresh[text] if text in fresh else self._known[text, k] for text in texts]
            self._known.update({(text, k): ranking for text, ranking in fresh.items()})
            while len(self._known) > _MAX_RANKINGS:
                self._known.popitem(last=False)
        return found

    async def rank_apart(self, texts: Sequence[str], *, k: int) -> list[ToolRanking]:
        """The same without holding up the event loop where there are many tools, or many texts to rank them for."""
        n_new = sum((text, k) not in self._known for text in dict.fromkeys(texts))
        if n_new * len(self.registry) <= _INLINE_TOOLS:
            return self.rank(texts, k=k)
        return await asyncio.to_thread(self.rank, texts, k=k)


def _copy(retriever: StackedRetriever) -> StackedRetriever:
    """One to change. What is large and never changes is shared: the encoder, the tools and what was read of them."""
    known = retriever.evidence_
    shared = (retriever.encoder, known, known.registry, known.usage, known.past, known.tool_vectors)
    return deepcopy(retriever, {id(one): one for one in shared})


class IndexShelf:
    """Indexes by key. Whoever stops waiting does not stop the fitting, so that the next request finds it done."""

    def __init__(self, open_encoder: Callable[[], Encoder], *, told: Callable[[str], None] | None = None) -> None:
        """An empty one.

        Args:
            open_encoder: makes the encoder of all its indexes.
            told: hears of every index that is `begun`, and then `ready` or `failed`.
        """
        self._open_encoder = open_encoder
        self._told = told or (lambda _: None)
        self._encoder: Encoder | None = None
        self._indexes: OrderedDict[str, asyncio.Task[ToolIndex]] = OrderedDict()
        self._encoder_lock = threading.Lock()
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)
        self._brought: dict[str, int] = {}  # characters of the tools of an index, by key

    @property
    def encoder(self) -> Encoder:
        """Opened when it is first needed; that takes a moment, so a thread should be the one to ask."""
        with self._encoder_lock:
            if self._encoder is None:
                self._encoder = self._open_encoder()
            return self._encoder

    async def index(self, key: str, make: Callable[[], ToolIndex], *, brought: int = 0) -> ToolIndex:
        """The index of this key, made in a thread where there is none yet. One that failed is tried again next time.

        `brought`: how many characters of tools a request brought along. Of such only a few are made at once.
        """
        return await asyncio.shield(self.begin(key, make, brought=brought))

    def made(self, key: str) -> ToolIndex | None:
        """The index of this key where it is ready."""
        task = self._indexes.get(key)
        return task.result() if task is not None and task.done() and _worked(task) else None

    def begin(self, key: str, make: Callable[[], ToolIndex], *, brought: int = 0) -> asyncio.Task[ToolIndex]:
        """See to it that the index of this key is made, without waiting for it."""
        task = self._indexes.get(key)
        if task is None or (task.done() and not _worked(task)):
            task = asyncio.create_task(self._in_turn(make) if brought else asyncio.to_thread(make))
            self._told("begun")
            task.add_done_callback(lambda made: self._told("ready" if _worked(made) else "failed"))
            self._indexes[key] = task
        if brought:
            self._brought[key] = brought
        self._indexes.move_to_end(key)
        self._let_go(but=key)
        return task

    def _let_go(self, *, but: str) -> None:
        """The least used ones beyond the bounds."""
        many = len(self._indexes) - _MAX_INDEXES
        gone = list(self._indexes)[: max(0, many)]
        chars = sum(self._brought.values()) - sum(self._brought.get(key, 0) for key in gone)
        for key in [key for key in self._indexes if key in self._brought and key not in gone and key != but]:
            if chars <= _MOST_BROUGHT_CHARS:
                break
            chars -= self._brought[key]
            gone.append(key)
        for key in gone:
            del self._indexes[key]
            self._brought.pop(key, None)

    async def _in_turn(self, make: Callable[[], ToolIndex]) -> ToolIndex:
        async with self._places:
            return await asyncio.to_thread(make)

    def forget(self, prefix: str) -> None:
        """Let go of the indexes whose keys begin so."""
        for key in [key for key in self._indexes if key.startswith(prefix)]:
            del self._indexes[key]
            self._brought.pop(key, None)

    def fit(self, registry: ToolRegistry, usage: ToolUsage) -> ToolIndex:
        """A new index."""
        return ToolIndex(StackedRetriever(self.encoder).fit(registry, usage), registry)


def _worked(task: asyncio.Task[ToolIndex]) -> bool:
    return not task.cancelled() and task.exception() is None


def open_encoder(name: str) -> Encoder:
    """`static`, or `auto`: MiniLM joined to it where that is installed."""
    from predictors.encoders import JointEncoder, StaticEncoder  # noqa: PLC0415 - reads its table

    static = StaticEncoder.load()
    if name == "static":
        return static
    from predictors.encoders.onnx_minilm import OnnxMiniLmEncoder  # noqa: PLC0415
    from predictors.errors import EncoderUnavailableError  # noqa: PLC0415

    try:
        return JointEncoder(OnnxMiniLmEncoder.load(), static)
    except EncoderUnavailableError:
        return static
