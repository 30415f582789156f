"""Runs under the peer's Python: `python bridge.py ROUTER IN.npz OUT.npz FOLDER`.

It imports nothing of this project. IN holds `train` (n_train, dim) and `test` (n_test, dim) encodings and `score`
(n_train, n_models), NaN where untried; OUT gets `chosen` (n_test,), a position among the models, and `version`. The
routers of llmrouter-lib read their training data from files, which are written to FOLDER, and train by their own
trainers with the settings below, which are usual ones, not tuned. A router that takes the best
model of a prompt as its label sees the models in order of their mean score, so that a tie goes to the stronger one.
"""

import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]

__all__ = ["SETTINGS", "main"]

SETTINGS: dict[str, dict[str, object]] = {
    "knn": {"n_neighbors": 5, "weights": "distance", "metric": "cosine"},
    "svm": {"kernel": "rbf", "C": 1.0, "gamma": "scale", "probability": False},
    "mlp": {"hidden_layer_sizes": [128, 64], "activation": "relu", "lr": 0.001, "epochs": 100, "batch_size": 32},
    "mf": {"latent_dim": 128, "lr": 0.001, "epochs": 5, "batch_size": 64},
}
_CLASSES = {
    "knn": ("knnrouter", "KNNRouter", "KNNRouterTrainer"),
    "svm": ("svmrouter", "SVMRouter", "SVMRouterTrainer"),
    "mlp": ("mlprouter", "MLPRouter", "MLPTrainer"),
    "mf": ("mfrouter", "MFRouter", "MFRouterTrainer"),
}


def main(argv: list[str]) -> int:
    """Train one router and let it choose."""
    name, source, target, folder = argv[0], np.load(argv[1]), argv[2], Path(argv[3])
    torch.manual_seed(0)
    torch.set_num_threads(1)
    train, test, score = source["train"], source["test"], source["score"]
    order = np.argsort(-np.nanmean(score, axis=0), kind="stable")  # (n_models,)
    config = _write(folder, name, train, score, order)
    package, router_name, trainer_name = _CLASSES[name]
    module = importlib.import_module(f"llmrouter.models.{package}")
    router = getattr(module, router_name)(str(config))
    trainer = getattr(module, trainer_name)(router, device="cpu")
    trainer.train()
    names = _chosen(name, router, trainer, test)
    np.savez(target, chosen=np.array([int(n) for n in names]), version=version("llmrouter-lib"))
    return 0


def _write(folder: Path, name: str, train: np.ndarray, score: np.ndarray, order: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "routing.jsonl").open("w", encoding="utf-8") as lines:
        for row in range(len(train)):
            for model in order:
                if np.isfinite(score[row, model]):
                    told = {"query": f"q{row}", "model_name": f"m{model}", "embedding_id": row}
                    lines.write(json.dumps({**told, "performance": float(score[row, model])}) + "\n")
    torch.save(torch.tensor(train, dtype=torch.float32), folder / "encodings.pt")
    settings = dict(SETTINGS[name])
    if name == "mf":
        settings["text_dim"] = int(train.shape[1])
    config = {
        "data_path": {
            "routing_data_train": str(folder / "routing.jsonl"),
            "query_embedding_data": str(folder / "encodings.pt"),
        },
        "model_path": {
            "ini_model_path": "",
            "save_model_path": str(folder / "fitted.pkl"),
            "load_model_path": str(folder / "fitted.pkl"),
        },
        "hparam": settings,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return path


def _chosen(name: str, router: object, trainer: object, test: np.ndarray) -> list[str]:
    """The fitted model asked directly: the peer's own `route` would encode anew and call a live model."""
    fitted = trainer.model  # type: ignore[attr-defined]
    if name in {"knn", "svm"}:
        return [label[1:] for label in fitted.predict(list(test))]
    rows = torch.tensor(test, dtype=torch.float32)
    fitted.eval()
    with torch.no_grad():
        if name == "mlp":
            found = fitted.predict(rows).tolist()
        else:
            found = [int(fitted.score_all(fitted.project_text(row)).argmax()) for row in rows]
    return [router.idx_to_model[at][1:] for at in found]  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
