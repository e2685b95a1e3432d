"""Arguments of steps, maps, calls and signals: what is for the function reaches it."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import Retry, testing
from atom.errors import DeclarationError

OURS = ["self", "name", "function", "process", "document", "items", "timeout", "concurrency"]
names = st.sampled_from([*OURS, "args", "kwargs", "x"])


def arguments_of(*args, **kwargs):
    return [list(args), kwargs]


@given(st.lists(st.text("ab"), max_size=3), st.dictionaries(names, st.booleans()))
def test_step_passes_every_argument_to_the_function(args, kwargs):
    journal = testing.MemoryJournal()
    for _ in range(2):  # the second execution replays
        execution = testing.execution(journal)
        assert execution.step("x", arguments_of, *args, **kwargs) == [args, kwargs]


def test_step_keeps_its_own_policy_from_the_function():
    execution = testing.execution()
    assert execution.step("x", arguments_of, 1, name="Ada", retry=Retry()) == [[1], {"name": "Ada"}]


def send(address, retry="never"):
    return [address, retry]


@pytest.mark.parametrize("value", [3, "often", {}, Retry, False])
def test_step_refuses_a_policy_that_was_meant_for_the_function(value):
    journal = testing.MemoryJournal()
    with pytest.raises(
        DeclarationError, match=r"“mail”: retry must be a Retry.*functools\.partial"
    ):
        testing.execution(journal).step("mail", send, "ada", retry=value)
    assert journal.steps == []


def test_step_with_partial_passes_a_parameter_named_retry():
    step = testing.execution().step
    assert step("mail", partial(send, retry="often"), "ada", retry=Retry()) == ["ada", "often"]


@pytest.mark.parametrize("value", [3, {}, False])
def test_step_refuses_a_former_name_that_was_meant_for_the_function(value):
    journal = testing.MemoryJournal()
    with pytest.raises(DeclarationError, match=r"“mail”: formerly must be the earlier name"):
        testing.execution(journal).step("mail", send, "ada", formerly=value)
    assert journal.steps == []


def item_function(item, execution):
    return item


def called_process(request, execution):
    return request


@pytest.mark.parametrize(
    ("method", "args", "named"),
    [
        ("map", ("x", item_function), {"items": [1]}),
        ("map", (item_function, [1]), {"name": "x"}),
        ("call", (called_process,), {"document": {}}),
        ("call", (), {"process": called_process}),
        ("signal", (), {"name": "x"}),
    ],
)
def test_own_parameters_are_positional_only(method, args, named):
    execution = testing.execution()
    with pytest.raises(TypeError, match="positional"):
        getattr(execution, method)(*args, **named)
