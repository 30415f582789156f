"""The neural MLC and ToolRefiner of the Tool2Vec paper, trained with torch; an extra, for comparison and for much data.

Needs `pip install 'paretogate[encoders]'`. What is reconstructed: the released code lacks its `tool_reranker` module
(data set, collator, metrics), so `NeuralRefiner` follows the paper's model and configuration files and no code of
theirs. Departures from the paper: the backbone is whatever BERT is in `folder` (MiniLM here, DeBERTa-v3 there), and
the classifier begins at the smoothed tool vectors rather than at random numbers. In the refiner, a past request's
own share is kept out of the tool vectors it is trained on, fold by fold, and the first stage's rank is added
to each candidate.

Source: Moon et al., Efficient and Scalable Estimation of Tool Representations in Vector Space, arXiv 2409.02141.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from predictors.encoders.protocol import Encoder
from predictors.errors import EncoderUnavailableError, NotFittedError

from .channels.smoothed import SmoothedTool2Vec
from .evidence import Evidence, QueryBatch
from .protocol import ToolRanking
from .registry import ToolRegistry
from .usage import ToolUsage

__all__ = ["NeuralMultiLabel", "NeuralRefiner"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_SCALE: Final = 20.0  # of a cosine, as a logit
_MAX_TOKENS: Final = 96
_N_FOLDS: Final = 4


class NeuralMultiLabel:
    """A BERT fine-tuned to name a request's tools: softmax over one logit for each tool (the paper's MLC).

    Tools without usage begin at their description. `update` gives a new tool its smoothed vector, unfitted.
    """

    def __init__(
        self, folder: Path, encoder: Encoder, *, n_epochs: int = 10, learning_rate: float = 5e-5, seed: int = 0
    ) -> None:
        self.folder = folder
        self.encoder = encoder  # gives the vectors that the classifier begins at, so of the same model as `folder`
        self.n_epochs, self.learning_rate, self.seed = n_epochs, learning_rate, seed

    def fit(self, registry: ToolRegistry, usage: ToolUsage) -> Self:
        """Fine-tune all weights.

        Raises:
            EncoderUnavailableError: torch or transformers is missing, or the folder holds no model.
        """
        self.evidence_ = Evidence.gather(registry, usage, self.encoder)
        self.reader_ = _Reader(self.folder)
        torch = self.reader_.torch
        torch.manual_seed(self.seed)
        begun = SmoothedTool2Vec().learn(self.evidence_).unit_whole_  # (n_tools, dim)
        self.head_ = torch.nn.Parameter(torch.from_numpy(begun.copy()))
        targets = _targets(self.evidence_)  # (n_past, n_tools)

        def loss(rows: Ints) -> Any:  # noqa: ANN401 - a tensor
            states, mask = self.reader_.read([self.evidence_.usage.queries[row] for row in rows])
            logits = _SCALE * self.reader_.pooled(states, mask) @ self.head_.T  # (batch, n_tools)
            wanted = torch.from_numpy(targets[rows])
            return -(wanted * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()

        _train(
            torch,
            [
                {"params": self.reader_.model.parameters(), "lr": self.learning_rate},
                {"params": [self.head_], "lr": 20 * self.learning_rate},
            ],
            loss,
            n_rows=len(self.evidence_.past),
            n_epochs=self.n_epochs,
            seed=self.seed,
        )
        return self

    def update(self, registry: ToolRegistry) -> Self:
        """Serve another version of the registry; nothing is trained."""
        self._check_fitted()
        torch = self.reader_.torch
        older, evidence = self.evidence_.registry, self.evidence_.with_registry(registry)
        change = registry.change_since(older)
        fresh = {*change.added, *change.changed}
        rows = SmoothedTool2Vec().learn(evidence).unit_whole_.copy()  # (n_tools, dim)
        head = self.head_.detach().numpy()
        for row, tool in enumerate(registry):
            if tool.tool_id not in fresh:
                rows[row] = head[older.row(tool.tool_id)]
        self.evidence_, self.head_ = evidence, torch.nn.Parameter(torch.from_numpy(rows))
        return self

    def rank(self, queries: Sequence[str], k: int) -> list[ToolRanking]:
        """The k likeliest tools for each request.

        Raises:
            NotFittedError: `fit` was not called.
        """
        self._check_fitted()
        rankings: list[ToolRanking] = []
        with self.reader_.torch.no_grad():
            for texts in _batches(queries):
                states, mask = self.reader_.read(texts)
                scores = (self.reader_.pooled(states, mask) @ self.head_.T).numpy().astype(np.float64)
                rankings += [_best(self.evidence_.registry, row, k) for row in scores]
        return rankings

    def _check_fitted(self) -> None:
        if not hasattr(self, "head_"):
            raise NotFittedError(self)


class NeuralRefiner:
    """A BERT that reads a request and 64 candidate tools at once, each tool one token, and judges all of them together.

    Input: the request's tokens, then for every candidate its vector through a linear projection, plus the embedding of
    its rank in the first stage. Output: one logit per candidate; loss: binary cross-entropy over the candidates. The
    first stage is `SmoothedTool2Vec`, by cosine.
    """

    def __init__(
        self,
        folder: Path,
        encoder: Encoder,
        *,
        n_candidates: int = 64,
        n_epochs: int = 10,
        learning_rate: float = 1e-4,
        seed: int = 0,
    ) -> None:
        self.folder, self.encoder, self.n_candidates = folder, encoder, n_candidates
        self.n_epochs, self.learning_rate, self.seed = n_epochs, learning_rate, seed

    def fit(self, registry: ToolRegistry, usage: ToolUsage) -> Self:
        """Train projection, ranks, head and backbone on candidates found without the request's own fold.

        Raises:
            EncoderUnavailableError: torch or transformers is missing, or the folder holds no model.
        """
        evidence = Evidence.gather(registry, usage, self.encoder)
        self.reader_ = _Reader(self.folder)
        torch = self.reader_.torch
        torch.manual_seed(self.seed)
        n_candidates = min(self.n_candidates, len(registry))
        width = self.reader_.model.config.hidden_size
        self.layers_ = torch.nn.ModuleDict(
            {
                "project": torch.nn.Linear(evidence.tool_vectors.shape[1], width),
                "rank": torch.nn.Embedding(n_candidates, width),
                "judge": torch.nn.Linear(width, 1),
            }
        )
        torch.nn.init.normal_(self.layers_["project"].weight, std=0.2)  # as the paper begins it
        fold = np.arange(len(evidence.past)) % _N_FOLDS  # (n_past,)
        vectors = [self._vectors(registry, usage, np.flatnonzero(fold != held)) for held in range(_N_FOLDS)]
        found = [_nearest(vectors[fold[row]], evidence.past.vectors[row], n_candidates) for row in range(len(fold))]
        wanted = _targets(evidence) > 0.0  # (n_past, n_tools)

        def loss(rows: Ints) -> Any:  # noqa: ANN401 - a tensor
            texts = [evidence.usage.queries[row] for row in rows]
            tools = np.stack([vectors[fold[row]][found[row]] for row in rows])  # (batch, n_candidates, dim)
            relevant = np.stack([wanted[row, found[row]] for row in rows]).astype(np.float32)
            return torch.nn.functional.binary_cross_entropy_with_logits(
                self._judge(texts, tools), torch.from_numpy(relevant)
            )

        _train(
            torch,
            [
                {"params": self.reader_.model.parameters(), "lr": self.learning_rate},
                {"params": self.layers_.parameters(), "lr": 8 * self.learning_rate},
            ],
            loss,
            n_rows=len(evidence.past),
            n_epochs=self.n_epochs,
            seed=self.seed,
        )
        self.evidence_, self.vectors_ = evidence, SmoothedTool2Vec().learn(evidence).unit_whole_
        return self

    def update(self, registry: ToolRegistry) -> Self:
        """Serve another version of the registry; tools are read by their vectors, so nothing is trained."""
        self._check_fitted()
        self.evidence_ = self.evidence_.with_registry(registry)
        self.vectors_ = SmoothedTool2Vec().learn(self.evidence_).unit_whole_
        return self

    def rank(self, queries: Sequence[str], k: int) -> list[ToolRanking]:
        """The k likeliest of the candidates for each request.

        Raises:
            NotFittedError: `fit` was not called.
        """
        self._check_fitted()
        n_candidates = min(self.layers_["rank"].num_embeddings, len(self.evidence_.registry))
        tools, rankings = self.evidence_.registry.tools, []
        with self.reader_.torch.no_grad():
            for texts in _batches(queries):
                batch = QueryBatch.read(texts, self.encoder)
                found = [_nearest(self.vectors_, vector, n_candidates) for vector in batch.vectors]
                scores = self._judge(texts, self.vectors_[np.stack(found)]).numpy().astype(np.float64)
                for row, scored in zip(found, scores, strict=True):
                    order = np.argsort(-scored, kind="stable")[:k]
                    ids = tuple(tools[int(row[place])].tool_id for place in order)
                    rankings.append(ToolRanking(tool_ids=ids, scores=scored[order]))
        return rankings

    def _vectors(self, registry: ToolRegistry, usage: ToolUsage, rows: Ints) -> npt.NDArray[np.float32]:
        """Smoothed vectors of the tools from some of the usage, (n_tools, dim)."""
        known = usage.within(registry).subset(rows)
        return SmoothedTool2Vec().learn(Evidence.gather(registry, known, self.encoder)).unit_whole_

    def _judge(self, texts: Sequence[str], tools: npt.NDArray[np.float32]) -> Any:  # noqa: ANN401 - a tensor
        torch = self.reader_.torch
        ids, mask = self.reader_.tokens(texts)
        words = self.reader_.model.get_input_embeddings()(ids)  # (batch, n_tokens, width)
        places = torch.arange(tools.shape[1])
        candidates = self.layers_["project"](torch.from_numpy(tools)) + self.layers_["rank"](places)
        joined = torch.cat([words, candidates], dim=1)  # (batch, n_tokens + n_candidates, width)
        seen = torch.cat([mask, torch.ones(tools.shape[:2], dtype=mask.dtype)], dim=1)
        states = self.reader_.model(inputs_embeds=joined, attention_mask=seen).last_hidden_state
        return self.layers_["judge"](states[:, words.shape[1] :]).squeeze(-1)  # (batch, n_candidates)

    def _check_fitted(self) -> None:
        if not hasattr(self, "vectors_"):
            raise NotFittedError(self)


class _Reader:
    """A BERT and its tokenizer, read from a folder."""

    def __init__(self, folder: Path) -> None:
        try:
            import torch  # noqa: PLC0415 - hundreds of megabytes: only for those who train
            from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

            self.tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            self.model = AutoModel.from_pretrained(str(folder), local_files_only=True).float()
        except ImportError as exc:
            raise EncoderUnavailableError(f"{exc}; install it: pip install 'paretogate[encoders]'") from exc
        except (OSError, ValueError) as exc:
            raise EncoderUnavailableError(
                f"{folder}: no transformer can be read here ({exc}); name its folder"
            ) from exc
        self.torch: Any = torch

    def tokens(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Token ids and mask, both (n_texts, n_tokens)."""
        read = self.tokenizer(list(texts), padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
        return read["input_ids"], read["attention_mask"]

    def read(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Last states (n_texts, n_tokens, width) and mask."""
        ids, mask = self.tokens(texts)
        return self.model(input_ids=ids, attention_mask=mask).last_hidden_state, mask

    def pooled(self, states: Any, mask: Any) -> Any:  # noqa: ANN401 - tensors
        """Unit means of the states, (n_texts, width)."""
        weight = mask.unsqueeze(-1).float()
        return self.torch.nn.functional.normalize((states * weight).sum(dim=1) / weight.sum(dim=1), dim=1)


def _train(torch: Any, groups: list[dict[str, Any]], loss: Any, *, n_rows: int, n_epochs: int, seed: int) -> None:  # noqa: ANN401
    """AdamW with a cosine schedule; mini-batches of 32 in an order drawn from `seed`."""
    if n_rows == 0:
        return
    shuffled = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=n_epochs * -(-n_rows // _BATCH))
    for _ in range(n_epochs):
        order = shuffled.permutation(n_rows)
        for start in range(0, n_rows, _BATCH):
            optimizer.zero_grad()
            loss(order[start : start + _BATCH]).backward()
            optimizer.step()
            schedule.step()


_BATCH: Final = 32


def _targets(evidence: Evidence) -> npt.NDArray[np.float32]:
    """Equal shares for the tools of each past request, (n_past, n_tools)."""
    shares = np.zeros((len(evidence.past), len(evidence.registry)), dtype=np.float32)
    shares[evidence.pairs.query, evidence.pairs.tool] = 1.0
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1.0)
    return shares


def _nearest(vectors: npt.NDArray[np.float32], query: npt.NDArray[np.float32], k: int) -> Ints:
    return np.argsort(-(vectors @ query), kind="stable")[:k]


def _batches(queries: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(queries), _BATCH):
        yield queries[start : start + _BATCH]


def _best(registry: ToolRegistry, scores: Floats, k: int) -> ToolRanking:
    order = np.argsort(-scores, kind="stable")[:k]
    return ToolRanking(tool_ids=tuple(registry.tools[int(row)].tool_id for row in order), scores=scores[order])
