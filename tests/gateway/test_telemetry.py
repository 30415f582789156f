import structlog

from catalog import Usage
from gateway.telemetry import Telemetry, configure_logging


def text(telemetry: Telemetry) -> str:
    return telemetry.exposition(backends={"b": ("open", 2)}, journal={"written": 3}).decode()


def test_what_was_counted_is_exposed() -> None:
    telemetry = Telemetry()
    usage = Usage(input_tokens=10, output_tokens=2, cached_input_tokens=4)
    telemetry.answered(model="m", usage=usage, cost_usd=0.5, predicted_usd=0.25, ttft_s=0.1)
    shown = text(telemetry)
    assert 'paretogate_tokens_total{model="m",type="cached_input"} 4.0' in shown
    assert 'paretogate_cost_usd_total{model="m"} 0.5' in shown
    assert 'paretogate_prediction_error_bucket{le="2.0",model="m"} 1.0' in shown
    assert 'paretogate_breaker_state{backend="b"} 2.0' in shown
    assert 'paretogate_journal{fact="written"} 3.0' in shown


def test_an_unknown_cost_is_counted_as_unknown() -> None:
    telemetry = Telemetry()
    telemetry.answered(model="m", usage=None, cost_usd=None, predicted_usd=0.25, ttft_s=None)
    shown = text(telemetry)
    assert 'paretogate_unpriced_calls_total{model="m"} 1.0' in shown
    assert 'paretogate_cost_usd_total{model="m"}' not in shown


def test_the_overhead_has_buckets_below_a_millisecond() -> None:
    telemetry = Telemetry()
    telemetry.request_ended("chat", "ok", duration_s=0.2, overhead_s=0.0007)
    assert 'paretogate_overhead_seconds_bucket{door="chat",le="0.001"} 1.0' in text(telemetry)


def test_a_key_never_reaches_the_log(capsys) -> None:
    try:
        configure_logging(level="info", style="json")
        log = structlog.get_logger("t")
        log.info("asked", header="Bearer abc.def", key="sk-planted0123456789")
        try:
            raise RuntimeError("failed with sk-planted0123456789")
        except RuntimeError:
            log.exception("crashed")
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "asked" in said
    assert "crashed" in said
    assert "planted" not in said
    assert "abc.def" not in said
