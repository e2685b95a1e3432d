"""Executions as programs get them: all that are wanted, one after the other, as documents."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from atom.execution import entry_view
from atom.history import ExecutionFilter
from atom.records import Execution
from atom.store import ExecutionStore

_PER_PAGE: Final = 500
# Of the copies of an execution, the newest are shown with it.
MOST_COPIES: Final = 20
# What is large, and not read for a list.
_DETAILS: Final = (
    *("request", "response", "runs", "steps", "callback_attempts"),
    "is_awaited",
)


def every(
    store: ExecutionStore, wanted: ExecutionFilter, tell: Callable[[str], None]
) -> Iterator[Execution]:
    """All that are wanted, newest first; no more than a page of them is held at a time.

    Where some are missing, `tell` is called with the reason, once.
    """
    page = store.find(_PER_PAGE, wanted)
    problem = page.problem
    if problem:
        tell(problem)
    yield from page.executions
    while page.older:
        page = store.find(_PER_PAGE, wanted, older_than=page.older)
        if page.problem and not problem:
            problem = page.problem
            tell(problem)
        yield from page.executions


def document(execution: Execution, *, full: bool) -> dict[str, Any]:
    """One as a document; what is not in a list is there only where it is full."""
    fields = asdict(execution) | {"wait": execution.wait and str(execution.wait)}
    fields["steps"] = [entry_view.document(entry) for entry in execution.steps]
    return fields if full else {name: fields[name] for name in fields if name not in _DETAILS}


def copies_document(copies: Sequence[Execution]) -> dict[str, Any]:
    """Return the number of copies of an execution, and the newest of them, as a document."""
    newest = [document(execution, full=False) for execution in copies[:MOST_COPIES]]
    return {"copy_count": len(copies), "copies": newest}
