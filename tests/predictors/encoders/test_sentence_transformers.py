import sys

import pytest

from predictors.encoders import SentenceTransformersEncoder
from predictors.errors import EncoderUnavailableError


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)  # as if it were not installed
    with pytest.raises(EncoderUnavailableError, match=r"paretogate\[encoders\]"):
        SentenceTransformersEncoder("all-MiniLM-L6-v2")
