"""Queries of execution records: what the store can answer it is asked for, the rest is looked at.

A page begins where the one before ended, which its token says beside the filter: nothing of a
query is kept here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from atom.errors import HistoryUnavailable, InvalidRequest
from atom.history import ExecutionFilter, Place
from atom.platform_api import filters, tokens
from atom.platform_api.execution_record import ABSENT, PROPERTIES, STATUSES, record
from atom.platform_api.filters import Condition, Expression
from atom.platform_api.names import ATOM_ID
from atom.records import State
from atom.store import ExecutionStore

PER_PAGE: Final = 100
# Where the store has no index for what is asked, so many are looked at for one page.
_LOOKED_AT: Final = 5_000
_AT_ONCE: Final = 500

_SECOND: Final = timedelta(seconds=1)
_LAST_SECOND: Final = datetime.max.replace(tzinfo=UTC, microsecond=0) - _SECOND
_ONLY_SORT: Final = ("executionTime", "DESC")
_PROCESS: Final = frozenset({"processName", "processId"})


@dataclass(frozen=True, slots=True)
class Found:
    """One page of records, newest first."""

    records: Sequence[Mapping[str, Any]]
    token: str  # asks for the next page; empty where there is none


def query(store: ExecutionStore, account: str, asked: Mapping[str, Any]) -> Found:
    """The first page of a query.

    Raises:
        InvalidRequest: it asks for what is not served.
        HistoryUnavailable: what is in the history database is not known.
    """
    _check_sort(asked)
    return _page(store, account, asked.get("QueryFilter"), "")


def query_more(store: ExecutionStore, account: str, token: str) -> Found:
    """The page that the token of the one before asks for.

    Raises:
        InvalidRequest: it is no such token.
        HistoryUnavailable: what is in the history database is not known.
    """
    content = tokens.read(token)
    older_than = content.get("olderThan")
    if not isinstance(older_than, str) or Place.read(older_than) is None:
        raise InvalidRequest("That is no token of a query of execution records.")
    return _page(store, account, content.get("QueryFilter"), older_than)


def _page(store: ExecutionStore, account: str, wanted: Any, before: str) -> Found:
    expression = filters.read({"QueryFilter": wanted}, {**PROPERTIES, **ABSENT})
    parts = filters.conjuncts(expression)
    named = _named(parts)
    if named is not None:
        execution = store.get(named)
        records = [record(execution, account)] if execution else []
        return Found([each for each in records if expression.matches(each)], "")
    plan = _Plan.of(store, account, parts)
    found: list[Mapping[str, Any]] = []
    looked_at = 0
    while looked_at < _LOOKED_AT:
        pages = [store.find(plan.at_once, each, older_than=before) for each in plan.filters]
        for problem in filter(None, (page.problem for page in pages)):
            raise HistoryUnavailable(problem)  # a client cannot be told that some are missing
        # What is older than where any of the pages ends may have others before it.
        ends = [Place.read(page.older) for page in pages if page.older]
        end = max(filter(None, ends), default=None)
        executions = [each for page in pages for each in page.executions]
        settled = [each for each in executions if end is None or Place.of(each) >= end]
        for left, execution in reversed(list(enumerate(sorted(settled, key=Place.of)))):
            looked_at += 1
            candidate = record(execution, account)
            if expression.matches(candidate):
                found.append(candidate)
            if len(found) == PER_PAGE:
                more = left or end
                return Found(found, _token(wanted, str(Place.of(execution))) if more else "")
        if end is None:
            return Found(found, "")
        before = str(end)
    return Found(found, _token(wanted, before))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the store is asked for: the executions of all these filters together."""

    filters: Sequence[ExecutionFilter]
    at_once: int  # how many of each

    @classmethod
    def of(cls, store: ExecutionStore, account: str, parts: Sequence[Expression]) -> "_Plan":
        """The narrowest that hold all that is wanted."""
        same_for_all = {
            **dict.fromkeys(ABSENT),
            "account": account,
            "atomId": ATOM_ID,
            "atomName": ATOM_ID,
        }
        states, processes = set(State), None
        since, until, rest = None, None, 0
        for part in parts:
            if part.properties <= same_for_all.keys():
                if not part.matches(same_for_all):
                    return cls((), 0)
            elif part.properties == {"status"}:
                states &= {each for each in State if part.matches({"status": STATUSES[each]})}
            elif part.properties <= _PROCESS:
                names = store.known_processes() if processes is None else processes
                processes = [each for each in names if part.matches(dict.fromkeys(_PROCESS, each))]
            else:
                first, last = _bounds(part)
                since = max(filter(None, (since, first)), default=None)
                until = min(filter(None, (until, last)), default=None)
                rest += part.properties != {"executionTime"}
        if not states or processes == []:
            return cls((), 0)
        service = action = ""
        if processes is not None:
            if len(processes) == 1:
                service, _, action = processes[0].partition(".")
            else:
                rest += 1
        wanted = [None] if len(states) == len(State) else sorted(states)
        found = [
            ExecutionFilter(state=state, service=service, action=action, since=since, until=until)
            for state in wanted
        ]
        return cls(found, _AT_ONCE if rest else PER_PAGE)


def _named(parts: Sequence[Expression]) -> str | None:
    """The one execution that can be meant, if it can be only one."""
    for each in parts:
        match each:
            case Condition("executionId", "EQUALS", (str(named),)):
                return named
    return None


def _bounds(part: Expression) -> tuple[datetime | None, datetime | None]:
    """When what meets it was accepted at the earliest, and before when, as far as it says so."""
    match part:
        case Condition("executionTime" | "recordedDate" as name, operator, arguments):
            first = last = None
            if operator in ("EQUALS", "BETWEEN", "GREATER_THAN", "GREATER_THAN_OR_EQUAL"):
                first = arguments[0]
            if operator in ("EQUALS", "BETWEEN", "LESS_THAN", "LESS_THAN_OR_EQUAL"):
                last = min(arguments[-1], _LAST_SECOND) + _SECOND
            # What is recorded later may have been accepted at any time before.
            return (first if name == "executionTime" else None), last
    return None, None


def _check_sort(asked: Mapping[str, Any]) -> None:
    sort = asked.get("QuerySort")
    if sort is None:
        return
    given = sort.get("sortField") if isinstance(sort, Mapping) else None
    fields = given if isinstance(given, list) else [given]
    for each in fields:
        order = each if isinstance(each, Mapping) else {}
        if (order.get("fieldName"), str(order.get("sortOrder", "")).upper()) != _ONLY_SORT:
            raise InvalidRequest(
                "Execution records come sorted by executionTime DESC, and by nothing else."
            )


def _token(wanted: Any, before: str) -> str:
    return tokens.write({"QueryFilter": wanted, "olderThan": before})
