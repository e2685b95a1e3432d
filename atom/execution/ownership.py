"""The owner of a journal: the thread that runs the process, outside of any other asyncio task.

Two callers at a time would find each other's outcomes in a later attempt, since a step is known by
its position: the order in which threads or tasks come is another one in each attempt.
"""

import asyncio
import os
import threading
from dataclasses import dataclass, field
from typing import Any, Self

from atom.errors import WrongThread


@dataclass(frozen=True, slots=True)
class Owner:
    """The process, thread and asyncio task of a caller."""

    # A thread of a forked process has the identifier of the one that forked it.
    process_id: int
    thread_id: int
    loop: Any = field(repr=False)
    task: Any = field(repr=False)  # None outside of a loop, and in a callback of one

    @classmethod
    def current(cls) -> Self:
        """Return the owner that the caller would be."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return cls(os.getpid(), threading.get_ident(), None, None)
        return cls(os.getpid(), threading.get_ident(), loop, asyncio.current_task())

    def check(self, name: str) -> None:
        """Refuse any other caller.

        Args:
            name: of the requested step, wait, map or call.

        Raises:
            WrongThread: the caller is another thread, task or process.
        """
        caller = self.current()
        if caller == self:
            return
        if caller.process_id != self.process_id:
            raise WrongThread(name, f"process {caller.process_id}, which is a child of the worker")
        if caller.thread_id != self.thread_id:
            raise WrongThread(name, f"thread “{threading.current_thread().name}”")
        running = f"task “{caller.task.get_name()}”" if caller.task else "callback"
        raise WrongThread(name, f"asyncio {running}")
