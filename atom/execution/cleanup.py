"""The cleanup of an action: its `on_end` function, run as an execution of its own."""

from dataclasses import replace
from typing import Any

from atom.context import Execution
from atom.execution.children import ChildProcess, UnknownFunction
from atom.process import OpenFile, Process
from atom.protocol.requests import ConnectorRequest
from atom.records import Ending


class Cleanup(ChildProcess):
    """The process that a worker runs for a cleanup."""

    def __init__(self, process: Process, ending: Ending) -> None:
        super().__init__(process, replace(process.options, max_concurrency=None))
        self._ending = ending

    def read(self, document: Any) -> ConnectorRequest:
        """See Process: the request of the ended execution; there is no outcome to choose.

        Raises:
            UnknownFunction: the code of this worker declares no cleanup.
        """
        if self._process.on_end is None:
            raise UnknownFunction(
                f"Execution {self._ending.execution_id} ended with a cleanup, but {self.task_name} "
                "declares no on_end in the code of the worker."
            )
        return self._process.read({**document, "outcomes": []})

    def check(self, request: Any) -> None:
        """See Process: it was checked when the execution was accepted."""

    def call(self, request: Any, execution: Execution, open_file: OpenFile) -> dict[str, Any]:
        """See Process."""
        self._process.clean_up(request, execution, self._ending)
        return {"result": None}
