"""Something that is done to many executions: one after the other, while people watch."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from atom.errors import AtomError
from atom.execution.operating import Done

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """How far it is. Written by the thread that does it, read by any."""

    name: str
    total: int
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # how many for each reason
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    problem: str = ""  # why it ended before its end
    is_stopped: bool = False

    @property
    def looked_at(self) -> int:
        """How many it has come to, done or refused."""
        return self.done + self.refused.total()

    def reasons(self) -> Sequence[tuple[str, int]]:
        """Why some were refused, the most frequent first; of one moment, while the job goes on."""
        return Counter(dict(self.refused)).most_common(10)


class Jobs:
    """One job at a time, and the last one to be looked at; gone when the console ends.

    What a job has done stays done, and what it has not waits as before: a job is nothing but many
    single wishes, so it needs no memory of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: Job | None = None
        self._stop = threading.Event()

    @property
    def latest(self) -> Job | None:
        """The one that runs, or ran last."""
        return self._latest

    def start(self, name: str, ids: Sequence[str], do: Callable[[str], Done]) -> bool:
        """Do it to each of them in a thread; False where another one is still at work."""
        with self._lock:
            if self._latest is not None and self._latest.ended_at is None:
                return False
            self._stop = threading.Event()
            self._latest = job = Job(name, len(ids))
            arguments = (job, ids, do, self._stop)
            threading.Thread(target=_run, args=arguments, name="job", daemon=True).start()
            return True

    def stop(self) -> None:
        """Let it end after the one that it is at."""
        self._stop.set()


def _run(job: Job, ids: Sequence[str], do: Callable[[str], Done], stop: threading.Event) -> None:
    try:
        for each in ids:
            if stop.is_set():
                job.is_stopped = True
                return
            came = do(each)
            if came.is_done:
                job.done += 1
            else:
                job.refused[came.message] += 1
    except AtomError as error:
        _log.warning("%s ended after %d of %d: %s", job.name, job.looked_at, job.total, error)
        job.problem = "The store does not answer; what is left waits as before."
    except Exception:
        _log.exception("%s ended after %d of %d", job.name, job.looked_at, job.total)
        job.problem = "It failed; the console's log says why."
    finally:
        job.ended_at = datetime.now(UTC)
