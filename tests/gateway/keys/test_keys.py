"""API keys: made, kept, found and closed."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.keys import ApiKey, InvalidKeyRecordError, KeyFile, KeyFileError, KeyRing, UnknownKeyError, issue


class Time:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def keep(path: Path, **what: Any) -> tuple[ApiKey, str]:
    key, token = issue(random_bytes=os.urandom, now_s=1_000.0, **{"tenant": "acme", **what})
    KeyFile(path).change(lambda keys: (*keys, key))
    return key, token


def test_a_key_is_found_by_its_token_and_by_nothing_else(tmp_path: Path) -> None:
    key, token = keep(tmp_path / "keys.json", max_concurrency=3)
    ring = KeyRing(KeyFile(tmp_path / "keys.json"), clock=Time(), wall=Time())
    assert ring.find(token) == key
    for wrong in (token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), "sk-pg-", "", "x" * 5_000):
        with pytest.raises(UnknownKeyError) as refused:
            ring.find(wrong)
        assert token[20:] not in str(refused.value)


def test_only_hashes_are_kept_and_only_for_their_owner(tmp_path: Path) -> None:
    key, token = keep(tmp_path / "keys.json")
    kept = (tmp_path / "keys.json").read_text()
    assert token.rpartition("-")[2] not in kept
    assert token not in repr(key)
    assert key.digest not in repr(key)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_a_running_gateway_notices_new_and_revoked_keys(tmp_path: Path) -> None:
    clock = Time()
    ring = KeyRing(KeyFile(tmp_path / "keys.json"), clock=clock, wall=Time())
    assert ring.is_empty
    _, token = keep(tmp_path / "keys.json")
    clock.now_s += 2.0
    assert ring.find(token).tenant == "acme"
    (tmp_path / "keys.json").unlink()
    clock.now_s += 2.0
    with pytest.raises(UnknownKeyError):
        ring.find(token)


def test_a_damaged_file_leaves_the_keys_that_were_known(tmp_path: Path) -> None:
    _, token = keep(tmp_path / "keys.json")
    clock = Time()
    ring = KeyRing(KeyFile(tmp_path / "keys.json"), clock=clock, wall=Time())
    (tmp_path / "keys.json").write_text("{")
    clock.now_s += 2.0
    assert ring.find(token).tenant == "acme"
    with pytest.raises(KeyFileError, match="damaged"):
        KeyFile(tmp_path / "keys.json").read()


def test_an_expired_key_opens_nothing(tmp_path: Path) -> None:
    _, token = keep(tmp_path / "keys.json", expires_s=1_500.0)
    wall = Time()
    ring = KeyRing(KeyFile(tmp_path / "keys.json"), clock=Time(), wall=wall)
    assert ring.find(token)
    wall.now_s = 1_500.0
    with pytest.raises(UnknownKeyError, match="expired"):
        ring.find(token)


def test_lists_of_models_are_globs_and_no_beats_yes() -> None:
    key, _ = issue(random_bytes=os.urandom, now_s=0.0, tenant="a", allow=("openai/*",), deny=("*/gpt-5*",))
    assert key.may_use("openai/gpt-4o")
    assert not key.may_use("openai/gpt-5-mini")
    assert not key.may_use("other/model")
    for written in ("OpenAI/GPT-5-mini", "gpt-5-mini", "GPT-5*"):
        assert not issue(random_bytes=os.urandom, now_s=0.0, tenant="a", deny=(written,))[0].may_use(
            "openai/gpt-5-mini"
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [("tenant", ""), ("max_concurrency", 0), ("budget_usd_per_day", 0.0), ("privacy", "maybe")],
)
def test_an_impossible_limit_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidKeyRecordError, match=field):
        issue(random_bytes=os.urandom, now_s=0.0, **{"tenant": "a", field: value})


def test_the_command_makes_lists_and_revokes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert (
        main(["keys", "create", "--tenant", "acme", "--allow", "openai/*", "--budget-usd-per-day", "5", "--json"]) == 0
    )
    made = json.loads(capsys.readouterr().out)
    assert made["key"].startswith(f"sk-pg-{made['key_id']}-")
    assert main(["keys", "list"]) == 0
    shown = capsys.readouterr().out
    assert made["key_id"] in shown
    assert made["key"].rpartition("-")[2] not in shown
    assert "budget_usd_per_day=5" in shown
    assert main(["keys", "revoke", made["key_id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"key_id": made["key_id"], "revoked": True}
    with pytest.raises(UnknownKeyError, match="revoked"):
        KeyRing(KeyFile(tmp_path / "keys.json"), clock=Time(), wall=Time()).find(made["key"])
    assert main(["keys", "revoke", "nobody"]) == 1
    assert "no key is called 'nobody'" in capsys.readouterr().err


def test_only_the_owner_can_hold_the_lock_of_the_keys(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        KeyFile(tmp_path / "keys.json").change(lambda keys: keys)
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "keys.json": 0o600,
        "keys.lock": 0o600,
    }


def test_a_remedy_is_told_only_where_it_is_one(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file", encoding="utf-8")
    with pytest.raises(KeyFileError) as caught:
        KeyFile(tmp_path / "folder" / "keys.json").read()
    assert str(caught.value) == f"cannot read {tmp_path}/folder/keys.json: Not a directory"


def test_a_link_that_leads_nowhere_is_no_missing_file(tmp_path: Path) -> None:
    """A secret that is not mounted, say: without keys a gateway on loopback lets everybody in."""
    (tmp_path / "keys.json").symlink_to(tmp_path / "secret" / "keys.json")
    with pytest.raises(KeyFileError, match=r"is a link to a file that is not there; put it back, or remove the link"):
        KeyRing(KeyFile(tmp_path / "keys.json"), clock=Time(), wall=Time())


def test_nobody_waits_for_a_pipe_in_the_place_of_the_keys(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys.json")
    with pytest.raises(KeyFileError, match=r"cannot read .*keys.json: Is no regular file"):
        KeyFile(tmp_path / "keys.json").read()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("expires_s", "2027-01-01"), ("revoked_s", True), ("created_s", None), ("salt", "zz"), ("digest", 5)),
        *(("requests_per_minute", 1.5), ("admin", "yes"), ("allow", "openai/*"), ("deny", [1]), ("tenant", ["a"])),
    ],
)
def test_a_record_written_by_hand_is_refused_where_a_request_would_fall_over_it(
    tmp_path: Path, field: str, value: object
) -> None:
    keep(tmp_path / "keys.json")
    kept = json.loads((tmp_path / "keys.json").read_text())
    kept["keys"][0][field] = value
    (tmp_path / "keys.json").write_text(json.dumps(kept))
    with pytest.raises(KeyFileError, match=rf"keys.json: {field}: must be .+, not "):
        KeyFile(tmp_path / "keys.json").read()
