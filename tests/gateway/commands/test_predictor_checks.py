from pathlib import Path

import pytest

from gateway.commands.doctor import examine
from gateway.commands.predictor_checks import predictor_checks
from gateway.promotion import Order
from gateway.redis_keys import JournalKeys
from tests.gateway.promotion.replicas import SHIPPED, Replica, open_encoder_once, variant
from tests.gateway.state.servers import RedisServer

pytestmark = pytest.mark.loopback


@pytest.fixture(autouse=True)
def encoder_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictors.forecaster.open_encoder", open_encoder_once)


def told(replica: Replica) -> tuple[str, str]:
    (check,) = predictor_checks(replica.settings)
    assert check.subject == "shared predictor"
    return check.verdict, check.detail


def test_it_tells_what_is_in_force_for_all_and_who_is_behind(redis_server: RedisServer, tmp_path: Path) -> None:
    here, other = (Replica(tmp_path / name, redis_server.url) for name in ("here", "other"))
    assert told(here) == ("ok", "none was promoted for all replicas")
    other.promote(variant(tmp_path, "first"))
    behind = "version 1 is in force for all replicas, and here decides the predictor that ships"
    assert told(here) == ("note", behind)
    environ = {"PARETOGATE_STATE__DIR": str(tmp_path / "here"), "PARETOGATE_JOURNAL__URL": redis_server.url}
    checks = examine(config=None, environ=environ, offline=False)  # the doctor says so, too
    assert next(check for check in checks if check.subject == "shared predictor").detail == behind
    here.shared.take_up()
    assert told(here) == ("ok", "version 1 decides here as it does everywhere")
    other.promote(variant(tmp_path, "second"))
    assert told(here) == ("note", "version 2 is in force for all replicas, and here decides version 1 of its own")
    other.shared.roll_back(0)
    assert told(here)[0] == "note"
    here.shared.take_up()
    assert told(here) == ("ok", "the predictor that ships decides here as it does everywhere")


def test_what_is_damaged_is_told_with_the_remedy_and_one_that_is_away_is_not_told_twice(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    here = Replica(tmp_path / "here", redis_server.url)
    with redis_server.client() as client:
        client.set(JournalKeys().predictors, Order().content.replace(b":1", b":2"))
    (check,) = predictor_checks(here.settings)
    assert (check.verdict, check.detail) == (
        "note",
        f"{JournalKeys().predictors} in the journal's Redis: its format is 2, this program reads 1",
    )
    assert "upgrade this replica" in str(check.remedy)
    assert told(Replica(tmp_path / "own", redis_server.url, path=SHIPPED))[0] == "ok"
    redis_server.kill()
    assert list(predictor_checks(here.settings)) == []  # the journal's stream says so
