"""What the flow's answer to a callback means."""

import pytest

from atom.flow.callback import (
    GIVE_UP_SECONDS,
    RETRY_SECONDS,
    UNKNOWN_TRIES,
    Verdict,
    decide,
    headers,
    invoke_type,
)


def decided(status, answer="", reply_headers=None, *, failures=0, busy=0, age=1.0):
    return decide(
        status, answer, reply_headers or {}, failures=failures, busy=busy, age_seconds=age
    )


@pytest.mark.parametrize(
    "body", [b'"SUCCESS"', b"SUCCESS", b'"success"', b' "Success"\n', b"success\r\n"]
)
def test_an_answer_is_read_quoted_or_bare_in_any_case(body):
    assert invoke_type(body) == "SUCCESS"


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>" + b"x" * 10_000, b"\xff\xfe", b"[1,2]"])
def test_anything_else_is_kept_short_and_harmless(body):
    assert len(invoke_type(body)) <= 100


@pytest.mark.parametrize("answer", ["SUCCESS", "TOKEN_COMPLETED", "WAIT"])
def test_taken(answer):
    assert decided(200, answer).verdict is Verdict.DELIVERED


def test_busy_comes_again_soon_and_is_no_failure():
    first, second, third = (decided(200, "BUSY", failures=4, busy=n) for n in range(3))
    for decision, seconds in ((first, 1), (second, 2), (third, 4)):
        assert decision.verdict is Verdict.RETRY
        assert decision.failures == 4
        assert 0.8 * seconds <= decision.due_in_seconds <= 1.2 * seconds
    assert third.busy == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_refused_for_good_is_parked(status):
    assert decided(status, "SUCCESS").verdict is Verdict.PARKED


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_parked(status):
    assert decided(status).verdict is Verdict.PARKED


def test_not_allowed_is_parked():
    assert decided(200, "NOT_ALLOWED").verdict is Verdict.PARKED


@pytest.mark.parametrize("status", [None, 408, 409, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again_ever_more_rarely(status):
    for failures, seconds in enumerate(RETRY_SECONDS):
        decision = decided(status, failures=failures)
        assert decision.verdict is Verdict.RETRY
        assert decision.failures == failures + 1
        assert 0.8 * seconds <= decision.due_in_seconds <= 1.2 * seconds
    assert decided(status, failures=99).due_in_seconds <= 1.2 * RETRY_SECONDS[-1]


def test_after_a_day_it_is_parked():
    assert decided(500, age=GIVE_UP_SECONDS + 1).verdict is Verdict.PARKED
    assert decided(200, "BUSY", age=GIVE_UP_SECONDS + 1).verdict is Verdict.PARKED


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"retry-after": "7"}, 7, 7),
        ({"Retry-After": "0"}, 1, 1),
        ({"Retry-After": "999999999999"}, 3600, 3600),
        ({"Retry-After": "soon"}, 0.8, 1.2),
        ({"Retry-After": "-5"}, 0.8, 1.2),
        ({"Retry-After": "٣"}, 0.8, 1.2),
    ],
)
def test_retry_after_is_honoured_within_reason(header, least, most):
    assert least <= decided(429, "", header).due_in_seconds <= most


def test_an_unknown_answer_is_tried_a_few_times_and_parked():
    for failures in range(UNKNOWN_TRIES - 1):
        assert decided(200, "HELLO", failures=failures).verdict is Verdict.RETRY
    assert decided(200, "HELLO", failures=UNKNOWN_TRIES - 1).verdict is Verdict.PARKED


def test_the_running_user_goes_back_only_where_there_was_one():
    assert headers("t", None) == {"ManyWhoTenant": "t"}
    assert headers("t", "ManyWho…") == {"ManyWhoTenant": "t", "Authorization": "ManyWho…"}
