import json
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from predictors.encoders import StaticEncoder
from predictors.errors import EncoderUnavailableError

SHIPPED = Path(str(files("predictors.encoders") / "data"))


def test_a_text_is_the_weighted_sum_of_its_tokens_rows_brought_to_length_one() -> None:
    encoder = StaticEncoder.load()
    ids = encoder.tokenizer.encode("cat cat dog", add_special_tokens=False).ids
    cat, dog = encoder.table[ids[0]] * encoder.scale[ids[0]], encoder.table[ids[2]] * encoder.scale[ids[2]]
    expected = np.sqrt(2.0) * cat + dog  # "cat" twice counts as the root of two
    np.testing.assert_allclose(encoder.encode(["cat cat dog"])[0], expected / np.linalg.norm(expected), atol=1e-6)


def test_case_and_outer_spaces_do_not_matter() -> None:
    encoder = StaticEncoder.load()
    plain, shouted = encoder.encode(["what is a prime number?", "  What Is A PRIME Number?  "])
    np.testing.assert_array_equal(plain, shouted)


def test_a_lone_surrogate_reads_as_a_question_mark() -> None:
    encoder = StaticEncoder.load()
    broken, mended = encoder.encode(["a \ud800 b", "a ? b"])
    np.testing.assert_array_equal(broken, mended)


def test_the_files_in_the_package_stay_below_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 10_000_000


def test_a_missing_folder_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailableError, match="distill"):
        StaticEncoder.load(tmp_path / "nowhere")


def test_files_of_another_format_or_damaged_ones_are_refused(tmp_path: Path) -> None:
    for path in SHIPPED.iterdir():
        shutil.copy(path, tmp_path / path.name)
    manifest = json.loads((tmp_path / "static.json").read_text())
    (tmp_path / "static.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(EncoderUnavailableError, match="format 99"):
        StaticEncoder.load(tmp_path)
    (tmp_path / "static.npz").write_bytes(b"not an archive")
    with pytest.raises(EncoderUnavailableError, match="can be read"):
        StaticEncoder.load(tmp_path)


def test_a_word_that_was_seen_before_is_read_the_same() -> None:
    encoder = StaticEncoder.load()
    first, second = encoder.encode(["Rhombicuboctahedral prisms, rhombicuboctahedral prisms"] * 2)
    np.testing.assert_array_equal(first, second)


def test_a_forgiving_one_reads_over_a_slip_and_has_a_name_of_its_own() -> None:
    strict, forgiving = StaticEncoder.load(), StaticEncoder.load(forgiving=True)
    right, slipped = "Prove the theorem of Gauss", "Prove the thoerem of Gauss"
    np.testing.assert_array_equal(forgiving.encode([slipped]), forgiving.encode([right]))
    np.testing.assert_array_equal(forgiving.encode([right]), strict.encode([right]))
    assert strict.encode([slipped])[0] @ strict.encode([right])[0] < 0.9
    assert forgiving.name != strict.name


def test_slips_are_forgiven_beside_letters_that_are_not_ascii_too() -> None:
    forgiving = StaticEncoder.load(forgiving=True)
    right, slipped = forgiving.encode(["Prove the theorem \u2013 briefly", "Prove the thoerem \u2013 briefly"])
    np.testing.assert_array_equal(right, slipped)
    whole, cut = forgiving.encode(["an Universit\u00e4t", "an universit\u00e4t"])  # no plain word is cut out of another
    np.testing.assert_array_equal(whole, cut)
    assert forgiving.encode(["an Universit\u00e4t"])[0] @ forgiving.encode(["an university\u00e4t"])[0] < 0.99


def test_company_changes_no_bit_of_a_vector() -> None:
    encoder = StaticEncoder.load(forgiving=True)
    texts = [
        "What is a prime, onec more?",
        "",
        "caf\u00e9",
        "word " * 20_000,
        "Explain entropy to a child, briefly.",
        "x" * 30,
    ]
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_array_equal(encoder.encode(texts), alone)
    np.testing.assert_array_equal(encoder.encode(texts * 40), np.tile(alone, (40, 1)))
