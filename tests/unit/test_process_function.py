"""Functions that cannot be processes: refused at declaration, or when their result shows it."""

import asyncio
import functools

import pytest

from atom import FlowService, Profile, fields, testing
from atom.errors import DeclarationError, InvalidResult


class Row(Profile):
    id = fields.String(data_key="ID")
    name = fields.String(data_key="Name")


async def asynchronous(value, execution): ...


async def asynchronous_generator(value, execution):
    yield {}


def generator(value, execution):
    yield {}


class AsynchronousObject:
    async def __call__(self, value, execution): ...


def with_option(value, execution, option): ...


DECLARATIONS = {
    "message action": lambda service: service.message_action("A"),
    "get": lambda service: service.data_action("Row", profile=Row, key="id").get,
    "query": lambda service: service.data_action("Row", profile=Row, key="id").query,
    "save": lambda service: service.data_action("Row", profile=Row, key="id").save,
    "save_all": lambda service: service.data_action("Row", profile=Row, key="id").save_all,
    "delete": lambda service: service.data_action("Row", profile=Row, key="id").delete,
    "list": lambda service: service.file_resource("/files").list,
    "upload": lambda service: service.file_resource("/files").upload,
}


@pytest.mark.parametrize("kind", DECLARATIONS)
@pytest.mark.parametrize(
    "function",
    [
        asynchronous,
        asynchronous_generator,
        AsynchronousObject(),
        functools.partial(asynchronous),
        AsynchronousObject().__call__,
    ],
)
def test_async_function_is_refused_at_declaration(kind, function):
    declare = DECLARATIONS[kind](FlowService("S"))
    with pytest.raises(
        DeclarationError, match=r"Service “S”, action “.+”: async functions are not"
    ):
        declare(function)


@pytest.mark.parametrize("kind", [kind for kind in DECLARATIONS if kind not in ("query", "list")])
def test_generator_is_refused_at_declaration(kind):
    declare = DECLARATIONS[kind](FlowService("S"))
    with pytest.raises(DeclarationError, match="a generator is not supported"):
        declare(generator)


@pytest.mark.parametrize("kind", ["query", "list"])
def test_generator_may_yield_the_rows_of_a_query(kind):
    assert DECLARATIONS[kind](FlowService("S"))(generator) is generator


@pytest.mark.parametrize("kind", DECLARATIONS)
@pytest.mark.parametrize(
    "function",
    [
        lambda: None,
        lambda value: None,
        with_option,
        lambda value, *, execution: None,
        lambda value, execution, *, option: None,
    ],
)
def test_function_of_another_arity_is_refused_at_declaration(kind, function):
    declare = DECLARATIONS[kind](FlowService("S"))
    with pytest.raises(DeclarationError, match=r"a process is called as f\(\w+, execution\)"):
        declare(function)


@pytest.mark.parametrize("thing", [None, "f", 1, Row(), {}])
def test_object_that_is_not_callable_is_refused(thing):
    with pytest.raises(DeclarationError, match="a process is a function"):
        FlowService("S").message_action("A")(thing)


@pytest.mark.parametrize(
    "function",
    [
        lambda value, execution: None,
        lambda value, execution, option=1: None,
        lambda *arguments: None,
        lambda value, execution, **options: None,
        functools.partial(with_option, option=1),
        functools.wraps(asynchronous)(lambda value, execution: asyncio.run(asynchronous(value, 0))),
    ],
)
def test_function_that_takes_two_arguments_is_accepted(function):
    assert FlowService("S").message_action("A")(function) is function


def test_refused_function_leaves_no_action_behind():
    service = FlowService("S")
    with pytest.raises(DeclarationError):
        service.message_action("A")(asynchronous)
    service.message_action("A")(lambda request, execution: None)
    assert set(service.processes) == {"A"}


class Awaitable:
    def __await__(self):
        yield


@pytest.mark.parametrize("kind", ["message action", "delete", "save", "get"])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: asynchronous(1, 2), "coroutine"),
        (lambda: asynchronous_generator(1, 2), "async_generator"),
        (lambda: generator(1, 2), "generator"),
        (Awaitable, "Awaitable"),
    ],
)
def test_result_that_has_not_run_is_refused(kind, make, name):
    service = FlowService("S")
    DECLARATIONS[kind](service)(lambda value, execution: make())
    (process,) = service.processes.values()
    with pytest.raises(InvalidResult, match=f"a {name}, whose body has not run"):
        process.run({}, testing.execution(testing.MemoryJournal()))


def cleanup(request, execution, ending): ...


async def asynchronous_cleanup(request, execution, ending): ...


def generated_cleanup(request, execution, ending):
    yield


class Cleanups:
    def __call__(self, request, execution, ending): ...


@pytest.mark.parametrize(
    "on_end",
    [cleanup, Cleanups(), lambda *arguments: None, functools.partial(cleanup)],
)
def test_cleanup_is_any_callable_with_three_positional_parameters(on_end):
    service = FlowService("S")
    service.message_action("A", on_end=on_end)(cleanup_free)
    assert service.processes["A"].on_end is on_end
    assert len(service.version) == 8


def cleanup_free(request, execution): ...


@pytest.mark.parametrize(
    ("on_end", "problem"),
    [
        (
            cleanup_free,
            r"on_end is called as f\(request, execution, ending\), which its parameters",
        ),
        (lambda request, execution, *, ending: None, "on_end is called as .*which its parameters"),
        (
            lambda request, execution, ending, more: None,
            "on_end is called as .*which its parameters",
        ),
        (asynchronous_cleanup, "async functions are not supported"),
        (generated_cleanup, "a generator is not supported"),
        ("cleanup", r"on_end is a function f\(request, execution, ending\), not str"),
        (False, "on_end is a function"),
        ([cleanup, cleanup], "an action has one on_end, not a list"),
        ((), "an action has one on_end, not a tuple"),
    ],
)
def test_cleanup_that_could_not_run_is_refused_at_declaration(on_end, problem):
    service = FlowService("S")
    with pytest.raises(DeclarationError, match=f"Action “A” of service “S”: {problem}"):
        service.message_action("A", on_end=on_end)(cleanup_free)
    assert service.processes == {}


def test_only_message_actions_take_a_cleanup():
    service = FlowService("S")
    with pytest.raises(TypeError, match="on_end"):
        service.data_action("Row", profile=Row, key="id", on_end=cleanup)
    with pytest.raises(TypeError, match="on_end"):
        service.file_resource("/files", on_end=cleanup)
