from dataclasses import replace

import pytest

from catalog import UnknownModelError
from tests.gateway.running import backend, serve_fixed

STRONG, CHEAP = backend("strong", "http://127.0.0.1:1/v1"), backend("cheap", "http://127.0.0.1:1/v1")


@pytest.mark.parametrize("name", ["maker/strong", "MAKER/strong".lower(), "strong", "Strong", "strong-raw"])
def test_a_model_answers_to_its_id_its_name_and_its_backends_name(name: str) -> None:
    assert serve_fixed((STRONG, CHEAP)).positions(name) == (0,)


def test_two_backends_of_a_model_share_its_names_and_keep_their_own() -> None:
    second = replace(STRONG, id="strong-2")
    serving = serve_fixed((STRONG, second))
    assert serving.positions("maker/strong") == (0, 1)
    assert serving.positions("strong-2") == (1,)


def test_a_model_without_a_backend_cannot_be_asked_for() -> None:
    with pytest.raises(UnknownModelError):
        serve_fixed((STRONG,), also=("all",)).positions("other/lonely")


def test_a_typing_error_is_answered_with_what_was_probably_meant() -> None:
    with pytest.raises(UnknownModelError, match="did you mean"):
        serve_fixed((STRONG,)).positions("maker/stronk")
