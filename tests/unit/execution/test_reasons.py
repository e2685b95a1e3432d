"""Classes and messages of exceptions, as the history shows them."""

import pytest

from atom.errors import InvalidRequest, StepFailed
from atom.execution.failures import LONGEST_REASON, described
from atom.redaction import MASK, hiding


@pytest.mark.parametrize(
    ("error", "description"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (KeyError(), "KeyError"),
        (ValueError("two\nlines"), "ValueError: two lines"),
        (StepFailed("ship", ("shop.Away",), "no answer"), "Step “ship” failed: Away: no answer"),
        (StepFailed("ship", ("shop.Away",), ""), "Step “ship” failed: Away"),
        (InvalidRequest("Name it."), "Name it."),
    ],
)
def test_described_has_class_and_message(error, description):
    assert described(error) == description


@pytest.mark.parametrize(
    "make", [ValueError, InvalidRequest, lambda text: StepFailed("ship", ("shop.Away",), text)]
)
@pytest.mark.parametrize("secret", ["canary-pin", "7q"])
def test_described_is_masked_and_bounded(make, secret):
    with hiding([secret]):
        assert described(make(f"with {secret}")).endswith(f"with {MASK}")
        long = described(make(f"{secret} " * 1_000))
    assert secret not in long
    assert len(long) <= LONGEST_REASON + len("ValueError: ")
