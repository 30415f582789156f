"""What the machine that runs the tests says in its environment, and no test may hear."""

from collections.abc import MutableMapping

__all__ = ["forget_surroundings"]

_ENDINGS = ("_API_KEY", "_PROXY", "_SECRET_KEY", "_TOKEN")  # most proxies are asked for loopback, too
_BEGINNINGS = ("ANTHROPIC_", "LANGCHAIN_", "LANGSMITH_", "LITELLM_", "OPENAI_", "OTEL_", "PARETOGATE_")
# How wide and how colourful commands print: on GITHUB_ACTIONS typer prints as to a terminal.
_PRINTING = {"CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS"}
_PRINTING |= {"TERMINAL_WIDTH", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
_SERVING = {"FORWARDED_ALLOW_IPS", "PROMETHEUS_MULTIPROC_DIR", "WEB_CONCURRENCY"}
_MEANT_FOR_TESTS = frozenset({"PARETOGATE_DATA", "PARETOGATE_TEST_FUZZ_FIRST", "PARETOGATE_VLLM_URL"})


def forget_surroundings(environ: MutableMapping[str, str]) -> None:
    """Drop keys, proxies, a user's own settings, and wishes for how to print."""
    for name in list(environ):
        told = name.upper()
        if told not in _MEANT_FOR_TESTS and (
            told in _PRINTING | _SERVING or told.endswith(_ENDINGS) or told.startswith(_BEGINNINGS)
        ):
            del environ[name]
