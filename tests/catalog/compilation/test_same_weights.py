from catalog.compilation.same_weights import same_weights, spellings_by_key


def test_one_snapshot_is_the_undated_model_and_two_months_apart_are_two_models() -> None:
    keys = ("solo", "solo-20250101", "duo", "duo-20250101", "duo-20250601", "orphan-20250101")
    same = same_weights(dict.fromkeys(keys, ()))
    assert same == {"solo-20250101": "solo"}
    assert spellings_by_key(same) == {"solo": ("solo-20250101",)}
