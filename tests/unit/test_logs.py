"""One record, one line: as text and as JSON, without secrets, and with what it is about."""

import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.contextvars import bind_contextvars, bound_contextvars
from werkzeug.wsgi import ClosingIterator

from atom.listener.app import own_log_context
from atom.logs import collecting, configure_logging, context_of, printable
from atom.redaction import MASK, Secret, hiding

SECRET = 'canary"7\n\\ü'
ROOT = logging.getLogger()
ABOUT = SimpleNamespace(service="Orders", action="Place order", tenant_id="t-1", state_id="s-1")
# Each would be a line of its own, or part of another one, were it written as it is.
FORGERIES = [
    "x\n2026-01-01T00:00:00.000Z ERROR   atom.forged: forged",
    'x\n{"level":"ERROR","message":"forged"}',
    "x\r\nforged",
    "x\rforged",
    "x\x0bforged\x0cforged\x1cforged\x85forged\u2028forged\u2029forged",
    '","level":"CRITICAL","x":"',
    "\x1b[2Jforged\x00\x7f\u202eforged",
    "not UTF-8: \udcff",
]


class Stream(io.StringIO):
    """One that may pretend."""


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def role(monkeypatch):
    """Configure logging; returns what it has written so far."""

    def make(log_format, level="INFO"):
        stream = Stream()
        monkeypatch.setattr("sys.stderr", stream)
        configure_logging(level, log_format, "worker")
        return stream.getvalue

    return make


def parsed(text):
    return [json.loads(line) for line in text.splitlines()]


def test_json_has_our_keys_and_those_of_the_record(role):
    written = role("json")
    with bound_contextvars(**context_of("e-1", ABOUT), attempt=2):
        logging.getLogger("shop.orders").warning("%d left", 3, extra={"order": 5})
    (line,) = parsed(written())
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("worker").rpartition(":")[2].isdecimal()
    assert line == {
        "level": "WARNING",
        "logger": "shop.orders",
        "message": "3 left",
        "execution_id": "e-1",
        "service": "Orders",
        "action": "Place order",
        "tenant_id": "t-1",
        "flow_state_id": "s-1",
        "attempt": 2,
        "order": 5,
        "role": "worker",
    }


def test_text_is_time_level_logger_message_and_what_it_is_about(role):
    written = role("text")
    with bound_contextvars(**context_of("e-1", ABOUT)):
        logging.getLogger("shop").info("Hello\nthere")
    assert written()[24:] == (
        " INFO    shop: Hello  execution_id=e-1 service=Orders "
        'action="Place order" tenant_id=t-1 flow_state_id=s-1\n\tthere\n'
    )


def test_auto_is_text_on_a_terminal_and_json_elsewhere(role, monkeypatch):
    written = role("auto")
    ROOT.info("x")
    assert parsed(written())
    monkeypatch.setattr(Stream, "isatty", lambda _: True)
    written = role("auto")
    ROOT.info("x")
    assert " INFO    root: x\n" in written()


@pytest.mark.parametrize("forged", FORGERIES)
def test_nothing_that_is_logged_passes_for_another_line(role, forged):
    def log():
        with bound_contextvars(**context_of(forged, ABOUT)):
            logging.getLogger(forged).info(forged, extra={"key": forged, "level": forged})
            try:
                raise ValueError(forged)
            except ValueError:
                logging.getLogger("y").exception("broke")

    written = role("json")
    log()
    lines = parsed(written())
    assert [each["level"] for each in lines] == ["INFO", "ERROR"]
    assert lines[0]["message"] == lines[0]["logger"] == printable(forged)
    assert written().isprintable() or "\n" in written()
    assert not set(written()) & set("\x1b\x00\x7f\r\x0b\x85\u2028\u202e")
    written = role("text")
    log()
    starts = [line for line in written().splitlines() if not line.startswith("\t")]
    assert [line[24:33] for line in starts] == [" INFO    ", " ERROR   "]
    assert not set(written()) & set("\x1b\x00\x7f\r\x0b\x85\u2028\u202e")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secrets_are_masked_wherever_they_are(role, log_format):
    written = role(log_format, "DEBUG")
    with hiding([SECRET]), bound_contextvars(tenant_id=SECRET):
        log = logging.getLogger(SECRET)
        log.info("it is %s", SECRET, extra={"pin": SECRET, "all": {"pins": [SECRET], SECRET: 1}})
        log.info("as Python writes it %r", {"pin": SECRET})
        log.info("as JSON %s %s", json.dumps([SECRET]), json.dumps([SECRET], ensure_ascii=False))
        log.info(
            "an object %s", SimpleNamespace(pin=SECRET), extra={"o": SimpleNamespace(p=SECRET)}
        )
        log.info("wrong %d", SECRET)
        structlog.get_logger(SECRET).info("structlog", pin=SECRET)
        try:
            raise ValueError(SECRET)
        except ValueError:
            log.exception("broke", stack_info=True)
    ROOT.info("a secret by type", extra={"pin": Secret("canary")})
    text = written()
    assert text.count(MASK) > 10
    assert "canary" not in text


@pytest.mark.parametrize("log_format", ["text", "json"])
@given(
    secret=st.one_of(
        st.from_regex(r"[0-9]{1,6}", fullmatch=True),
        st.text(
            st.characters(exclude_categories=["C"], exclude_characters=MASK), min_size=1, max_size=6
        ),
        st.sampled_from(
            ["INFO", "id", "at", "root", "Z", "T", ":", '"', "{", "pin", "1", "CRM", "level"]
        ),
    ).filter(str.strip)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_secrets_of_any_length_are_masked_in_values_only(role, log_format, secret):
    written = role(log_format)
    about = SimpleNamespace(service="CRM", action="pin", tenant_id="1", state_id="1-1")
    extra = {"pin": secret, "many": [{"level": secret}], "number": 1}
    if secret.isdecimal():
        extra["as_number"] = int(secret)
    with hiding([secret]), bound_contextvars(**context_of("1", about), attempt=1):
        logging.getLogger("x").info("PIN: %s and %r", secret, [secret], extra=extra)
        try:
            raise ValueError(secret)
        except ValueError:
            logging.getLogger("x").exception("broke")
    text = written()
    word = re.compile(rf"(?<![^\W_]){re.escape(printable(secret))}(?![^\W_])")
    if log_format == "text":
        starts = [line for line in text.splitlines() if not line.startswith("\t")]
        assert [line[24:33] for line in starts] == [" INFO    ", " ERROR   "]
        assert MASK in starts[0]
        return
    first, second = parsed(text)
    assert (first["level"], second["level"]) == ("INFO", "ERROR")
    for line in (first, second):
        datetime.fromisoformat(line["timestamp"])
        assert (line["service"], line["action"]) == ("CRM", "pin")
        assert (line["execution_id"], line["attempt"]) == ("1", 1)
        assert line["role"] == "worker"
    assert first["pin"] == MASK
    values = [first["message"], second["message"], second["exception"], *first["many"][0].values()]
    assert not [value for value in values if word.search(value)]
    assert str(first.get("as_number", MASK)) in (MASK, secret.lstrip("0") or "0")
    if str(int(secret) if secret.isdecimal() else "") == secret:
        assert first["as_number"] == MASK


def test_what_is_logged_wrongly_is_told_where_it_is(role):
    written = role("json")
    logging.getLogger("x").info("%d", "no number")
    (line,) = parsed(written())
    assert line["level"] == "ERROR"
    assert line["message"].endswith("cannot be written: TypeError")
    assert __file__ in line["message"]


def test_what_json_has_no_words_for_is_text(role):
    written = role("json")
    loop = []
    loop.append(loop)
    extra = {"inf": float("inf"), "big": 2**70, "set": {1}, "none": None, "loop": loop, "b": True}
    ROOT.warning("x", extra=extra)
    (line,) = parsed(written())
    assert line["inf"] == "inf"
    assert line["big"] == str(2**70)
    assert (line["set"], line["none"], line["b"]) == ([1], None, True)


def test_nobody_changes_what_we_say(role):
    written = role("json")
    mine = {"execution_id": "forged", "role": "forged", "level": "forged", "timestamp": "forged"}
    with bound_contextvars(**context_of("e-1", ABOUT), logger="forged"):
        logging.getLogger("x").info("hello", extra=mine)
        structlog.get_logger("x").info("hello", **mine)
    assert "forged" not in written()


def test_a_service_may_log_with_structlog(role):
    written = role("json")
    structlog.get_logger("shop").info("sold %d", 2, order=5)
    structlog.get_logger("shop").debug("not shown")
    try:
        raise ValueError("why")
    except ValueError:
        structlog.get_logger("shop").exception("broke")
    sold, broke = parsed(written())
    assert (sold["message"], sold["order"], sold["logger"]) == ("sold 2", 5, "shop")
    assert broke["exception"].endswith("ValueError: why")


def test_warnings_are_lines_as_well(role):
    written = role("json")
    logging.getLogger("py.warnings").warning("x.py:1: DeprecationWarning: old")
    assert parsed(written())[0]["logger"] == "py.warnings"


# --- collecting


def test_what_people_want_is_collected_whatever_the_level(role):
    written = role("json", "ERROR")
    taken = []
    names = ["shop", "atom.process.Orders.Place", "atom.printed", "atom.execution.runner"]
    others = ["celery.worker", "kombu", "urllib3.connectionpool", "atom.store.x", "atom.broker"]
    with collecting(taken.append):
        for name in [*names, *others]:
            logging.getLogger(name).info("x")
            logging.getLogger(name).debug("less")
    logging.getLogger("shop").info("afterwards")
    assert [each.name for each in taken] == names
    assert written() == ""


def test_each_context_collects_its_own(role):
    role("json")
    both = threading.Barrier(2)
    taken = {"a": [], "b": []}

    def run(name):
        with collecting(taken[name].append), bound_contextvars(execution_id=name):
            both.wait(10)
            for _ in range(20):
                logging.getLogger("shop").info(name)
            # A thread of the process's own has no context: nothing of it is collected.
            stray = threading.Thread(target=logging.getLogger("shop").info, args=("stray",))
            stray.start()
            stray.join()

    threads = [threading.Thread(target=run, args=(name,)) for name in taken]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {name: {each.msg for each in records} for name, records in taken.items()} == {
        "a": {"a"},
        "b": {"b"},
    }


def test_who_collects_badly_does_not_fail_who_logs(role, capsys):
    role("json")

    def broken(record):
        raise RuntimeError("broken")

    with collecting(broken):
        logging.getLogger("shop").info("x")


def test_what_is_bound_for_a_request_ends_with_its_response(role):
    written = role("json")

    class Body(list):
        def close(self):
            ROOT.info("closing")

    def app(environ, start_response):
        ROOT.info("begins")
        bind_contextvars(**context_of(environ["id"], ABOUT))
        return Body([b"x"])

    call = own_log_context(app)
    for name in ("one", "two"):
        ClosingIterator(call({"id": name}, None)).close()
        ROOT.info("after")
    said = [(line["message"], line.get("execution_id")) for line in parsed(written())]
    assert said == [
        *(("begins", None), ("closing", "one"), ("after", None)),
        *(("begins", None), ("closing", "two"), ("after", None)),
    ]
