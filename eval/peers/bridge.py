"""Runs under the peer's Python: `python bridge.py IN.npz OUT.npz FOLDER ROUTER...`.

It imports nothing of this project. IN holds `train` (n_train, dim) and `test` (n_test, dim) encodings, `score`
(n_train, n_models), NaN where untried, and `price` (n_models,); OUT gets for each ROUTER the chosen models (n_test,) as
positions, and `version`. The routers of llmrouter-lib read their training data from files, which are written to FOLDER,
and train by their own trainers with the settings below, which are usual ones, not tuned. A router that takes the best
model of a prompt as its label sees the models in order of their mean score, so that a tie goes to the stronger one.
A router that asks for a model's size is given the rank of its price, since sizes of closed models are unknown.
"""

import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
from sklearn.preprocessing import MinMaxScaler

__all__ = ["SETTINGS", "main"]

SETTINGS: dict[str, dict[str, object]] = {
    "knn": {"n_neighbors": 5, "weights": "distance", "metric": "cosine"},
    "svm": {"kernel": "rbf", "C": 1.0, "gamma": "scale", "probability": False},
    "mlp": {"hidden_layer_sizes": [128, 64], "activation": "relu", "lr": 0.001, "epochs": 100, "batch_size": 32},
    "mf": {"latent_dim": 128, "lr": 0.001, "epochs": 5, "batch_size": 64},
    "graph": {"hidden_dim": 64, "learning_rate": 0.001, "weight_decay": 1e-4, "train_epoch": 100, "batch_size": 4},
    "hybrid": {"hidden_layer_sizes": [128, 64], "max_iter": 200, "random_state": 0},
    "elo": {},
    "smallest": {},
    "largest": {},
}
_CLASSES: dict[str, tuple[str, str, str | None]] = {
    "graph": ("graphrouter", "GraphRouter", "GraphTrainer"),
    "hybrid": ("hybrid_llm", "HybridLLMRouter", "HybridLLMTrainer"),
    "elo": ("elorouter", "EloRouter", "EloRouterTrainer"),
    "smallest": ("smallest_llm", "SmallestLLM", None),
    "largest": ("largest_llm", "LargestLLM", None),
    "knn": ("knnrouter", "KNNRouter", "KNNRouterTrainer"),
    "svm": ("svmrouter", "SVMRouter", "SVMRouterTrainer"),
    "mlp": ("mlprouter", "MLPRouter", "MLPTrainer"),
    "mf": ("mfrouter", "MFRouter", "MFRouterTrainer"),
}


def main(argv: list[str]) -> int:
    """Train every router and let it choose."""
    source, target, folder = np.load(argv[0]), argv[1], Path(argv[2])
    torch.set_num_threads(1)
    _write_outcomes(folder, source["train"], source["score"])
    _write_sizes(folder, source["price"])
    chosen: dict[str, Any] = {}
    for name in argv[3:]:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002 - the generator that the peer draws from
        package, router_name, trainer_name = _CLASSES[name]
        module = importlib.import_module(f"llmrouter.models.{package}")
        router = getattr(module, router_name)(str(_config(folder, name, dim=source["train"].shape[1])))
        trainer = getattr(module, trainer_name)(router, device="cpu") if trainer_name else None
        if trainer is not None:
            trainer.train()
        chosen[name] = np.array([int(n) for n in _chosen(name, router, trainer, source["test"])])
    np.savez(target, version=version("llmrouter-lib"), **chosen)
    return 0


def _write_sizes(folder: Path, price: np.ndarray) -> None:
    cheapest_first = np.argsort(price, kind="stable").tolist()
    sizes = {f"m{model}": {"size": f"{rank}B", "model": f"m{model}"} for rank, model in enumerate(cheapest_first, 1)}
    (folder / "models.json").write_text(json.dumps(sizes), encoding="utf-8")


def _write_outcomes(folder: Path, train: np.ndarray, score: np.ndarray) -> None:
    order = np.argsort(-np.nanmean(score, axis=0), kind="stable")  # (n_models,)
    with (folder / "routing.jsonl").open("w", encoding="utf-8") as lines:
        for row in range(len(train)):
            for model in order:
                if np.isfinite(score[row, model]):
                    told = {"query": f"q{row}", "model_name": f"m{model}", "embedding_id": row}
                    lines.write(json.dumps({**told, "performance": float(score[row, model])}) + "\n")
    torch.save(torch.tensor(train, dtype=torch.float32), folder / "encodings.pt")


def _config(folder: Path, name: str, *, dim: int) -> Path:
    fitted = str(folder / f"{name}.pkl")
    config = {
        "data_path": {
            "routing_data_train": str(folder / "routing.jsonl"),
            "query_embedding_data": str(folder / "encodings.pt"),
            "llm_data": str(folder / "models.json"),
        },
        "model_path": {"ini_model_path": "", "save_model_path": fitted, "load_model_path": fitted},
        "hparam": SETTINGS[name] | ({"text_dim": dim} if name == "mf" else {}),
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return path


def _chosen(name: str, router: Any, trainer: Any, test: np.ndarray) -> list[str]:  # noqa: ANN401 - the peer's own
    """The fitted model asked directly: the peer's own `route_batch` would encode anew and call a live model."""
    if name in {"elo", "smallest", "largest"}:
        return [router.route_single({"query": ""})["model_name"][1:]] * len(test)
    if name == "graph":
        return _chosen_in_graph(router, test)
    fitted = trainer.model
    if name == "hybrid":
        is_small = np.clip(fitted.predict(test), 0.0, 1.0) >= router.router_threshold
        return [(router.small_model_name if small else router.large_model_name)[1:] for small in is_small]
    if name in {"knn", "svm"}:
        return [label[1:] for label in fitted.predict(list(test))]
    rows = torch.tensor(test, dtype=torch.float32)
    fitted.eval()
    with torch.no_grad():
        if name == "mlp":
            found = fitted.predict(rows).tolist()
        else:
            found = [int(fitted.score_all(fitted.project_text(row)).argmax()) for row in rows]
    return [router.idx_to_model[at][1:] for at in found]


def _chosen_in_graph(router: Any, test: np.ndarray) -> list[str]:  # noqa: ANN401 - the peer's own
    """As its `route_batch`: the test prompts join the graph of the training prompts, without scores."""
    predictor = router.gnn_predictor
    predictor.model.load_state_dict(torch.load(router.cfg["model_path"]["save_model_path"], map_location="cpu"))
    scaled = MinMaxScaler().fit(np.vstack([router.query_embedding_list, test])).transform(test)
    n_llms, n_train = router.num_llms, len(router.query_embedding_list) * router.num_llms
    n_queries = len(router.query_embedding_list) + len(test)
    known = torch.zeros(n_queries * n_llms)
    known[:n_train] = 1
    graph = router.form_data.formulation(
        query_feature=np.vstack([router.query_embedding_list, scaled]),
        llm_feature=router.llm_embedding,
        org_node=np.repeat(np.arange(n_queries), n_llms).tolist(),
        des_node=list(range(n_llms)) * n_queries,
        edge_feature=np.concatenate([router.performance_list, np.zeros(len(test) * n_llms)]),
        label=np.zeros((n_queries * n_llms, 1)),
        edge_mask=1 - known,
        train_mask=known,
        valide_mask=torch.zeros(len(known)),
        test_mask=1 - known,
    )
    return [router.model_names[int(at)][1:] for at in predictor.predict(graph)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
