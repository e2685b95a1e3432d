"""An operator who retries failed executions from their failed step while everything breaks."""

import threading

from atom.errors import StoreError
from atom.records import Restart
from atom.store import ExecutionStore
from tests.chaos.services import mended

_LOOK_SECONDS = 0.5
_AT_ONCE = 1000


class Operator:
    """A thread that mends the cause of each failed execution of Mending and retries it."""

    def __init__(self, store: ExecutionStore, directory: str) -> None:
        """Start.

        Args:
            store: the store of the Atom.
            directory: of the lines that processes write.
        """
        self.retries = 0
        self._directory = directory
        self._store = store
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def has_work(self) -> bool:
        """Return whether an execution waits for its retry; raises StoreError."""
        return any(self._failed())

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                self._retry()
            except StoreError:
                continue  # Redis is down, as it should be now and then

    def _retry(self) -> None:
        for execution_id in self._failed():
            mended(self._directory, execution_id).touch()
            verdict = self._store.restart(execution_id, from_start=False)
            self.retries += verdict is Restart.RESTARTED

    def _failed(self) -> list[str]:
        failed = self._store.failed(_AT_ONCE)
        return [execution.id for execution in failed if execution.action == "Mending"]
