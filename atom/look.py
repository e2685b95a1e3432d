"""Looking at something that may hang, on behalf of many who will not wait for ever."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Generic, TypeVar

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_S = TypeVar("_S")
_Answer = TypeVar("_Answer", covariant=True)


class Look(Generic[_Answer]):
    """Asks in a thread of its own, and only one at a time, however many want to know."""

    def __init__(self, ask: Callable[[], _Answer], *away: type[Exception]) -> None:
        """Make one.

        Args:
            ask: gives the answer, or raises.
            away: what it raises where what it asks does not answer.
        """
        self._ask, self._away = ask, away
        self._lock = threading.Lock()
        self._answer: Future[_Answer | None] | None = None

    def begin(self) -> "Future[_Answer | None]":
        """Ask, unless somebody else's question is still without an answer."""
        with self._lock:
            if self._answer is None or self._answer.done():
                answer = self._answer = Future()
                threading.Thread(target=self._run, args=[answer], name="look", daemon=True).start()
            return self._answer

    def _run(self, answer: "Future[_Answer | None]") -> None:
        came: _Answer | None = None
        try:
            came = self._ask()
        except self._away as error:
            _log.warning("%s", error)
        except Exception:
            _log.exception("A look broke")
        answer.set_result(came)


def both(first: Look[_T], second: Look[_S], seconds: float) -> tuple[_T | None, _S | None]:
    """Ask two at once; what each says, None where nothing comes within these seconds."""
    asked = first.begin(), second.begin()
    pending: tuple[Future[Any], ...] = asked
    wait(pending, seconds)
    return _came(asked[0]), _came(asked[1])


def _came(answer: "Future[_T | None]") -> _T | None:
    return answer.result() if answer.done() else None
