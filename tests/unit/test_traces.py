"""What is taken for a trace, and what happens where nothing is traced."""

import logging
import subprocess
import sys

import pytest

from atom import traces

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def afresh(monkeypatch):
    """No collector is named, and nothing is known of it."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    traces._sdk.cache_clear()
    yield
    traces._sdk.cache_clear()


def test_a_traceparent_is_known():
    assert traces.traceparent_of(GOOD) == GOOD


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        GOOD.upper(),
        GOOD + "\n",
        " " + GOOD,
        GOOD + "-more",
        "01" + GOOD[2:],
        "ff" + GOOD[2:],
        GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        GOOD.replace("b7ad6b7169203331", "0" * 16),
        GOOD.replace("b7ad6b7169203331", "b7ad6b716920333g"),
        GOOD.replace("b7ad6b7169203331", "b7ad6b716920333١"),
        GOOD * 1000,
    ],
)
def test_what_is_none_is_dropped(header):
    assert traces.traceparent_of(header) == ""


def test_untraced_a_block_continues_what_came(afresh):
    assert traces.current() == ""
    with traces.span("accept", traces.Kind.SERVER, GOOD):
        assert traces.current() == GOOD
        with traces.span("step", traces.Kind.INTERNAL):
            traces.describe({"execution_id": "e"})
            traces.fail("Failed")
            assert traces.current() == GOOD
    assert traces.current() == ""
    traces.flush()


def test_nothing_is_imported_that_nobody_asked_for(afresh):
    code = (
        "import sys, atom.traces as t\n"
        "with t.span('x', t.Kind.SERVER): pass\n"
        "t.flush()\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("off", [{"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}])
def test_it_can_be_turned_off(afresh, monkeypatch, off):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    for name, value in off.items():
        monkeypatch.setenv(name, value)
    assert traces._sdk() is None


def test_without_the_extra_it_is_told_what_to_install(afresh, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "atom.open_telemetry", raising=False)
    with caplog.at_level(logging.WARNING), traces.span("x", traces.Kind.SERVER, GOOD):
        assert traces.current() == GOOD
    assert "pip install 'flow-atom[tracing]'" in caplog.text
