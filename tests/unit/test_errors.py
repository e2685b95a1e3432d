"""The whole exception tree: every error survives a process boundary and says something."""

import copy
import inspect
import pickle

import pytest

from atom import errors
from atom.errors import AtomError, ClaimLost, Fault, InvalidResult, RequestRefused, Unavailable

TREE = [
    each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, AtomError)
]
TEXT = "what – “quoted” – went wrong {not} %s a format"
VALUES = {
    int: 3,
    bool: True,
    str: TEXT,
    str | None: "Customer.Name",
    tuple[tuple[str, str], ...]: (("Closed", TEXT),),
    tuple[str, ...]: ("Approved", "Rejected"),
    Fault: Fault(TEXT),
}


def instance(error):
    """One of them, with an argument of its type for each of its fields."""
    if error.__init__ is Exception.__init__:
        return error(VALUES[str])
    positional, named = [], {}
    for name, parameter in inspect.signature(error).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = VALUES[parameter.annotation]
        else:
            positional.append(VALUES[parameter.annotation])
    return error(*positional, **named)


def each_of(kind):
    found = [error for error in TREE if issubclass(error, kind)]
    return pytest.mark.parametrize("error", found, ids=lambda error: error.__name__)


def test_the_tree_is_where_it_is_looked_for():
    assert {AtomError, RequestRefused, Fault, ClaimLost} < set(TREE)


@each_of(AtomError)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(error, protocol):
    before = instance(error)
    after = pickle.loads(pickle.dumps(before, protocol))
    assert type(after) is error
    assert str(after) == str(before)
    assert repr(after.args) == repr(before.args)
    assert repr(vars(after)) == repr(vars(before))


@each_of(AtomError)
def test_an_error_survives_copying(error):
    before = instance(error)
    assert str(copy.copy(before)) == str(copy.deepcopy(before)) == str(before)


@each_of(AtomError)
def test_an_error_says_what_it_was_told(error):
    told = instance(error)
    said = str(told)
    assert (TEXT if TEXT in told.args else str(told.args[0])) in said or TEXT in said
    assert "<" not in said


@each_of(AtomError)
def test_an_error_stands_in_the_tree_at_the_top_and_says_what_it_is_for(error):
    assert error.__name__ in errors.__doc__
    assert error.__doc__


def test_the_drawn_tree_has_no_other_names():
    lines = [line.partition("── ")[2] for line in errors.__doc__.splitlines()]
    drawn = [line.split()[0] for line in lines if line]
    assert set(drawn) == {error.__name__ for error in TREE} - {"AtomError"}
    assert len(drawn) == len(set(drawn))


@each_of(RequestRefused)
def test_a_refused_request_has_a_status_and_it_is_the_drawn_one(error):
    assert 400 <= error.status <= 599
    if error is not RequestRefused:
        (drawn,) = (
            line for line in errors.__doc__.splitlines() if f"─ {error.__name__} " in f"{line} "
        )
        assert f" {error.status}" in drawn


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.MalformedRequest, 400),
        (errors.InvalidRequest, 400),
        (errors.NotFound, 404),
        (errors.MethodNotAllowed, 405),
        (errors.RequestTooLarge, 413),
        (errors.UnsupportedMedia, 415),
        (errors.Unavailable, 503),
    ],
)
def test_each_refusal_has_the_status_of_the_protocol(error, status):
    assert error.status == status


def test_who_should_try_again_is_told_when():
    assert Unavailable.retry_after_seconds > 0


def test_a_fault_is_its_message_and_has_a_name():
    assert str(Fault("We are closed.")) == "We are closed."
    assert Fault("We are closed.").name == "Fault"
    after = pickle.loads(pickle.dumps(Fault("We are closed.", name="Closed")))
    assert (after.message, after.name) == ("We are closed.", "Closed")


def test_an_invalid_result_names_process_and_problems():
    said = str(InvalidResult("CRM.Retrieve", "Name: missing"))
    assert "CRM.Retrieve" in said
    assert "Name: missing" in said


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ((404,), ("404", "Fault", None)),
        ((None,), ("No reason was given.", "Fault", None)),
        ((b"no \xff way",), ("no \\xff way", "Fault", None)),
        ((ValueError("wrong"),), ("wrong", "Fault", None)),
        (
            ("caf\udce9.txt", "na\udcffme", "In\udcff"),
            ("caf\\udce9.txt", "na\\udcffme", "In\\udcff"),
        ),
        (("No.", None, 5), ("No.", "Fault", "5")),
        (("", ""), ("", "Fault", None)),
        ((errors.Fault("inner"), 7), ("inner", "7", None)),
    ],
)
def test_fault_turns_its_fields_into_text(fields, texts):
    fault = Fault(*fields)
    assert (fault.message, fault.name, fault.entry) == texts
    assert str(fault) == texts[0]
    assert str(errors.Faults(fault, fault)) == f"{texts[0]} {texts[0]}"
