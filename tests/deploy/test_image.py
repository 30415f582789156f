"""The image and the composition: what they promise, as far as it can be seen without building them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from gateway.settings import Settings, load_settings
from tests.waiting import AT_MOST_S

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))


def test_the_dockerfile_passes_its_linter() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "deploy" / "Dockerfile"],
        capture_output=True,
        text=True,
        timeout=AT_MOST_S,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


def test_the_build_gets_what_the_wheel_is_made_of_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = PROJECT["project"]
    assert {*wheel["packages"], project["readme"], *project["license-files"], "pyproject.toml"} <= allowed
    assert all((ROOT / path).exists() for path in allowed)


def test_the_extras_of_the_image_exist() -> None:
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_the_image_listens_where_it_says_and_keeps_its_state_in_its_volume() -> None:
    assert f"EXPOSE {Settings().server.port}" in DOCKERFILE
    (volume,) = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
    assert f"PARETOGATE_STATE__DIR={volume}" in DOCKERFILE
    assert re.search(r"^USER \d+$", DOCKERFILE, re.MULTILINE)


def test_the_composition_is_understood_by_the_gateway_and_whole() -> None:
    gateway, redis = COMPOSE["services"]["paretogate"], COMPOSE["services"]["redis"]
    environ = {name: value for name, value in gateway["environment"].items() if value is not None}
    settings = load_settings(environ=environ)
    assert settings.state.url.get_secret_value() == "redis://redis:6379/0"
    assert not settings.discovery.loopback
    build = (ROOT / "deploy" / gateway["build"]["context"]).resolve()
    assert (build / gateway["build"]["dockerfile"]).is_file()
    used = {volume.partition(":")[0] for service in (gateway, redis) for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])
    assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])


def test_who_collects_the_shared_journal_is_told_where_it_is() -> None:
    told = COMPOSE["services"]["refine"]
    settings = load_settings(environ=told["environment"])
    assert settings.journal.stream_url == "redis://redis:6379/0"
    assert told["volumes"] == COMPOSE["services"]["paretogate"]["volumes"]
    assert COMPOSE["services"]["paretogate"]["environment"]["PARETOGATE_JOURNAL__URL"] is None  # as the shell says


@pytest.mark.parametrize("service", ["paretogate", "redis", "refine"])
def test_services_have_no_rights_they_do_not_need(service: str) -> None:
    said = COMPOSE["services"][service]
    assert said["read_only"]
    assert said["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in said["security_opt"]


def test_nobody_has_to_give_up_rights_that_it_lacks() -> None:
    """Redis' image starts as root and changes its user, which without any capability it may not: it would end."""
    assert COMPOSE["services"]["redis"]["user"] == "redis"
    assert re.search(r"^USER \d+$", DOCKERFILE, re.MULTILINE)
