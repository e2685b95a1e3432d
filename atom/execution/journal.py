"""The journal of an execution: its recorded steps, and how their results are written."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from atom.errors import ClaimLost, StepMismatch, StepResultError
from atom.execution.lease import Lease
from atom.execution.wakeup import wake_callback
from atom.publisher import Publisher
from atom.records import Claim, Step
from atom.redaction import Secret, redacted
from atom.store import ExecutionStore

_T = TypeVar("_T")

# JSON has no word for these; each is written as an object with one marked key.
_MARKED: Final[dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]]] = {
    "$decimal": (Decimal, str, Decimal),
    "$datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "$date": (date, date.isoformat, date.fromisoformat),
    "$uuid": (UUID, str, UUID),
}
_STRICT: Final = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def encode(value: Any) -> str:
    """Write a step's result as JSON.

    Raises:
        TypeError: it holds something that could not be read back.
    """
    return orjson.dumps(_marked(value), _refuse, option=_STRICT).decode()


def decode(text: str) -> Any:
    """Read a step's result back."""
    return _unmarked(orjson.loads(text))


def _refuse(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} is not supported")


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in _MARKED:
            raise TypeError(f"{next(iter(value))} is a reserved key")
        return {key: _marked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(each) for each in value]
    for mark, (kind, write, _) in _MARKED.items():
        if isinstance(value, kind):
            return {mark: write(value)}
    return str(value) if isinstance(value, Secret) else value


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (mark, content), *_ = value.items()
        if mark in _MARKED:
            return _MARKED[mark][2](content)
    return {key: _unmarked(each) for key, each in value.items()}


class StoreJournal:
    """The journal of one claim, in the store. See `atom.context.Journal`."""

    def __init__(
        self, claim: Claim, store: ExecutionStore, publisher: Publisher, lease: Lease
    ) -> None:
        self._claim, self._store, self._publisher, self._lease = claim, store, publisher, lease
        self._position = 0
        # A first attempt has nothing to replay, and need not ask.
        self._recorded = store.steps(claim) if claim.attempt > 1 else {}

    def progress(self, message: str, fraction: float | None) -> None:
        """See Journal."""
        if self._store.progress(self._claim, redacted(message), fraction):
            wake_callback(self._publisher, self._claim.id)

    def step(self, name: str, function: Callable[[], _T]) -> _T:
        """See Journal. The first run returns what a replay would: the result as it was written."""
        self._position += 1
        recorded = self._recorded.get(self._position)
        if recorded is not None:
            if recorded.name != name:
                raise StepMismatch(self._position, recorded.name, name)
            result: _T = decode(recorded.result)
            return result
        if self._lease.lost:
            raise ClaimLost(self._claim.id)
        outcome = function()
        try:
            encoded = encode(outcome)
        except (TypeError, RecursionError) as error:
            raise StepResultError(name, str(error)) from error
        self._store.record_step(self._claim, self._position, Step(name, encoded))
        replayed: _T = decode(encoded)
        return replayed

    @property
    def cancelled(self) -> bool:
        """See Journal."""
        return self._lease.lost
