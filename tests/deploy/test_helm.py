"""The chart, rendered by the real helm and held to the schemas of Kubernetes itself."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.settings import load_settings
from tests.waiting import AT_MOST_S

CHART = Path(__file__).parents[2] / "deploy" / "helm"
HELM = Path(sys.executable).with_name("helm")
KEYS, REDIS = {"keysSecret": "keys"}, {"redis": {"url": "redis://redis:6379/0"}}
WHOLE: dict[str, Any] = {
    **KEYS,
    "journal": {"shared": True, "persistence": {"storageClass": "fast"}},
    "redis": {"urlSecret": {"name": "redis", "key": "url"}},
    "config": {"learning": {"explore": 0.05}, "backends": [], "journal": {"prompts": "redacted"}},
    "envSecrets": ["providers"],
    "env": [{"name": "PARETOGATE_TELEMETRY__LOG_LEVEL", "value": "info"}],
    "autoscaling": {"enabled": True},
    "ingress": {"enabled": True, "host": "models.example.com", "tlsSecret": "tls", "className": "nginx"},
    "networkPolicy": {"enabled": True, "fromLabels": {"may-ask": "models"}},
    "monitoring": {
        "serviceMonitor": True,
        "rules": True,
        "board": True,
        "tokenSecret": {"name": "scraper", "key": "token"},
    },
    "imagePullSecrets": [{"name": "pull"}],
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "persistence": {"storageClass": "fast"},
    "podAnnotations": {"a": "b"},
}


def helm(*arguments: str, values: Mapping[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "values.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    return subprocess.run(
        [HELM, *arguments, CHART, "--values", file], capture_output=True, text=True, timeout=AT_MOST_S, check=False
    )


def rendered(values: Mapping[str, Any], folder: Path) -> dict[tuple[str, str], Any]:
    done = helm("template", "gate", values=values, folder=folder)
    assert done.returncode == 0, done.stderr
    found = [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in found}


@pytest.mark.parametrize("values", [{**KEYS, **REDIS}, {**KEYS, "replicas": 1}, WHOLE], ids=["usual", "one", "whole"])
@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_what_it_renders_is_what_kubernetes_takes(values: dict[str, Any], version: str, tmp_path: Path) -> None:
    for (kind, _), manifest in rendered(values, tmp_path).items():
        if kind not in {"ServiceMonitor", "PrometheusRule"}:  # the Prometheus operator's
            kubernetes_validate.validate(manifest, version, strict=True)


def test_it_passes_helms_own_linter(tmp_path: Path) -> None:
    done = helm("lint", "--strict", values=WHOLE, folder=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (KEYS, "redis: more than one replica would each keep limits and budgets for itself"),
        (REDIS, "keysSecret: the gateway does not start where strangers could come in"),
        ({**KEYS, "redis": {"url": "redis://r", "urlSecret": {"name": "r", "key": "k"}}}, "name one"),
        ({**KEYS, "replicas": 1, "journal": {"shared": True}}, "journal.shared: is kept in the Redis"),
        ({**KEYS, **REDIS, "journal": {"shared": True}, "config": {"journal": {"url": "sqlite:///j"}}}, "remove one"),
        ({**KEYS, **REDIS, "ingress": {"enabled": True}}, "ingress.host: an ingress needs one"),
        ({**KEYS, **REDIS, "monitoring": {"serviceMonitor": True}}, "monitoring.tokenSecret"),
        ({**KEYS, "redis": {"urlSecret": {"name": "r"}}}, "redis.urlSecret.key"),
        ({**KEYS, **REDIS, "replica": 3}, "replica"),
        ({**KEYS, **REDIS, "service": {"port": "http"}}, "service"),
    ],
)
def test_what_would_go_wrong_in_silence_is_refused_by_name(values: dict[str, Any], words: str, tmp_path: Path) -> None:
    done = helm("template", "gate", values=values, folder=tmp_path)
    assert done.returncode != 0
    assert words in done.stderr


def test_an_open_gateway_must_be_wanted(tmp_path: Path) -> None:
    assert rendered({**REDIS, "config": {"auth": {"allow_open": True}}}, tmp_path)


@pytest.mark.parametrize("values", [{**KEYS, **REDIS}, WHOLE], ids=["usual", "whole"])
def test_the_gateway_understands_what_it_is_configured_with(values: dict[str, Any], tmp_path: Path) -> None:
    manifests = rendered(values, tmp_path)
    (tmp_path / "paretogate.yaml").write_text(manifests["ConfigMap", "gate-paretogate"]["data"]["paretogate.yaml"])
    environ = {e["name"]: e.get("value", "redis://redis:6379/0") for e in container(manifests)["env"]}
    settings = load_settings(environ=environ, folder=tmp_path)
    assert settings.auth.keys == Path("/etc/paretogate-keys/keys.json")
    assert settings.state.url.get_secret_value().startswith("redis://")
    assert settings.journal.stream_url == ("redis://redis:6379/0" if values is WHOLE else None)
    if values is WHOLE:
        assert settings.learning.explore == 0.05
        assert settings.telemetry.log_level == "info"


def test_a_shared_journal_is_collected_by_one_pod_that_no_service_finds(tmp_path: Path) -> None:
    assert ("StatefulSet", "gate-paretogate-refinement") not in rendered({**KEYS, **REDIS}, tmp_path)
    manifests = rendered({**KEYS, **REDIS, "journal": {"shared": True}}, tmp_path)
    told = manifests["StatefulSet", "gate-paretogate-refinement"]["spec"]
    (worker,) = told["template"]["spec"]["containers"]
    shared = {"name": "PARETOGATE_JOURNAL__URL", "value": "redis://redis:6379/0"}
    assert (told["replicas"], worker["args"]) == (1, ["refine", "--watch"])
    assert shared in worker["env"]
    assert shared in container(manifests)["env"]
    assert worker["securityContext"] == container(manifests)["securityContext"]
    labels = told["template"]["metadata"]["labels"].items()
    services = [m["spec"]["selector"] for (kind, _), m in manifests.items() if kind == "Service"]
    assert services
    assert not [selector for selector in services if selector.items() <= labels]


def test_a_changed_configuration_restarts_the_replicas(tmp_path: Path) -> None:
    sums = {
        rendered({**KEYS, **REDIS, "config": {"learning": {"explore": explore}}}, tmp_path)[
            "StatefulSet", "gate-paretogate"
        ]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for explore in (0.1, 0.2, 0.1)
    }
    assert len(sums) == 2


def test_a_replica_has_no_rights_and_writes_to_its_volumes_alone(tmp_path: Path) -> None:
    manifests = rendered(WHOLE, tmp_path)
    security = container(manifests)["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert not security["allowPrivilegeEscalation"]
    assert not pod(manifests)["automountServiceAccountToken"]
    assert not pod(manifests)["enableServiceLinks"]
    mounted = {mount["name"] for mount in container(manifests)["volumeMounts"]}
    assert mounted == {*named(pod(manifests)["volumes"]), "state"}


def test_alerts_and_board_come_along_as_they_are(tmp_path: Path) -> None:
    manifests = rendered(WHOLE, tmp_path)
    rules = yaml.safe_load((CHART.parent / "prometheus" / "paretogate.rules.yaml").read_text(encoding="utf-8"))
    assert manifests["PrometheusRule", "gate-paretogate"]["spec"] == rules
    board = (CHART.parent / "grafana" / "paretogate.json").read_text(encoding="utf-8")
    assert manifests["ConfigMap", "gate-paretogate-board"]["data"]["paretogate.json"] == board


def test_the_scaler_alone_counts_replicas_where_it_is_wanted(tmp_path: Path) -> None:
    manifests = rendered(WHOLE, tmp_path)
    assert "replicas" not in manifests["StatefulSet", "gate-paretogate"]["spec"]
    assert manifests["HorizontalPodAutoscaler", "gate-paretogate"]["spec"]["minReplicas"] == 2


def pod(manifests: Mapping[tuple[str, str], Any]) -> Any:
    return manifests["StatefulSet", "gate-paretogate"]["spec"]["template"]["spec"]


def container(manifests: Mapping[tuple[str, str], Any]) -> Any:
    (only,) = pod(manifests)["containers"]
    return only


def named(items: list[Mapping[str, Any]]) -> Iterator[str]:
    return (item["name"] for item in items)
