"""Which failures are tried again, how often, and after how long."""

import math
from asyncio import CancelledError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import Fault, FlowService, Profile, Retry, fields
from atom.errors import (
    DeclarationError,
    Faults,
    FlowRefused,
    FlowUnreachable,
    JournalMismatch,
    StepFailed,
    UnknownOutcome,
)
from atom.text import full_name

JITTER = 0.2


def step_failed(error):
    """What a process sees of a step that raised this."""
    return StepFailed("s", tuple(full_name(each) for each in type(error).__mro__), str(error))


class OwnError(ConnectionError):
    pass


# --- how often


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_it_is_tried_so_often_in_all(attempts):
    retry = Retry(attempts=attempts)
    tried = 1
    while retry.next_wait(tried - 1, ValueError()) is not None:
        tried += 1
    assert tried == attempts


# --- when


def test_waits_grow_up_to_the_longest():
    retry = Retry(attempts=100, wait_seconds=2, factor=3, longest_wait_seconds=50)
    for failed, wait in enumerate((2, 6, 18, 50, 50, 50)):
        waits = [retry.next_wait(failed, ValueError()) for _ in range(200)]
        assert wait * (1 - JITTER) <= min(waits) <= max(waits) <= wait * (1 + JITTER)


def test_waits_are_spread_so_that_many_do_not_come_back_together():
    retry = Retry(wait_seconds=10)
    waits = {retry.next_wait(0, ValueError()) for _ in range(200)}
    assert len(waits) > 100
    assert max(waits) - min(waits) > 1


def test_it_may_be_tried_again_at_once():
    assert Retry(wait_seconds=0).next_wait(0, ValueError()) == 0


@given(
    failed=st.integers(0, 10**6),
    factor=st.floats(1, 1e6),
    wait=st.floats(0, 1e6),
    longest=st.floats(0, 1e9),
)
def test_a_wait_is_never_beyond_reason(failed, factor, wait, longest):
    retry = Retry(attempts=10**9, wait_seconds=wait, factor=factor, longest_wait_seconds=longest)
    found = retry.next_wait(failed, ValueError())
    assert 0 <= found <= longest * (1 + JITTER)


# --- which


@pytest.mark.parametrize(
    ("on", "error", "is_tried_again"),
    [
        ((Exception,), ValueError(), True),
        ((OSError,), ValueError(), False),
        ((OSError,), ConnectionResetError(), True),
        ((KeyError, OSError), TimeoutError(), True),
        ((ConnectionResetError,), ConnectionError(), False),
        ((), ValueError(), False),
    ],
)
def test_what_an_exception_counts_as(on, error, is_tried_again):
    assert (Retry(on=on).next_wait(0, error) is not None) == is_tried_again


@pytest.mark.parametrize("error", [Fault("No."), Faults(Fault("No."), Fault("Neither."))])
@pytest.mark.parametrize(
    ("on", "is_tried_again"),
    [
        ((Exception,), False),
        ((OSError,), False),
        ((Fault, Faults), True),
        ((Exception, Fault), None),
    ],
)
def test_a_no_is_no_failure_unless_it_is_named(error, on, is_tried_again):
    if is_tried_again is None:
        is_tried_again = isinstance(error, Fault)
    assert (Retry(on=on).next_wait(0, error) is not None) == is_tried_again


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (FlowUnreachable("http://127.0.0.1:1", "refused"), True),
        (FlowRefused(503, "busy"), True),
        (JournalMismatch("another step"), False),
        (UnknownOutcome("x", ()), False),
    ],
)
def test_what_cannot_do_better_at_another_time_is_not_tried_again(error, is_tried_again):
    assert (Retry().next_wait(0, error) is not None) == is_tried_again


@pytest.mark.parametrize(
    ("on", "raised", "is_tried_again"),
    [
        ((Exception,), ValueError(), True),
        ((ValueError,), ValueError(), True),
        ((ValueError,), KeyError(), False),
        ((ConnectionError,), OwnError(), True),
        ((OwnError,), ConnectionError(), False),
        ((OwnError,), OwnError(), True),
        ((OSError,), OwnError(), True),
        ((TimeoutError,), OwnError(), False),
    ],
)
def test_a_step_that_failed_counts_by_what_it_raised(on, raised, is_tried_again):
    """Also in a later attempt, where nothing but the names of the classes is left."""
    assert (Retry(on=on).next_wait(0, step_failed(raised)) is not None) == is_tried_again


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, CancelledError, GeneratorExit])
def test_retry_covers_exits_unless_other_exceptions_are_named(error):
    for raised in (error(1), step_failed(error(1))):
        assert Retry().next_wait(0, raised) is not None
        assert Retry(on=(error,)).next_wait(0, raised) is not None
        assert Retry(on=(Exception,)).next_wait(0, raised) is None


# --- what nobody can have meant


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("attempts", value) for value in (0, -1, 1.5, True, "3", None)),
        *(("wait_seconds", value) for value in (-1, math.inf, math.nan, "1", True)),
        *(("factor", value) for value in (0.9, 0, math.nan, None)),
        *(("longest_wait_seconds", value) for value in (-0.1, math.inf, "1")),
        *(("on", value) for value in (ValueError, [ValueError], (ValueError(),), (int,))),
    ],
)
def test_a_wrong_option_is_named(option, value):
    with pytest.raises(DeclarationError, match=rf"^CRM\.Call: retry: {option} must be "):
        Retry(**{option: value}).check("CRM.Call")


@pytest.mark.parametrize(
    "retry",
    [
        Retry(),
        Retry(attempts=1),
        Retry(wait_seconds=0, factor=1, on=()),
        Retry(on=(SystemExit, ConnectionError)),
    ],
)
def test_what_may_be_meant_is_taken(retry):
    retry.check("here")


class Nothing(Profile):
    text = fields.String(data_key="Text")


@pytest.mark.parametrize("retry", [Retry(attempts=0), 3, "3", Retry])
def test_a_process_with_a_wrong_policy_is_refused_when_it_is_declared(retry):
    service = FlowService("Refused")
    with pytest.raises(DeclarationError, match=r"Call.*retry"):

        @service.message_action("Call", response=Nothing, retry=retry)
        def call(request, execution):
            return {}
