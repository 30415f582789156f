"""Who can reach the gateway, and whether they need a key."""

import pytest

from gateway.governance.exposure import check_exposure, is_loopback, keys_required
from gateway.settings import AuthSettings, InvalidSettingsError, ServerSettings, Settings


def settings(host: str, **auth: bool) -> Settings:
    return Settings(server=ServerSettings(host=host), auth=AuthSettings(**auth))


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("gateway", False)],
)
def test_only_this_machine_reaches_loopback(host: str, *, is_it: bool) -> None:
    assert is_loopback(host) is is_it


def test_keys_are_required_once_there_are_some_and_others_can_reach_the_address() -> None:
    assert not keys_required(settings("127.0.0.1"), has_keys=True)
    assert keys_required(settings("0.0.0.0"), has_keys=True)
    assert not keys_required(settings("0.0.0.0", required=False), has_keys=True)


def test_nobody_is_let_in_by_oversight_and_nobody_is_locked_out() -> None:
    with pytest.raises(InvalidSettingsError, match=r"auth\.allow_open"):
        check_exposure(settings("0.0.0.0"), has_keys=False)
    with pytest.raises(InvalidSettingsError, match="keys create"):
        check_exposure(settings("127.0.0.1", required=True), has_keys=False)
    check_exposure(settings("0.0.0.0", allow_open=True), has_keys=False)
    check_exposure(settings("0.0.0.0"), has_keys=True)
