import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.commands.doctor import examine
from gateway.policies import configured_policies
from gateway.settings import InvalidSettingsError, Settings, load_settings

_FOLDER = Path(__file__).parents[2] / "deploy" / "examples"
EXAMPLES = sorted(path for path in _FOLDER.iterdir() if path.suffix in {".toml", ".yaml"})


def written(folder: Path, text: str, name: str = "paretogate.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_environment_and_flags_the_gateway_listens_on_loopback_only() -> None:
    settings = load_settings(environ={})
    assert settings.server.host == "127.0.0.1"
    assert settings.journal.prompts == "off"
    assert settings.backends == ()


def test_an_address_in_brackets_is_the_one_in_them() -> None:
    assert load_settings(environ={"PARETOGATE_SERVER__HOST": "[::1]"}).server.host == "::1"


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nhost = '127.0.0.9'\nport = 1\nworkers = 3\n")
    settings = load_settings(
        config=file,
        environ={"PARETOGATE_SERVER__HOST": "127.0.0.8", "PARETOGATE_SERVER__PORT": "2"},
        flags={"server": {"port": 3, "host": None}},
    )
    assert (settings.server.host, settings.server.port, settings.server.workers) == ("127.0.0.8", 3, 3)


def test_an_unknown_key_names_the_key_the_file_and_the_close_match(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nprot = 80\n")
    with pytest.raises(InvalidSettingsError, match=r"paretogate.toml: server.prot: unknown key; did you mean port\?"):
        load_settings(config=file, environ={})


def test_an_unknown_section_is_an_error_too(tmp_path: Path) -> None:
    file = written(tmp_path, "[serve]\nport = 80\n")
    with pytest.raises(InvalidSettingsError, match=r"serve: unknown key; did you mean server\?"):
        load_settings(config=file, environ={})


def test_an_unknown_key_inside_a_backend_is_found(tmp_path: Path) -> None:
    file = written(tmp_path, "[[backends]]\nid='a'\nprofile='o/m'\nkind='openai'\nbase_ur='http://x'\n")
    with pytest.raises(InvalidSettingsError, match=r"backends.0.base_ur: unknown key; did you mean base_url\?"):
        load_settings(config=file, environ={})


def test_an_unknown_key_inside_a_policy_is_found(tmp_path: Path) -> None:
    file = written(tmp_path, "[policies.frugal]\nwieghts = {}\n")
    with pytest.raises(InvalidSettingsError, match=r"policies.frugal.wieghts: unknown key; did you mean weights\?"):
        load_settings(config=file, environ={})


def test_an_unknown_environment_variable_is_an_error() -> None:
    with pytest.raises(InvalidSettingsError, match=r"PARETOGATE_SERVR__PORT is no setting; did you mean server\?"):
        load_settings(environ={"PARETOGATE_SERVR__PORT": "1"})
    with pytest.raises(InvalidSettingsError, match=r"environment: server.prot: unknown key; did you mean port\?"):
        load_settings(environ={"PARETOGATE_SERVER__PROT": "1"})


def test_variables_of_other_commands_stop_no_gateway_in_the_same_shell() -> None:
    others = {"PARETOGATE_DATA": "/data", "PARETOGATE_ENCODER_KEY": "let-me-in", "PARETOGATE_PROBE_KEY": "let-me-in"}
    assert load_settings(environ=others) == Settings()


def test_an_impossible_value_names_its_key(tmp_path: Path) -> None:
    file = written(tmp_path, "[learning]\nexplore = 2\n")
    with pytest.raises(InvalidSettingsError, match=r"paretogate.toml: learning.explore: .*less than or equal to 1"):
        load_settings(config=file, environ={})


@pytest.mark.parametrize("key", ["LEARNING__REFINE_EVERY_S", "LEARNING__WATCH_S", "SERVER__REQUEST_TIMEOUT_S"])
def test_nothing_takes_for_ever(key: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"_s: .*finite number"):
        load_settings(environ={f"PARETOGATE_{key}": "inf"})


def test_what_is_left_out_is_told_of_who_said_the_rest(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nport = 1\n")
    with pytest.raises(InvalidSettingsError, match=r"^environment: backends.0.profile: Field required"):
        load_settings(config=file, environ={"PARETOGATE_BACKENDS": '[{"id": "a", "kind": "openai"}]'})


def test_broken_files_say_what_is_broken(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match="is not valid TOML"):
        load_settings(config=written(tmp_path, "[server\n"), environ={})
    with pytest.raises(InvalidSettingsError, match="is not valid YAML"):
        load_settings(config=written(tmp_path, "a: [", name="p.yaml"), environ={})
    with pytest.raises(InvalidSettingsError, match="cannot read"):
        load_settings(config=tmp_path / "absent.toml", environ={})


def test_the_file_is_found_by_its_name_or_by_a_variable(tmp_path: Path) -> None:
    written(tmp_path, "server: {port: 77}", name="paretogate.yaml")
    assert load_settings(environ={}, folder=tmp_path).server.port == 77
    named = written(tmp_path, "[server]\nport = 78", name="elsewhere.toml")
    assert load_settings(environ={"PARETOGATE_CONFIG": str(named)}, folder=tmp_path).server.port == 78


def test_what_stands_in_the_place_of_the_file_and_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Passed over, a gateway would start with none of its keys, budgets and backends."""
    (tmp_path / "paretogate.toml").symlink_to(tmp_path / "nowhere.toml")
    with pytest.raises(InvalidSettingsError, match=r"cannot read .*paretogate.toml: No such file"):
        load_settings(environ={}, folder=tmp_path)
    (tmp_path / "paretogate.toml").unlink()
    os.mkfifo(tmp_path / "paretogate.yaml")
    with pytest.raises(InvalidSettingsError, match=r"cannot read .*paretogate.yaml: Is no regular file"):
        load_settings(environ={}, folder=tmp_path)


def test_a_key_that_is_said_twice_is_told_and_a_date_that_is_none_too(tmp_path: Path) -> None:
    for name, text in (
        ("p.yaml", "backends: []\nserver: {port: 1}\nbackends: []\n"),
        ("p.toml", "[server]\nport = 1\n[server]\n"),
    ):
        with pytest.raises(InvalidSettingsError, match=r"is not valid (YAML: line 3: 'backends' is said twice|TOML)"):
            load_settings(config=written(tmp_path, text, name=name), environ={})
    with pytest.raises(InvalidSettingsError, match="is not valid YAML: month must be in"):
        load_settings(config=written(tmp_path, "state: {dir: 2027-13-45}", name="p.yaml"), environ={})


def test_a_journal_in_a_file_lies_beside_it_too(tmp_path: Path) -> None:
    beside = written(tmp_path, "[journal]\nurl = 'sqlite:///j.sqlite3'\n")
    assert load_settings(config=beside, environ={}).journal_path == tmp_path / "j.sqlite3"
    elsewhere = written(tmp_path, "[journal]\nurl = 'sqlite:////var/j.sqlite3'\n")
    assert load_settings(config=elsewhere, environ={}).journal_path == Path("/var/j.sqlite3")
    assert load_settings(environ={"PARETOGATE_JOURNAL__URL": "sqlite:///j"}).journal_path == Path("j")


def test_home_is_home_in_a_file_and_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell has been there to tell: compose files and units of systemd pass the sign on."""
    monkeypatch.setenv("HOME", "/home/ada")
    file = written(tmp_path, "[state]\ndir = '~/gate'\n[catalog]\noverlays = ['~/mine.toml', 'ours.toml']\n")
    settings = load_settings(config=file, environ={"PARETOGATE_AUTH__KEYS": "~/keys.json"})
    assert settings.state_dir == Path("/home/ada/gate")
    assert settings.catalog.overlays == (Path("/home/ada/mine.toml"), tmp_path / "ours.toml")
    assert settings.keys_path == Path("/home/ada/keys.json")


def test_sections_that_are_left_empty_say_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "server:\n# port: 80\nbackends:\n", "paretogate.yaml")
    assert load_settings(config=file, environ={}) == load_settings(environ={})


def test_a_number_is_no_section(tmp_path: Path) -> None:
    file = written(tmp_path, "8321: {}\n", "paretogate.yaml")
    with pytest.raises(InvalidSettingsError, match=r"8321 is no section: known: server, "):
        load_settings(config=file, environ={})


def test_a_file_may_begin_with_the_mark_of_its_encoding(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufeff[server]\nport = 80\n")
    assert load_settings(config=file, environ={}).server.port == 80


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[state]\ndir = 'var'\n[catalog]\noverlays = ['ours.toml']\n")
    settings = load_settings(config=file, environ={})
    assert settings.journal_path == tmp_path / "var" / "journal.sqlite3"
    assert settings.catalog.overlays == (tmp_path / "ours.toml",)


def test_a_backend_becomes_what_the_catalog_understands(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "[[backends]]\nid='a'\nprofile='mini'\nkind='openai'\nbase_url='http://127.0.0.1:9/v1/'\n"
        "price={input=0.15, output=0.6}\nlimits={timeout_s=5}\nheaders={x-team='blue'}\n",
    )
    (configured,) = load_settings(config=file, environ={}).backends
    backend = configured.backend("openai/mini")
    assert (backend.model_name, backend.provider, backend.base_url) == ("mini", "openai", "http://127.0.0.1:9/v1")
    assert backend.price is not None
    assert backend.price.output_usd_per_mtok == Decimal("0.6")
    assert backend.limits.timeout_s == 5
    assert backend.headers == {"x-team": "blue"}


def test_a_backend_may_charge_long_inputs_at_other_rates(tmp_path: Path) -> None:
    text = (
        "[[backends]]\nid='a'\nprofile='mini'\nkind='openai'\nbase_url='http://127.0.0.1:9/v1'\n"
        "price={input=1, output=4, search_per_thousand=25, long_context_above_tokens=200000, "
        "long_context={input=2, output=6}}\n"
    )
    (configured,) = load_settings(config=written(tmp_path, text), environ={}).backends
    price = configured.backend("openai/mini").price
    assert price is not None
    assert price.search_usd_per_thousand == Decimal(25)
    assert price.at(200_001).output_usd_per_mtok == Decimal(6)
    without_limit = written(tmp_path, text.replace("long_context_above_tokens=200000, ", ""))
    with pytest.raises(InvalidSettingsError, match="together"):
        load_settings(config=without_limit, environ={})


def test_secrets_do_not_show() -> None:
    settings = load_settings(
        environ={},
        flags={
            "backends": [
                {
                    "id": "a",
                    "profile": "o/m",
                    "kind": "openai",
                    "base_url": "http://127.0.0.1:9",
                    "headers": {"authorization": "Bearer hush"},
                }
            ]
        },
    )
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("id='a'\nprofile='o/m'\nkind='openai'", "needs base_url"),
        ("id='a'\nprofile='o/m'\nkind='openai'\nbase_url='ftp://x'", "http"),
        ("id='a'\nprofile='o/m'\nkind='opanai'\nbase_url='http://x'", "backends.0.kind"),
    ],
)
def test_a_backend_that_cannot_work_is_refused(tmp_path: Path, table: str, problem: str) -> None:
    with pytest.raises(InvalidSettingsError, match=problem):
        load_settings(config=written(tmp_path, f"[[backends]]\n{table}\n"), environ={})


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://h", "redis://HOST:PORT/DB"),
        ("redis://h:abc", "port cannot be read"),
        ("redis://:hu/sh@h:6379", "write / as %2F"),
        ("redis://:12#hush@h:6379", "# as %23"),
        ("redis://:12?hush@h:6379", r"\? as %3F"),
        ("redis://h:6379/main", "number of a database"),
        ("redis://h?foo=1", "unknown option foo; known: client_name"),
        ("redis://h?decode_responses=true", "unknown option decode_responses"),  # limits would not be seen to refuse
        ("redis://h?socket_timeout=1", "unknown option socket_timeout"),
        ("redis://h?ssl_ca_certs=/ca.pem", r"unknown option ssl_ca_certs \(rediss:// is Redis over TLS\)"),
        ("rediss://h?max_connections=many", "max_connections must be a whole number"),
    ],
)
@pytest.mark.parametrize("section", ["state", "journal"])
def test_an_address_of_redis_that_cannot_work_is_refused_without_its_password(
    section: str, url: str, problem: str
) -> None:
    with pytest.raises(InvalidSettingsError, match=rf"environment: {section}.url: .*{problem}") as refused:
        load_settings(environ={f"PARETOGATE_{section.upper()}__URL": url})
    assert "hu" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "memory://",
        "redis://",
        "redis://user:p%2Fw@[::1]:6379/3?protocol=3&client_name=gate",
        "rediss://h:6380?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_an_address_of_redis_may_bring_options(url: str) -> None:
    assert load_settings(environ={"PARETOGATE_STATE__URL": url}).state.url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:p%2Fw@[::1]:6379/3?protocol=3&client_name=gate", "redis://[::1]:6379/3"),
        ("rediss://:hush@h", "rediss://h"),
        ("unix:///run/redis.sock?db=1&password=hush", "unix:///run/redis.sock"),
    ],
)
def test_a_journal_in_redis_is_collected_into_the_state_directory_and_its_password_never_told(
    url: str, shown: str
) -> None:
    settings = load_settings(environ={"PARETOGATE_JOURNAL__URL": url, "PARETOGATE_STATE__DIR": "/var/gate"})
    assert (settings.journal.stream_url, settings.journal.shown_stream) == (url, shown)
    assert settings.journal_path == Path("/var/gate/journal.sqlite3")
    assert "hush" not in repr(settings)
    assert "p%2Fw" not in repr(settings)


def test_a_journal_in_a_file_is_no_stream_and_memory_keeps_none() -> None:
    assert load_settings(environ={"PARETOGATE_JOURNAL__URL": "sqlite:///j"}).journal.stream_url is None
    with pytest.raises(InvalidSettingsError, match="sqlite:///PATH, or in Redis: redis://HOST:PORT/DB"):
        load_settings(environ={"PARETOGATE_JOURNAL__URL": "memory://"})


@pytest.mark.parametrize("section", ["state", "journal"])
@pytest.mark.parametrize("url", ["redis://h/3", "unix:///run/redis.sock", None])
def test_a_cluster_has_no_database_and_no_socket(section: str, url: str | None) -> None:
    environ = {f"PARETOGATE_{section.upper()}__CLUSTER": "true"}
    environ |= {} if url is None else {f"PARETOGATE_{section.upper()}__URL": url}
    with pytest.raises(InvalidSettingsError, match="url names any node"):
        load_settings(environ=environ)


def test_two_backends_cannot_share_an_id(tmp_path: Path) -> None:
    one = "[[backends]]\nid='a'\nprofile='o/m'\nkind='openai'\nbase_url='http://127.0.0.1:9'\n"
    with pytest.raises(InvalidSettingsError, match="two backends are called 'a'"):
        load_settings(config=written(tmp_path, one + one), environ={})


def test_settings_cannot_be_changed_after_reading() -> None:
    with pytest.raises(ValidationError):
        Settings().server.port = 1  # type: ignore[misc]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads(example: Path) -> None:
    settings = load_settings(config=example, environ={})
    assert settings != Settings()
    assert configured_policies(settings.policies).keys() == settings.policies.keys()


def test_every_setting_is_named_on_a_page_or_in_an_example() -> None:
    root = _FOLDER.parents[1]
    pages = "\n".join(
        page.read_text(encoding="utf-8") for page in [*root.glob("docs/*.md"), root / "README.md", *EXAMPLES]
    )
    schema = Settings.model_json_schema()
    sections = {"": schema, **schema["$defs"]}
    missing = [
        f"{section}.{name}"
        for section, form in sections.items()
        for name in form.get("properties", ())
        if not re.search(rf"\b{name}\b", pages)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "name",
    [
        *("api_base", "base_url", "api_key", "api_version", "extra_headers", "extra_body", "custom_llm_provider"),
        *("aws_region_name", "aws_bedrock_runtime_endpoint", "vertex_project", "vertex_credentials", "azure_ad_token"),
        *("organization", "mock_response", "fallbacks", "model", "modelId", "deployment_id", "accountId", "apiKey"),
        *("input_cost_per_token", "timeout", "a b", "", "_x", "safe\nprompt"),
    ],
)
def test_no_further_parameter_says_where_a_request_goes_as_whom_or_at_what_price(tmp_path: Path, name: str) -> None:
    told = (
        f"[[backends]]\nid='a'\nprofile='o/m'\nkind='litellm'\nextra_parameters={json.dumps(['safe_prompt', name])}\n"
    )
    with pytest.raises(InvalidSettingsError, match=r"paretogate.toml: backends.0.extra_parameters.1: "):
        load_settings(config=written(tmp_path, told), environ={})


def test_further_parameters_are_for_backends_behind_litellm(tmp_path: Path) -> None:
    names = ("safe_prompt", "guardrailConfig", "additionalModelRequestFields", "reasoning_format", "cached_content")
    told = f"[[backends]]\nid='a'\nprofile='o/m'\nkind='litellm'\nextra_parameters={json.dumps(names)}\n"
    (one,) = load_settings(config=written(tmp_path, told), environ={}).backends
    assert one.backend("o/m").extra_parameters == frozenset(names)
    other = told.replace("litellm", "anthropic")
    with pytest.raises(InvalidSettingsError, match="extra_parameters are for kind litellm; anthropic is told"):
        load_settings(config=written(tmp_path, other), environ={})


@pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed")
def test_nothing_that_this_litellm_takes_for_an_order_may_travel() -> None:
    code = """
import inspect, litellm
from litellm.types.utils import all_litellm_params
from gateway.settings.extra_parameters import check_parameter
from gateway.upstreams.litellm import _ABOUT_THE_ANSWER
for name in sorted({*all_litellm_params, *inspect.signature(litellm.completion).parameters} - _ABOUT_THE_ANSWER):
    try:
        print(check_parameter(name))
    except ValueError:
        pass
"""
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PARETOGATE_BACKENDS", '[{"id": "a", "id": "b"}]', r"backends.*'id' is said twice"),
        ("PARETOGATE_POLICIES", '{"mine": {"base": "cheap"}, "mine": {}}', r"policies.*'mine' is said twice"),
        ("PARETOGATE_JOURNAL", '{"keep_days": 3, "keep_days": 4}', r"journal.*'keep_days' is said twice"),
        ("PARETOGATE_CATALOG__OVERLAYS", '["a.toml"', r"catalog.*line 1 column 10.*written as JSON"),
    ],
)
def test_json_in_the_environment_says_nothing_twice_and_what_is_wrong_with_it_is_told(
    name: str, value: str, problem: str
) -> None:
    with pytest.raises(InvalidSettingsError, match=problem):
        load_settings(environ={name: value})


def test_whoever_has_no_home_is_told_to_name_a_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was a traceback, in a container that runs as some number."""

    def unknown(uid: int) -> object:
        raise KeyError(uid)

    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(InvalidSettingsError, match=r"state\.dir: .*PARETOGATE_STATE__DIR"):
        _ = load_settings(environ={}).state_dir
    (broken,) = [check for check in examine(config=None, environ={}, offline=True) if check.verdict == "broken"]
    assert broken.subject == "state directory"
    assert "PARETOGATE_STATE__DIR" in broken.detail
