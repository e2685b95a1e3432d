"""Looking at something that may hang, on behalf of many who will not wait for ever."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Look(Generic[_T]):
    """Asks in a thread of its own, and only one at a time, however many want to know."""

    def __init__(self, ask: Callable[[], _T], *away: type[Exception]) -> None:
        """Make one.

        Args:
            ask: gives the answer, or raises.
            away: what it raises where what it asks does not answer.
        """
        self._ask, self._away = ask, away
        self._lock = threading.Lock()
        self._answer: Future[_T | None] | None = None

    def begin(self) -> "Future[_T | None]":
        """Ask, unless somebody else's question is still without an answer."""
        with self._lock:
            if self._answer is None or self._answer.done():
                answer = self._answer = Future()
                threading.Thread(target=self._run, args=[answer], name="look", daemon=True).start()
            return self._answer

    def _run(self, answer: "Future[_T | None]") -> None:
        came: _T | None = None
        try:
            came = self._ask()
        except self._away as error:
            _log.warning("%s", error)
        except Exception:
            _log.exception("A look broke")
        answer.set_result(came)


def came(answer: "Future[_T]") -> _T | None:
    """What came; None where nothing has come yet."""
    return answer.result() if answer.done() else None
