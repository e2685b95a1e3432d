"""Checks of the function behind a process, at its declaration and on its result."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from atom.errors import DeclarationError


def check_function(
    function: Callable[..., Any],
    parameters: Sequence[str],
    *,
    location: str,
    may_yield: bool = False,
    role: str = "a process",
) -> None:
    """Refuse a function that a worker could not call with these positional arguments.

    Args:
        function: the decorated function, or any other callable.
        parameters: the names of the arguments, for the error text.
        location: the declaration, for the error text.
        may_yield: whether a generator function is accepted, because its result is a list of rows.
        role: the use of the function, for the error text.

    Raises:
        DeclarationError: the function is asynchronous, a generator, or takes other arguments.
    """
    form = f"f({', '.join(parameters)})"
    if not callable(function):
        raise DeclarationError(
            f"{location}: {role} is a function {form}, not {type(function).__name__}."
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
        signature.bind(*parameters)
    except TypeError as error:
        raise DeclarationError(
            f"{location}: {role} is called as {form}, which its parameters {signature} do not "
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
