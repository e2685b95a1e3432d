"""Checks of the function behind a process, at its declaration and on its result."""

import inspect
from collections.abc import Callable
from typing import Any

from atom.errors import DeclarationError


def check_function(
    function: Callable[..., Any], argument: str, *, may_yield: bool, location: str
) -> None:
    """Refuse a function that a worker could not call as `function(argument, execution)`.

    Args:
        function: the decorated function, or any other callable.
        argument: the name of its first argument, for the error text.
        may_yield: whether a generator function is accepted, because its result is a list of rows.
        location: the declaration, for the error text.

    Raises:
        DeclarationError: the function is asynchronous, a generator, or takes other arguments.
    """
    form = f"f({argument}, execution)"
    if not callable(function):
        raise DeclarationError(
            f"{location}: a process is a function {form}, not {type(function).__name__}."
        )
    if _is(inspect.iscoroutinefunction, function) or _is(inspect.isasyncgenfunction, function):
        raise DeclarationError(
            f"{location}: async functions are not supported. Declare a plain function {form}; "
            "to call asynchronous code from it, use asyncio.run(…)."
        )
    if not may_yield and _is(inspect.isgeneratorfunction, function):
        raise DeclarationError(
            f"{location}: a generator is not supported, because its body would not run. "
            f"Return the result from {form} instead of yielding it."
        )
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # a callable written in C may not have one
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise DeclarationError(
            f"{location}: a process is called as {form}, which its parameters {signature} do not "
            f"allow ({error})."
        ) from None


def is_deferred(result: Any) -> bool:
    """Return whether a result is work that has not run: an awaitable or an async generator.

    A coroutine is closed, so that Python does not warn that it was never awaited.
    """
    if inspect.iscoroutine(result):
        result.close()
        return True
    return inspect.isawaitable(result) or inspect.isasyncgen(result)


def _is(predicate: Callable[[object], bool], function: Callable[..., Any]) -> bool:
    """Apply a predicate to a function, and to the method by which an object is called."""
    return predicate(function) or predicate(vars(type(function)).get("__call__"))
