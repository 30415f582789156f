from pathlib import Path

import pytest

from eval.errors import InvalidReplayError
from eval.policy.configured import known_policy, read_policies


def test_policies_are_read_from_a_gateways_configuration(tmp_path: Path) -> None:
    file = tmp_path / "paretogate.toml"
    file.write_text('[server]\nport = 1\n[policies.frugal]\nbase = "cheap"\nrequire = { max_cost_usd = 0.01 }\n')
    assert read_policies(file)["frugal"].require.max_cost_usd == 0.01
    assert read_policies(None) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("policies = 3", "must be a table"),
        ("[policies.mine]\nbeauty = 1", "policies.mine.beauty: unknown key"),
        ("[policies", "paretogate.toml: "),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_key(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "paretogate.toml"
    file.write_text(text)
    with pytest.raises(InvalidReplayError, match=r"paretogate\.toml") as caught:
        read_policies(file)
    assert told in str(caught.value)


def test_a_policy_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(InvalidReplayError, match=r"balanced.*\(--config"):
        known_policy("frugal", {})
