"""What the flow's answer to a callback means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.flow.callback import (
    BUSY_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    RETRY_SECONDS,
    UNKNOWN_TRIES,
    Tried,
    Verdict,
    answer_kind,
    decide,
    headers,
    invoke_type,
)

DEADLINE = 86_400.0
PASSING = [None, 408, 409, 425, 429, 500, 502, 503, 504, 599]


def decided(status, answer="", reply_headers=None, *, failures=0, busy=0, age=1.0, may_go=True):
    return decide(
        Tried(status, answer, reply_headers or {}, may_go),
        failures=failures,
        busy=busy,
        age_seconds=age,
        deadline_seconds=DEADLINE,
        now=NOW,
    )


def assert_about(decision, seconds):
    assert decision.verdict is Verdict.RETRY
    assert 0.8 * seconds <= decision.due_in_seconds <= 1.2 * seconds


# --- reading the answer


@pytest.mark.parametrize(
    "body",
    [
        *(b'"SUCCESS"', b"SUCCESS", b'"success"', b' "Success"\n', b"success\r\n", b'" SUCCESS "'),
        b'\xef\xbb\xbf"SUCCESS"',
    ],
)
def test_an_answer_is_read_quoted_or_bare_in_any_case(body):
    assert invoke_type(body) == "SUCCESS"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", ""),
        (b"{}", "a JSON document"),
        (b"[1,2]", "a JSON document"),
        (b"7", "a JSON document"),
        (b'{"token": "cut off by the cap', "a JSON document"),
        (b'{"kind": "api", "message": "No such state."}', "message: No such state."),
        (b'{"message": "SUCCESS"}', "message: SUCCESS"),
        (b'{"message": {"invokeType": "SUCCESS"}}', "a JSON document"),
        (b"<html>\r\n\r\n  <h1>Bad gateway\x1b[31m", "<html> <h1>Bad gateway [31m"),
        (b"\xff\xfeS\x00", "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}S"),
        (b"<html>" + b"x" * 10_000, "<html>" + "x" * 94),
    ],
)
def test_anything_else_is_shown_in_one_short_line(body, shown):
    assert invoke_type(body) == shown


@pytest.mark.parametrize(
    "body",
    [
        b"echo: Se+cret/token and Key=Value&Other",
        b'{"message": "unknown token: se+CRET/token"}',
        b'"Se+cret/token"',
        b"x" * 95 + b"Se+cret/token",
    ],
)
def test_an_answer_that_echoes_a_secret_is_masked(body):
    shown = invoke_type(body, ("Se+cret/token", "Key=Value&Other", "")).lower()
    assert "se+c" not in shown
    assert "value" not in shown


# --- the table of answers


@pytest.mark.parametrize("answer", ["SUCCESS", "TOKEN_COMPLETED", "WAIT"])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_taken(status, answer):
    decision = decided(status, answer, failures=3, busy=2, age=10 * DEADLINE)
    assert decision.verdict is Verdict.DELIVERED
    assert not decision.blames_host


def test_busy_comes_again_soon_and_is_no_failure():
    for busy, seconds in enumerate([*BUSY_SECONDS, BUSY_SECONDS[-1], BUSY_SECONDS[-1]]):
        decision = decided(200, "BUSY", failures=4, busy=busy)
        assert_about(decision, seconds)
        assert (decision.failures, decision.busy) == (4, busy + 1)
        assert not decision.blames_host


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422, 451])
def test_refused_for_good_is_parked(status):
    for answer in ("SUCCESS", "BUSY", ""):
        decision = decided(status, answer, {"Retry-After": "1"})
        assert (decision.verdict, decision.failures) == (Verdict.PARKED, 1)
        assert not decision.blames_host


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_parked(status):
    assert decided(status, "SUCCESS").verdict is Verdict.PARKED


def test_not_allowed_is_parked():
    assert decided(200, "NOT_ALLOWED").verdict is Verdict.PARKED


def test_what_may_not_go_is_parked_and_blames_nobody():
    decision = decided(None, "the host name leads to 10.0.0.1", may_go=False)
    assert (decision.verdict, decision.failures) == (Verdict.PARKED, 1)
    assert not decision.blames_host


@pytest.mark.parametrize("status", PASSING)
def test_what_passes_is_tried_again_ever_more_rarely(status):
    for failures, seconds in enumerate([*RETRY_SECONDS, RETRY_SECONDS[-1], RETRY_SECONDS[-1]]):
        decision = decided(status, "SUCCESS", failures=failures, busy=3)
        assert_about(decision, seconds)
        assert (decision.failures, decision.busy) == (failures + 1, 0)
        assert decision.blames_host is (status in (None, 502, 503, 504))


@pytest.mark.parametrize("answer", ["", "HELLO", "<html>", "FORWARD", "SUCCESSFUL", "BUSY?"])
def test_an_unknown_answer_is_tried_a_few_times_and_parked(answer):
    for failures in range(UNKNOWN_TRIES - 1):
        decision = decided(200, answer, failures=failures)
        assert_about(decision, RETRY_SECONDS[failures])
        assert not decision.blames_host
    for failures in (UNKNOWN_TRIES - 1, UNKNOWN_TRIES, 99):
        assert decided(200, answer, failures=failures).verdict is Verdict.PARKED


def test_the_schedule_is_the_documented_one():
    assert RETRY_SECONDS == (1, 2, 5, 15, 60, 300, 900, 3600)
    assert BUSY_SECONDS == (1, 2, 4, 8, 15, 30)


# --- until when


@pytest.mark.parametrize(("status", "answer"), [(500, ""), (None, ""), (200, "BUSY"), (200, "?")])
def test_no_try_begins_after_the_deadline(status, answer):
    assert decided(status, answer, age=DEADLINE - 2).verdict is Verdict.RETRY
    # Jitter alone decides between these two.
    for age in (DEADLINE - 0.7, DEADLINE, DEADLINE + 1, 10 * DEADLINE):
        decision = decided(status, answer, age=age)
        assert (decision.verdict, decision.due_in_seconds) == (Verdict.PARKED, 0)


@pytest.mark.parametrize("reply", [(None, ""), (503, ""), (200, "BUSY")])
def test_a_callback_nobody_takes_is_tried_until_the_deadline_and_no_longer(reply):
    age, failures, busy, tries = 0.0, 0, 0, 0
    while True:
        tries += 1
        assert age <= DEADLINE
        decision = decided(*reply, failures=failures, busy=busy, age=age)
        failures, busy = decision.failures, decision.busy
        if decision.verdict is Verdict.PARKED:
            break
        age += decision.due_in_seconds
    assert age > DEADLINE - 1.2 * RETRY_SECONDS[-1]
    assert tries > 24


# --- Retry-After


def http_date(moment):
    return format_datetime(moment, usegmt=True)


NOW = datetime.now(UTC).replace(microsecond=0)
# A flow whose clock is a year late.
THEIR_NOW = NOW - timedelta(days=365)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 8.4),
        ({"retry-after": " 7 "}, 7, 8.4),
        ({"Retry-After": "0"}, 0.8, 1.2),
        ({"Retry-After": "3599"}, 3599, 3600),
        ({"Retry-After": "999999999999"}, 3600, 3600),
        ({"Retry-After": "soon"}, 0.8, 1.2),
        ({"Retry-After": "-5"}, 0.8, 1.2),
        ({"Retry-After": "1.5"}, 0.8, 1.2),
        ({"Retry-After": "٣"}, 0.8, 1.2),
        ({"Retry-After": http_date(NOW + timedelta(hours=9))}, 3600, 3600),
        ({"Retry-After": http_date(NOW - timedelta(hours=9))}, 0.8, 1.2),
        ({"Retry-After": http_date(THEIR_NOW + timedelta(seconds=100))}, 0.8, 1.2),
        (
            {
                "Retry-After": http_date(THEIR_NOW + timedelta(seconds=100)),
                "Date": http_date(THEIR_NOW),
            },
            *(100, 120),
        ),
        (
            {"retry-after": "Sun Nov  6 08:50:37 1994", "date": "Sunday, 06-Nov-94 08:49:37 GMT"},
            *(60, 72),
        ),
        ({"Retry-After": http_date(NOW + timedelta(hours=9)), "Date": "yesterday"}, 3600, 3600),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_within_reason(status, header, least, most):
    assert least <= decided(status, "", header).due_in_seconds <= most


def test_retry_after_never_hurries_the_schedule():
    for failures, seconds in enumerate(RETRY_SECONDS):
        assert_about(decided(503, "", {"Retry-After": "1"}, failures=failures), max(seconds, 1.2))


def test_retry_after_past_the_deadline_parks():
    assert decided(503, "", {"Retry-After": "60"}, age=DEADLINE - 30).verdict is Verdict.PARKED


def test_who_was_told_the_same_does_not_come_back_together():
    for header in ({}, {"Retry-After": "60"}):
        assert len({decided(503, "", header).due_in_seconds for _ in range(50)}) > 40


@given(
    status=st.none() | st.integers(200, 599),
    body=st.binary(max_size=300) | st.sampled_from([b'"BUSY"', b"SUCCESS", b"NOT_ALLOWED"]),
    header=st.dictionaries(st.sampled_from(["Retry-After", "Date", "DATE"]), st.text(max_size=40)),
    failures=st.integers(0, 100),
    busy=st.integers(0, 10_000),
    age=st.floats(0, 10 * DEADLINE),
)
def test_whatever_comes_there_is_a_decision(status, body, header, failures, busy, age):
    decision = decided(status, invoke_type(body), header, failures=failures, busy=busy, age=age)
    if decision.verdict is Verdict.RETRY:
        assert 0 < decision.due_in_seconds <= 1.2 * LONGEST_RETRY_AFTER_SECONDS
        assert age + decision.due_in_seconds <= DEADLINE
        assert decision.failures + decision.busy > 0
    else:
        assert decision.due_in_seconds == 0


def test_the_running_user_goes_back_only_where_there_was_one():
    assert headers("t", None) == {"ManyWhoTenant": "t"}
    assert headers("t", "ManyWho…") == {"ManyWhoTenant": "t", "Authorization": "ManyWho…"}


@pytest.mark.parametrize(
    ("tried", "kind"),
    [
        (Tried(200, "SUCCESS"), "success"),
        (Tried(200, "TOKEN_COMPLETED"), "token_completed"),
        (Tried(202, "BUSY"), "busy"),
        (Tried(200, "whatever the platform says"), "unknown"),
        (Tried(404, "SUCCESS"), "http_4xx"),
        (Tried(503, ""), "http_5xx"),
        (Tried(None, "nobody listens"), "none"),
        (Tried(None, "not allowed", may_go=False), "refused"),
    ],
)
def test_an_answer_is_counted_as_one_of_a_few_words(tried, kind):
    assert answer_kind(tried) == kind
