"""The model that serves: known models by their outcomes, unknown ones by their profiles."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from catalog import Ability, ModelProfile
from predictors import BadArtefactError
from predictors.outcomes import Outcomes
from predictors.persistence import load_artefact, save_artefact
from predictors.quality import QualityModel
from predictors.quality.placement.cold_start import AbilityPrior
from predictors.recipe import fit_quality_model

KINDS = ("easy", "hard")


class Words:
    """Two coordinates: how easy and how hard a prompt says it is."""

    name = "words"
    n_surface = 0

    def extract(self, texts: Sequence[str]) -> np.ndarray:
        jitter = np.array([[(hash_of(text) % 97) / 970] * 2 for text in texts])
        return jitter + np.array([[float(kind in text) for kind in KINDS] for text in texts])


def hash_of(text: str) -> int:
    return sum(ord(c) * i for i, c in enumerate(text, start=1))


def profile(name: str, ability: float | None, se: float = 0.1) -> ModelProfile:
    known = {} if ability is None else {"general": Ability(mean=ability, se=se)}
    return ModelProfile(id=f"maker/{name}", name=name, ability=known)


LADDER = {f"m{i}": profile(f"m{i}", (i - 4) / 2) for i in range(9)}  # abilities -2 ... 2


def fit() -> QualityModel:
    """Nine models; P(right) = sigmoid(2 x ability + 2) on easy prompts, sigmoid(2 x ability - 2) on hard ones."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(300):
        kind = KINDS[number % 2]
        for name, p in LADDER.items():
            logit = 2 * p.ability["general"].mean + (2 if kind == "easy" else -2)
            right = float(rng.random() < 1 / (1 + np.exp(-logit)))
            rows.append({"prompt": f"{kind} {number}", "benchmark": kind, "model": name, "score": right})
    return fit_quality_model(
        Outcomes.from_table(pl.DataFrame(rows)),
        Words(),
        profile_of=lambda _dataset, name: LADDER[name],
        prior=AbilityPrior().fit(list(LADDER.values())),
    )


@pytest.fixture(scope="module")
def model() -> QualityModel:
    return fit()


def features(text: str) -> np.ndarray:
    return Words().extract([text])[0]


def test_a_model_never_seen_is_placed_by_its_ability(model: QualityModel) -> None:
    strangers = [profile("strong", 1.8), profile("middling", 0.0), profile("weak", -1.8)]
    mean, _, _ = model.bind(strangers).estimate(features("hard 3"))
    assert mean[0] > 0.7 > 0.3 > mean[1] > mean[2]


def test_models_differ_less_where_all_succeed(model: QualityModel) -> None:
    pair = model.bind([profile("strong", 1.8), profile("middling", 0.5)])
    easy, hard = pair.estimate(features("easy 8"))[0], pair.estimate(features("hard 8"))[0]
    assert easy[0] - easy[1] < hard[0] - hard[1]


def test_a_model_with_outcomes_is_surer_than_one_with_a_profile_alone(model: QualityModel) -> None:
    _, se, _ = model.bind([LADDER["m5"], profile("stranger", 0.5), profile("riddle", None)]).estimate(
        features("hard 3")
    )
    assert se[0] < se[1] < se[2]


def test_far_from_the_training_prompts_every_model_is_at_its_global_mean_with_a_wide_error(model: QualityModel) -> None:
    bound = model.bind([LADDER["m2"], LADDER["m6"]])
    near_mean, near_se, near = bound.estimate(features("hard 5"))
    far_mean, far_se, far = bound.estimate(np.array([60.0, 60.0]))
    assert near > 0.9
    assert far < 0.01
    both = [bound.estimate(features(f"{kind} {i}"))[0] for kind in KINDS for i in range(40)]
    np.testing.assert_allclose(far_mean, np.mean(both, axis=0), atol=0.05)
    assert (far_se > near_se).all()
    assert np.isfinite(near_mean).all()


def test_a_known_model_is_found_by_an_alias_too(model: QualityModel) -> None:
    alias = ModelProfile(id="host/copy", name="copy", aliases=("maker/m7",), ability=LADDER["m7"].ability)
    both = model.bind([LADDER["m7"], alias]).estimate(features("hard 1"))[0]
    assert both[0] == both[1]


def test_candidates_keep_their_order_and_may_repeat(model: QualityModel) -> None:
    mean = model.bind([LADDER["m1"], LADDER["m8"], LADDER["m1"]]).estimate(features("hard 1"))[0]
    assert mean[0] == mean[2] < mean[1]


def test_saved_and_loaded_it_predicts_the_same_under_the_same_version(model: QualityModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = QualityModel.load(tmp_path)
    assert loaded.version == model.version
    for ours, theirs in zip(
        model.bind([LADDER["m3"]]).estimate(features("easy 2")),
        loaded.bind([LADDER["m3"]]).estimate(features("easy 2")),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_same_outcomes_and_seed_give_the_same_bytes(model: QualityModel, tmp_path: Path) -> None:
    model.save(tmp_path / "first")
    fit().save(tmp_path / "second")
    for name in ("arrays.npz", "manifest.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArtefactError, match="train it again"):
        QualityModel.load(tmp_path)


def test_what_was_held_out_is_on_record(model: QualityModel) -> None:
    held_out = model.manifest["held_out"]
    assert held_out["brier"] < held_out["brier_of_model_means"]
    assert held_out["calibration_error"] < 0.1


def test_models_of_a_dense_table_are_told_by_its_ensemble_and_others_by_their_profile(model: QualityModel) -> None:
    [own] = model.ensembles
    bound = model.bind([LADDER["m2"], profile("stranger", 1.0), LADDER["m7"]])
    rows = Words().extract(["easy 3", "hard 4"])
    mean, se, familiarity = bound.estimate(rows)
    told = own.ensemble.predict(rows)
    np.testing.assert_allclose(mean[:, [0, 2]], told.mean[:, [2, 7]])
    np.testing.assert_allclose(se[:, [0, 2]], told.se[:, [2, 7]])
    np.testing.assert_allclose(familiarity, told.familiarity)
    one, _, share = bound.estimate(rows[0])
    np.testing.assert_allclose(one, mean[0])
    assert share == familiarity[0]


def test_a_saved_ensemble_speaks_as_before_and_is_part_of_the_version(model: QualityModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = QualityModel.load(tmp_path)
    pool, rows = [LADDER["m2"], LADDER["m7"]], Words().extract(["easy 3", "hard 4"])
    for told, expected in zip(again.bind(pool).estimate(rows), model.bind(pool).estimate(rows), strict=True):
        np.testing.assert_allclose(told, expected, atol=1e-5)
    assert again.version == model.version
    assert again.version.endswith(model.manifest["ensembles"][0]["sha256"][:12])


def test_an_ensemble_of_another_fit_is_refused(model: QualityModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(model.manifest["ensembles"][0]["sha256"], "0" * 64))
    with pytest.raises(BadArtefactError, match="belongs to another predictor"):
        QualityModel.load(tmp_path)


@pytest.mark.parametrize("elsewhere", ["../there/ensemble-0", "/there", ".."])
def test_an_ensemble_is_read_from_beside_its_predictor_alone(
    model: QualityModel, elsewhere: str, tmp_path: Path
) -> None:
    model.save(tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"ensemble-0"', f'"{elsewhere}"'))
    with pytest.raises(BadArtefactError, match="lies elsewhere"):
        QualityModel.load(tmp_path)


def test_an_ensemble_that_another_version_saved_with_less_in_it_is_refused(model: QualityModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    [entry] = json.loads((tmp_path / "manifest.json").read_text())["ensembles"]
    arrays, manifest = load_artefact(tmp_path / entry["folder"], kind="ensemble")
    del arrays["error_scale_"], manifest["arrays_sha256"]
    digest = save_artefact(tmp_path / entry["folder"], arrays, manifest)
    whole = tmp_path / "manifest.json"
    whole.write_text(whole.read_text().replace(entry["sha256"], digest))
    with pytest.raises(BadArtefactError, match=r"another version .* train again"):
        QualityModel.load(tmp_path)


def rewritten(folder: Path, kind: str, **arrays: object) -> str:
    """Other arrays in the place of those of a saved predictor, which match their digest: somebody meant it."""
    known, manifest = load_artefact(folder, kind=kind)
    del manifest["arrays_sha256"]
    return save_artefact(folder, {**known, **{name: np.asarray(value) for name, value in arrays.items()}}, manifest)


@pytest.mark.parametrize("value", [np.full((3, 5, 2), 1.0), np.zeros(0), np.float64(3.0), np.array(["x"])])
@pytest.mark.parametrize(
    "name",
    [
        "deviation",
        "gap",
        "head_on_features",
        "landmarks",
        "on_features",
        "on_topics",
        "profile_map",
        "sample",
        "support",
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused_before_they_decide(
    model: QualityModel, tmp_path: Path, name: str, value: np.ndarray
) -> None:
    model.save(tmp_path)
    rewritten(tmp_path, "quality", **{name: value})
    with pytest.raises(BadArtefactError, match=r"train it again"):
        QualityModel.load(tmp_path)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(model: QualityModel, tmp_path: Path, number: float) -> None:
    model.save(tmp_path)
    rewritten(tmp_path, "quality", deviation=np.full_like(model.arrays["deviation"], number))
    with pytest.raises(BadArtefactError, match="deviation has what is no number"):
        QualityModel.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("models", ["a"], "models, and 1 names"),
        ("scalars", {"width": 10**400}, "garbles"),
        ("scalars", {"width": float("nan")}, "width is no number"),
    ],
)
def test_a_manifest_that_does_not_fit_its_arrays_is_refused(
    model: QualityModel, tmp_path: Path, key: str, value: Any, said: str
) -> None:
    model.save(tmp_path)
    told = json.loads((tmp_path / "manifest.json").read_text())
    told[key] = value if isinstance(value, list) else {**told[key], **value}
    (tmp_path / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(BadArtefactError, match=said):
        QualityModel.load(tmp_path)


@pytest.mark.parametrize("name", ["predict", "__class__", "_private", "members", "error_scale_"])
def test_an_ensembles_arrays_replace_nothing_but_what_it_learned(
    model: QualityModel, tmp_path: Path, name: str
) -> None:
    model.save(tmp_path)
    [entry] = json.loads((tmp_path / "manifest.json").read_text())["ensembles"]
    digest = rewritten(tmp_path / entry["folder"], "ensemble", **{name: np.full((2, 3), np.nan)})
    whole = tmp_path / "manifest.json"
    whole.write_text(whole.read_text().replace(entry["sha256"], digest))
    with pytest.raises(BadArtefactError, match=r"another version .* train again"):
        QualityModel.load(tmp_path)


def test_a_sparse_table_gets_no_ensemble() -> None:
    rng = np.random.default_rng(1)
    rows = [
        {"prompt": f"{KINDS[n % 2]} {n}", "benchmark": KINDS[n % 2], "model": f"m{rng.integers(9)}", "score": n % 2}
        for n in range(300)
    ]
    fitted = fit_quality_model(
        Outcomes.from_table(pl.DataFrame(rows)),
        Words(),
        profile_of=lambda _dataset, name: LADDER[name],
        prior=AbilityPrior().fit(list(LADDER.values())),
    )
    assert fitted.ensembles == ()
    assert "score_of_choice" not in fitted.manifest["held_out"]


def test_each_dense_table_among_pooled_ones_has_an_ensemble_and_a_pool_is_told_by_that_which_knows_most_of_it() -> None:
    rng = np.random.default_rng(2)
    tables = {"one": ["m0", "m1", "m2"], "two": ["m2", "m3", "m4", "m5", "m6"], "three": ["m7", "m8"]}
    rows = [
        {
            "prompt": f"{KINDS[n % 2]} {n} of {table}",
            "dataset": table,
            "benchmark": KINDS[n % 2],
            "model": name,
            "score": float(rng.integers(2)),
        }
        for table, names in tables.items()
        for n in range(120 if table != "three" else 20)
        for name in names
    ]
    fitted = fit_quality_model(
        Outcomes.from_table(pl.DataFrame(rows)),
        Words(),
        profile_of=lambda _dataset, name: LADDER[name],
        prior=AbilityPrior().fit(list(LADDER.values())),
    )
    assert [own.models for own in fitted.ensembles] == [
        ("maker/m0", "maker/m1", "maker/m2"),
        ("maker/m2", "maker/m3", "maker/m4", "maker/m5", "maker/m6"),
    ]
    query = features("easy 3")
    mean, _, _ = fitted.bind([LADDER["m2"], LADDER["m0"], LADDER["m5"], LADDER["m6"]]).estimate(query)
    told = fitted.ensembles[1].ensemble.predict(query[None]).mean[0]
    np.testing.assert_allclose(mean[[0, 2, 3]], told[[0, 3, 4]])


def test_configurations_of_one_profile_are_told_apart_by_the_names_that_the_table_has_for_them() -> None:
    rows = [
        {"prompt": f"{KINDS[n % 2]} {n}", "benchmark": KINDS[n % 2], "model": name, "score": float(n % 5 < of_five)}
        for n in range(160)
        for name, of_five in (("m2 prompted", 1), ("m2 native", 4), ("m5", 3))
    ]
    fitted = fit_quality_model(
        Outcomes.from_table(pl.DataFrame(rows)),
        Words(),
        profile_of=lambda _dataset, name: LADDER[name.split()[0]],
        prior=AbilityPrior().fit(list(LADDER.values())),
    )
    assert fitted.models == ("maker/m2", "maker/m5")
    pool = [LADDER["m2"], LADDER["m2"], LADDER["m2"], LADDER["m5"]]
    names = ["m2 native", "m2 prompted", "at some host", "m5"]
    mean, se, _ = fitted.bind(pool, names=names).estimate(Words().extract(["easy 3", "hard 4"]))
    np.testing.assert_allclose(mean.mean(axis=0), [0.8, 0.2, 0.5, 0.6], atol=0.07)
    np.testing.assert_allclose(mean[:, 2], mean[:, :2].mean(axis=1))  # nobody knows which of the two it is
    assert np.isfinite(se).all()
